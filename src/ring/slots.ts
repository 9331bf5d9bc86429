import { argTypeError, rangeError } from './errors.js';

const FIRST_SIZE = 64;
const TWO_32 = 2 ** 32;

/**
 * A table that ties operations to JavaScript values: user_data is a slot's index in the low word and
 * its generation in the high one, so that a completion that comes late is never taken for another's.
 * It grows as needed, and adding or removing allocates nothing.
 *
 * `put`, `find` and `take` go by user_data, as `copyCqes` has it; `add`, `get` and `remove` by its two
 * halves, as a `CqeSink` gets them.
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

  /** Takes a slot; returns the user_data for its operation. */
  put(value: T): number {
    const index = this.add(value);
    return this.#generations[index]! * TWO_32 + index;
  }

  /** The value of a user_data, or undefined when it is none, or its slot was freed since. */
  find(userData: number | bigint): T | undefined {
    // A bigint is beyond what `put` returns.
    if (typeof userData !== 'number') return undefined;
    return this.get(userData % TWO_32, Math.floor(userData / TWO_32));
  }

  /** As `find`, and frees the slot: for an operation's last completion. */
  take(userData: number | bigint): T | undefined {
    const value = this.find(userData);
    if (value !== undefined) this.remove(Number(userData) % TWO_32);
    return value;
  }

  /** How many slots are taken. */
  get size(): number {
    return this.#size;
  }

  /** Takes a slot; returns its index. `undefined` is no value: it stands for a free one. */
  add(value: T): number {
    if (value === undefined) throw argTypeError('value', 'a value', value);
    if (this.#freeCount === 0) this.#grow(this.#values.length * 2);
    const index = this.#free[--this.#freeCount]!;
    this.#values[index] = value;
    this.#size++;
    return index;
  }

  /** The generation of a slot, the high word of its user_data. */
  generation(index: number): number {
    if (typeof index !== 'number') throw argTypeError('index', 'of type number', index);
    return this.#generations[index]!;
  }

  /** The value of a slot, or undefined when that slot was freed since. */
  get(index: number, generation: number): T | undefined {
    if (typeof index !== 'number') throw argTypeError('index', 'of type number', index);
    return this.#generations[index] === generation ? this.#values[index] : undefined;
  }

  /** Frees a slot. */
  remove(index: number): void {
    if (typeof index !== 'number') throw argTypeError('index', 'of type number', index);
    if (this.#values[index] === undefined) throw rangeError('index', 'a slot in use', index);
    this.#values[index] = undefined;
    this.#generations[index] = (this.#generations[index]! + 1) & 0x1fffff;
    this.#free[this.#freeCount++] = index;
    this.#size--;
  }

  /** How many slots there are, free ones among them. */
  get capacity(): number {
    return this.#values.length;
  }

  /** The value of a slot by its index; undefined if it is free. */
  valueAt(index: number): T | undefined {
    return this.#values[index];
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
