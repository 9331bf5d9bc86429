/** Buffers that the backend picks from when data is there, so that a waiting receive holds none. */
export interface ProvidedBuffers {
  /** What receives name. */
  readonly group: number;
  readonly entries: number;
  readonly bufferSize: number;
  /** How many of them the backend has from the start. */
  readonly provided: number;
  /** All of them, one behind the other: buffer `id` starts at `id * bufferSize`. */
  readonly bytes: Buffer;
  /** Where `bytes` begin. */
  readonly address: number;
  /** Gives a buffer back; the backend has it at the latest after `publish()`. */
  recycle(id: number): void;
  publish(): void;
  /** No operation that uses the group may be in flight. */
  close(): void;
}

/** How many there are, and of which size. */
export interface ProvidedBuffersOptions {
  /** A power of two. */
  entries: number;
  /** In bytes. */
  bufferSize: number;
  /** How many the backend has from the start; default all. The others are given to it by `recycle`. */
  provided?: number | undefined;
  /** Each receive takes what it needs of a buffer, and the next one goes on behind it. */
  piecewise?: boolean | undefined;
}
