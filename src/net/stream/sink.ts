import type { ReceiveQueue } from './receive-queue.js';

/** A destination of all received data, without a promise per chunk. */
export interface Sink {
  /** Takes the bytes of a completion; false if it cannot now, and they queue. */
  take(length: number, flags: number): boolean;
  /** Takes as many of the queued bytes as it can now. */
  drain(queue: ReceiveQueue): void;
  /** Whether it has all the bytes that it wants. */
  readonly satisfied: boolean;
  /** It gets no more: sends what it has taken before anything else. */
  flush(): void;
}
