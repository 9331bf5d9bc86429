import * as abi from '../ring/abi/io-uring.js';
import { ECANCELED } from '../sys/abi/errno.js';
import { type Entry, RUNNING } from './entry.js';
import { refused } from './handlers.js';

/** What executes the entries of a chain. */
interface Executes {
  /** Starts an entry. */
  run(entry: Entry): void;
  /** Completes an entry that has not started. @param quiet without a completion. */
  skip(entry: Entry, res: number, quiet: boolean): void;
}

/** Linked entries: each starts when the one before it has completed successfully. io_uring_enter(2), IOSQE_IO_LINK */
export class Chains {
  /** The number of chains with entries that have not started: scratch memory holds their arguments. */
  waiting = 0;
  readonly #ring: Executes;
  /** Entries that may start. */
  readonly #next: Entry[] = [];

  constructor(ring: Executes) {
    this.#ring = ring;
  }

  /** Whether its first entry may start. The whole chain fails if one of its entries is invalid. */
  begin(first: Entry): boolean {
    let wrong = false;
    for (let entry: Entry | null = first; entry !== null; entry = entry.linked) {
      if (refused(entry) !== 0) wrong = true;
    }
    if (wrong) this.#skip(first, false);
    else this.waiting++;
    return !wrong;
  }

  /** An entry has completed: the next one starts at `runNext`, or never. */
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

  /** Starts the entries linked to ones that have completed. */
  runNext(): void {
    while (this.#next.length !== 0) this.#ring.run(this.#next.shift()!);
  }
}
