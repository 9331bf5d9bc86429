import type { Queued } from '../../net/socket/queue.js';
import type { RequestDone } from '../request-done.js';

/** A write that completes when the kernel has taken all its bytes. */
export class WaitingWrite implements Queued<WaitingWrite> {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** The request to settle; null if the bytes were reported as written already. */
  readonly done: RequestDone | null;
  /** How many bytes are in a block, or sent. */
  copied = 0;
  next: WaitingWrite | null = null;

  constructor(bytes: Uint8Array, done: RequestDone | null) {
    this.bytes = bytes;
    this.length = bytes.length;
    this.done = done;
  }

  /** Whether the buffer was transferred away or shrunk while it waited. */
  get isGone(): boolean {
    return this.bytes.length < this.length;
  }
}
