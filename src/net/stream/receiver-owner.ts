import type { ErrorDetails } from '../../sys/errors/errors.js';
import type { ReadQueueOwner } from './read-queue.js';
import type { SendingSide } from './reset.js';

/** The owner of the receiving side. */
export interface ReceiverOwner extends ReadQueueOwner {
  /** The other direction, if it has been used. */
  readonly madeSender: SendingSide | null;
  /** The peer's address for errors. */
  readonly peerDetails: ErrorDetails | undefined;
  onFailed(error: Error): void;
  /** No receive stays in flight from now on: if a pipe leads here, a poll must report that the peer disconnects. */
  watchWhilePiped(): void;
}
