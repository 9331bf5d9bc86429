const FIRST_SIZE = 64;

/**
 * A table that ties operations to JavaScript values: user_data is a slot's index in the low word and
 * its generation in the high one, so that a completion that comes late is never taken for another's.
 * It grows as needed, and adding or removing allocates nothing.
 */
export class Slots<T> {
  #values: (T | undefined)[] = [];
  #generations = new Int32Array(0);
  #free = new Int32Array(0);
  #freeCount = 0;
  #size = 0;

  constructor() {
    this.#grow(FIRST_SIZE);
  }

  /** How many slots are taken. */
  get size(): number {
    return this.#size;
  }

  /** Takes a slot; returns its index. */
  add(value: T): number {
    if (this.#freeCount === 0) this.#grow(this.#values.length * 2);
    const index = this.#free[--this.#freeCount]!;
    this.#values[index] = value;
    this.#size++;
    return index;
  }

  /** The generation of a slot, the high word of its user_data. */
  generation(index: number): number {
    return this.#generations[index]!;
  }

  /** The value of a slot, or undefined when that slot was freed since. */
  get(index: number, generation: number): T | undefined {
    return this.#generations[index] === generation ? this.#values[index] : undefined;
  }

  /** Frees a slot. */
  remove(index: number): void {
    if (this.#values[index] === undefined) throw new RangeError(`slot ${index} is free`);
    this.#values[index] = undefined;
    this.#generations[index] = (this.#generations[index]! + 1) & 0x1fffff;
    this.#free[this.#freeCount++] = index;
    this.#size--;
  }

  /** The values of all taken slots. */
  *values(): IterableIterator<T> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  #grow(size: number): void {
    const from = this.#values.length;
    const generations = new Int32Array(size);
    generations.set(this.#generations);
    this.#generations = generations;
    const free = new Int32Array(size);
    free.set(this.#free);
    this.#free = free;
    for (let index = from; index < size; index++) this.#values.push(undefined);
    for (let index = size - 1; index >= from; index--) this.#free[this.#freeCount++] = index;
  }
}
