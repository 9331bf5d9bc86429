import { libc } from '../ring/libc.js';
import { Mapping } from '../ring/mapping.js';

/** A struct msghdr and a socket address behind it. */
const CELL = 192;
const CELLS_PER_CHUNK = 128;

/** Memory for what entries that have to wait point at: addresses, and the headers of messages. */
export class Cells {
  readonly #chunks: Mapping[] = [];
  readonly #words: Int32Array[] = [];
  readonly #free: number[] = [];

  /** A place of 192 bytes. */
  take(): number {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop()!;
  }

  #grow(): void {
    const first = this.#chunks.length * CELLS_PER_CHUNK;
    const chunk = Mapping.anonymous(CELL * CELLS_PER_CHUNK);
    this.#chunks.push(chunk);
    this.#words.push(new Int32Array(chunk.buffer));
    for (let i = CELLS_PER_CHUNK - 1; i >= 0; i--) this.#free.push(first + i);
  }

  give(cell: number): void {
    this.#free.push(cell);
  }

  address(cell: number): number {
    return this.#chunks[Math.floor(cell / CELLS_PER_CHUNK)]!.address + (cell % CELLS_PER_CHUNK) * CELL;
  }

  /** The words of a cell from byte `at` on: where they are in `words(cell)`. */
  words(cell: number): Int32Array {
    return this.#words[Math.floor(cell / CELLS_PER_CHUNK)]!;
  }

  wordOf(cell: number, at: number): number {
    return ((cell % CELLS_PER_CHUNK) * CELL + at) >> 2;
  }

  /** Copies memory into a cell, to byte `at` of it. */
  fill(cell: number, at: number, from: number, length: number): void {
    libc().copy(this.address(cell) + at, from, Math.min(length, CELL - at));
  }

  unmap(): void {
    for (const chunk of this.#chunks) chunk.unmap();
  }
}
