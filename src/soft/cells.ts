import { libc } from '../sys/libc/libc.js';
import { Mapping } from '../sys/memory/mapping.js';

/** Holds a struct msghdr followed by a socket address. */
const CELL = 192;
const CHUNK = 128;

/** Fixed-size memory cells for the arguments of entries that wait: addresses, message headers, paths. */
export class Cells {
  readonly #chunks: Mapping[] = [];
  readonly #words: Int32Array[] = [];
  readonly #free: number[] = [];
  readonly #size: number;

  /** @param size of each, in bytes. */
  constructor(size = CELL) {
    this.#size = size;
  }

  /** Takes a cell. */
  take(): number {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop()!;
  }

  #grow(): void {
    const first = this.#chunks.length * CHUNK;
    const chunk = Mapping.anonymous(this.#size * CHUNK);
    this.#chunks.push(chunk);
    this.#words.push(new Int32Array(chunk.buffer));
    for (let i = CHUNK - 1; i >= 0; i--) this.#free.push(first + i);
  }

  give(cell: number): void {
    this.#free.push(cell);
  }

  address(cell: number): number {
    return this.#chunks[Math.floor(cell / CHUNK)]!.address + (cell % CHUNK) * this.#size;
  }

  /** The offset of a cell's byte `at` in `words(cell)`, in words. */
  words(cell: number): Int32Array {
    return this.#words[Math.floor(cell / CHUNK)]!;
  }

  wordOf(cell: number, at: number): number {
    return ((cell % CHUNK) * this.#size + at) >> 2;
  }

  /** Copies memory into a cell, at its byte `at`. */
  fill(cell: number, at: number, from: number, length: number): void {
    libc().copy(this.address(cell) + at, from, Math.min(length, this.#size - at));
  }

  /** The bytes of a cell, without a copy. */
  bytes(cell: number): Buffer {
    const { buffer } = this.#chunks[Math.floor(cell / CHUNK)]!;
    return Buffer.from(buffer, (cell % CHUNK) * this.#size, this.#size);
  }

  unmap(): void {
    for (const chunk of this.#chunks) chunk.unmap();
  }
}
