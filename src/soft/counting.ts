import type { Completions } from './completions.js';
import type { Entry } from './entry.js';

/** Completes timeouts. */
interface Completes {
  complete(entry: Entry, res: number): void;
}

/** Timeouts that also end once a number of other operations have completed. io_uring_prep_timeout(3) */
export class Counting {
  readonly #ring: Completes;
  readonly #completions: Completions;
  readonly #entries: Entry[] = [];
  /** Completions of timeouts, modulo 2^32, which are not counted. */
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

  /** Ends a timeout with 0 once `count` other operations have completed. */
  add(entry: Entry, count: number): void {
    entry.target = (this.#counted() + count) | 0;
    this.#entries.push(entry);
  }

  remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
  }

  /** Ends and removes those whose count has been reached. */
  end(): void {
    for (let i = 0; i < this.#entries.length; ) {
      const entry = this.#entries[i]!;
      if (((this.#counted() - entry.target) | 0) >= 0) this.#ring.complete(entry, 0);
      else i++;
    }
  }
}
