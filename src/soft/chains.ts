import * as abi from '../ring/abi.js';
import { ECANCELED } from '../ring/errno.js';
import { type Entry, RUNNING } from './entry.js';
import { refused } from './handlers.js';

/** What executes the entries of chains. */
interface Executes {
  /** Begins one. */
  run(entry: Entry): void;
  /** One that has not begun completes. @param quiet without a completion. */
  skip(entry: Entry, res: number, quiet: boolean): void;
}

/** Entries that are linked: each begins when the one before it has completed as it should. io_uring_enter(2), IOSQE_IO_LINK */
export class Chains {
  /** Those whose later entries have not begun: scratch memory holds what they point at. */
  waiting = 0;
  readonly #ring: Executes;
  /** Those that may begin. */
  readonly #next: Entry[] = [];

  constructor(ring: Executes) {
    this.#ring = ring;
  }

  /** Whether its first entry may begin. All of a chain fails if one of its entries cannot be understood. */
  begin(first: Entry): boolean {
    let wrong = false;
    for (let entry: Entry | null = first; entry !== null; entry = entry.linked) {
      if (refused(entry) !== 0) wrong = true;
    }
    if (wrong) this.#skip(first, false);
    else this.waiting++;
    return !wrong;
  }

  /** An entry has completed: the one behind it begins at `runNext`, or never. */
  proceed(entry: Entry, linked: Entry, failed: boolean): void {
    entry.linked = null;
    const goesOn = !failed || (entry.flags & abi.SQE_IO_HARDLINK) !== 0;
    if (!goesOn || linked.linked === null) this.waiting--;
    if (goesOn) {
      linked.place = RUNNING;
      this.#next.push(linked);
    } else this.#skip(linked, entry.quietLinks);
  }

  #skip(first: Entry, quiet: boolean): void {
    for (let entry: Entry | null = first; entry !== null; ) {
      const next: Entry | null = entry.linked;
      entry.linked = null;
      this.#ring.skip(entry, refused(entry) || ECANCELED, quiet);
      entry = next;
    }
  }

  /** Begins what is linked behind entries that have completed. */
  runNext(): void {
    while (this.#next.length !== 0) this.#ring.run(this.#next.shift()!);
  }
}
