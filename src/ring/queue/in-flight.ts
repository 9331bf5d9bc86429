const FIRST_CAPACITY = 256;
/** Counts of user_data below this, which most programs use, are found by index. */
const DIRECT = 4096;
/** A count of zero marks a free place. */
const FREE = 0;

/**
 * Counts operations in flight by user_data. Small values are indices into an array. Others go into a hash table in
 * typed arrays, with open addressing. It allocates only to grow.
 */
export class InFlight {
  readonly #direct = new Int32Array(DIRECT);
  #lows = new Int32Array(FIRST_CAPACITY);
  #highs = new Int32Array(FIRST_CAPACITY);
  #counts = new Int32Array(FIRST_CAPACITY);
  #mask = FIRST_CAPACITY - 1;
  #used = 0;

  /** The place of a user_data, or where it would go. */
  #find(low: number, high: number): number {
    const counts = this.#counts;
    let at = (Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 8) & this.#mask;
    while (counts[at] !== FREE && (this.#lows[at] !== low || this.#highs[at] !== high)) {
      at = (at + 1) & this.#mask;
    }
    return at;
  }

  /** Adds one. */
  add(low: number, high: number): void {
    if (high === 0 && low >>> 0 < DIRECT) this.#direct[low]!++;
    else this.#addHashed(low, high);
  }

  #addHashed(low: number, high: number): void {
    const at = this.#find(low, high);
    if (this.#counts[at] === FREE) {
      this.#lows[at] = low;
      this.#highs[at] = high;
      this.#used++;
    }
    this.#counts[at]!++;
    if (this.#used * 2 > this.#mask) this.#grow();
  }

  /** Removes one; returns whether it was the last. Ignores a user_data that is not counted. */
  remove(low: number, high: number): boolean {
    if (high !== 0 || low >>> 0 >= DIRECT) return this.#removeHashed(low, high);
    const left = this.#direct[low]! - 1;
    if (left < 0) return false;
    this.#direct[low] = left;
    return left === 0;
  }

  #removeHashed(low: number, high: number): boolean {
    const at = this.#find(low, high);
    if (this.#counts[at] === FREE) return false;
    this.#counts[at]!--;
    if (this.#counts[at] !== FREE) return false;
    this.#used--;
    this.#close(at);
    return true;
  }

  /** Moves the entries that follow a freed place, which a search would no longer find. */
  #close(gap: number): void {
    let free = gap;
    for (let at = (gap + 1) & this.#mask; this.#counts[at] !== FREE; at = (at + 1) & this.#mask) {
      const low = this.#lows[at]!;
      const high = this.#highs[at]!;
      const count = this.#counts[at]!;
      this.#counts[at] = FREE;
      const found = this.#find(low, high);
      this.#lows[found] = low;
      this.#highs[found] = high;
      this.#counts[found] = count;
      if (found === free) free = at;
    }
  }

  #grow(): void {
    const [lows, highs, counts] = [this.#lows, this.#highs, this.#counts];
    const capacity = counts.length * 2;
    this.#lows = new Int32Array(capacity);
    this.#highs = new Int32Array(capacity);
    this.#counts = new Int32Array(capacity);
    this.#mask = capacity - 1;
    for (let i = 0; i < counts.length; i++) {
      if (counts[i] === FREE) continue;
      const at = this.#find(lows[i]!, highs[i]!);
      this.#lows[at] = lows[i]!;
      this.#highs[at] = highs[i]!;
      this.#counts[at] = counts[i]!;
    }
  }
}
