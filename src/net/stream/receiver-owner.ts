import type { ErrorDetails } from '../../sys/errors/errors.js';
import type { ReadQueueOwner } from './read-queue.js';

/** What the receiving side must know of the other direction. */
interface SenderState {
  /** Whether nothing waits to be sent. */
  readonly idle: boolean;
  /** Why it has failed. */
  readonly error: Error | null;
  /** Whether the connection is established by the first write only. */
  readonly deferred: boolean;
  /** Establishes it without data. */
  connect(): void;
}

/** The owner of the receiving side. */
export interface ReceiverOwner extends ReadQueueOwner {
  /** The other direction, if it has been used. */
  readonly madeSender: SenderState | null;
  /** The peer's address for errors. */
  readonly peerDetails: ErrorDetails | undefined;
  onFailed(error: Error): void;
  /** No receive stays in flight from now on: if a pipe leads here, a poll must report that the peer disconnects. */
  watchWhilePiped(): void;
}
