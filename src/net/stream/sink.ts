import type { ReceiveQueue } from './receive-queue.js';

/** A destination of all received data, without a promise per chunk. */
export interface Sink {
  /** Takes the bytes of a completion; false if it cannot now, and they queue. */
  take(length: number, flags: number): boolean;
  /** The size of the chunks, with memory of their own, in which it takes the next bytes; 0 if they come as usual. */
  readonly chunkSize: number;
  /** Whether it takes a chunk now. If not, the receiver is resumed when it does. */
  takesChunk(): boolean;
  takeChunk(chunk: Buffer): void;
  /** Takes as many of the queued bytes as it can now. */
  drain(queue: ReceiveQueue): void;
  /** Whether it has all the bytes that it wants. */
  readonly satisfied: boolean;
  /** It gets no more: sends what it has taken before anything else. */
  flush(): void;
}
