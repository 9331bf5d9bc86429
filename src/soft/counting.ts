import type { Completions } from './completions.js';
import type { Entry } from './entry.js';

/** Where timeouts complete. */
interface Completes {
  complete(entry: Entry, res: number): void;
}

/** Timeouts that also end once a number of other operations have completed. io_uring_prep_timeout(3) */
export class Counting {
  readonly #ring: Completes;
  readonly #completions: Completions;
  readonly #entries: Entry[] = [];
  /** Completions of timeouts, modulo 2^32: they do not count. */
  #timedOut = 0;

  constructor(ring: Completes, completions: Completions) {
    this.#ring = ring;
    this.#completions = completions;
  }

  /** Whether there are any. */
  get some(): boolean {
    return this.#entries.length !== 0;
  }

  #counted(): number {
    return (this.#completions.posted - this.#timedOut) | 0;
  }

  /** A timeout completes. */
  timedOut(): void {
    this.#timedOut = (this.#timedOut + 1) | 0;
  }

  /** A timeout ends with 0 once `count` others have completed. */
  add(entry: Entry, count: number): void {
    entry.target = (this.#counted() + count) | 0;
    this.#entries.push(entry);
  }

  remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
  }

  /** Ends those for which enough has completed; that removes them. */
  end(): void {
    for (let i = 0; i < this.#entries.length; ) {
      const entry = this.#entries[i]!;
      if (((this.#counted() - entry.target) | 0) >= 0) this.#ring.complete(entry, 0);
      else i++;
    }
  }
}
