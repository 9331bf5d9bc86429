import { argTypeError, rangeError } from '../../sys/errors/errors.js';

const FIRST_SIZE = 64;
const TWO_32 = 2 ** 32;

/**
 * A table that maps operations to JavaScript values. user_data is the index of a slot in the low word and its
 * generation in the high word, so that a late completion is never delivered to another operation. It grows as needed;
 * adding and removing allocate nothing.
 *
 * `put`, `find` and `take` use user_data as in `copyCqes`; `add`, `get` and `remove` use its two halves as in a
 * `CqeSink`.
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

  /** The value for a user_data, or undefined if it is invalid or its slot has been freed. */
  find(userData: number | bigint): T | undefined {
    // `put` never returns a bigint.
    if (typeof userData !== 'number') return undefined;
    return this.get(userData % TWO_32, Math.floor(userData / TWO_32));
  }

  /** As `find`, and frees the slot: for an operation's last completion. */
  take(userData: number | bigint): T | undefined {
    const value = this.find(userData);
    if (value !== undefined) this.remove(Number(userData) % TWO_32);
    return value;
  }

  /** The number of taken slots. */
  get size(): number {
    return this.#size;
  }

  /** Takes a slot; returns its index. The value must not be `undefined`, which marks a free slot. */
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

  /** The value of a slot, or undefined if that slot has been freed. */
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

  /** The number of slots, including free ones. */
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
