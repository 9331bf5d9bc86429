import type { Entry } from './entry.js';

/**
 * Entries with user_data below this are indexed, others are searched. The loop's own user_data are slots of its table.
 */
const INDEXED = 2 ** 20;

/** All incomplete entries that wait for something, for cancellation to find. */
export class Waiting {
  size = 0;
  #first: Entry | null = null;
  readonly #byLow: (Entry | null)[] = [];

  add(entry: Entry): void {
    this.size++;
    const first = this.#first;
    entry.previousWaiting = null;
    entry.nextWaiting = first;
    if (first !== null) first.previousWaiting = entry;
    this.#first = entry;
    const { low } = entry;
    if (low < 0 || low >= INDEXED) return;
    while (this.#byLow.length <= low) this.#byLow.push(null);
    entry.nextSame = this.#byLow[low]!;
    this.#byLow[low] = entry;
  }

  remove(entry: Entry): void {
    this.size--;
    const { nextWaiting, previousWaiting, low } = entry;
    if (previousWaiting === null) this.#first = nextWaiting;
    else previousWaiting.nextWaiting = nextWaiting;
    if (nextWaiting !== null) nextWaiting.previousWaiting = previousWaiting;
    entry.nextWaiting = null;
    entry.previousWaiting = null;
    if (low < 0 || low >= INDEXED) return;
    let at = this.#byLow[low] ?? null;
    if (at === entry) this.#byLow[low] = entry.nextSame;
    else {
      while (at!.nextSame !== entry) at = at!.nextSame;
      at!.nextSame = entry.nextSame;
    }
    entry.nextSame = null;
  }

  /** The first one that `matches`, from the latest to the earliest. */
  find(matches: (entry: Entry) => boolean): Entry | null {
    for (let entry = this.#first; entry !== null; entry = entry.nextWaiting) {
      if (matches(entry)) return entry;
    }
    return null;
  }

  /** One with this user_data. */
  findByUserData(low: number, high: number): Entry | null {
    if (low < 0 || low >= INDEXED) return this.find(entry => entry.low === low && entry.high === high);
    if (low >= this.#byLow.length) return null;
    let entry = this.#byLow[low] ?? null;
    while (entry !== null && entry.high !== high) entry = entry.nextSame;
    return entry;
  }

  get first(): Entry | null {
    return this.#first;
  }
}
