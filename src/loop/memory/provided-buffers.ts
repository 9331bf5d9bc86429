/** Buffers that the backend picks from when data arrives, so that a waiting receive holds none. */
export interface ProvidedBuffers {
  /** The group id for receives. */
  readonly group: number;
  readonly entries: number;
  readonly bufferSize: number;
  /** How many of them the backend has at the start. */
  readonly provided: number;
  /** All of them, contiguous: buffer `id` starts at `id * bufferSize`. */
  readonly bytes: Buffer;
  /** The address of `bytes`. */
  readonly address: number;
  /** Returns a buffer; the backend has it after `publish()` at the latest. */
  recycle(id: number): void;
  publish(): void;
  /** No operation that uses the group may be in flight. */
  close(): void;
}

/** Their number and size. */
export interface ProvidedBuffersOptions {
  /** A power of two. */
  entries: number;
  /** In bytes. */
  bufferSize: number;
  /** How many the backend has at the start; default all. `recycle` gives it the others. */
  provided?: number | undefined;
  /** Each receive takes what it needs of a buffer, and the next one continues after it. */
  piecewise?: boolean | undefined;
}
