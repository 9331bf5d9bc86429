import { SQE } from '../ring/abi/structs.js';
import { Sqe } from '../ring/sqe/index.js';
import type { Scratch } from '../sys/memory/scratch.js';
import type { Entry } from './entry.js';

/** Words per entry, as a shift. */
const SHIFT = 4;

/** The submission queue, in the kernel's layout: the same builder fills its entries. */
export class Submissions {
  readonly entries: number;
  readonly #sqe: Sqe;
  readonly #words: Int32Array;
  readonly #mask: number;
  #head = 0;
  #tail = 0;

  /** @param entries a power of two. */
  constructor(entries: number, scratch: Scratch) {
    this.entries = entries;
    this.#mask = entries - 1;
    this.#words = new Int32Array(entries << SHIFT);
    this.#sqe = new Sqe(scratch);
    this.#sqe.use(this.#words, SHIFT);
  }

  /** The number of entries to take. */
  get ready(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** The next entry to fill, null if the queue is full. */
  get(): Sqe | null {
    if (this.ready > this.#mask) return null;
    const sqe = this.#sqe;
    // Operations of the loop keep their own buffers.
    if (sqe.kept.length !== 0) sqe.kept = [];
    sqe.moveTo((this.#tail & this.#mask) << SHIFT);
    this.#tail = (this.#tail + 1) | 0;
    return sqe;
  }

  /** Takes the oldest entry, decoded into `entry`. */
  take(entry: Entry): void {
    entry.decode(this.#words, (this.#head & this.#mask) << SHIFT);
    this.#head = (this.#head + 1) | 0;
  }

  /** No entries can be filled from now on. */
  retire(): void {
    this.#sqe.retire();
  }
}

// The layout that `decode` relies on.
if (SQE.size !== 4 << SHIFT) throw new Error('unexpected ABI');
