import { joinUserData } from './cqe.js';
import { InFlight } from './in-flight.js';
import { SQE } from './structs.js';

/**
 * Keeps the buffers that the kernel uses in place alive until their operations have completed.
 *
 * A completion names its operation by user_data alone, which the caller chooses and may use twice. So
 * operations in flight are counted by it, those without buffers too, and buffers are let go when the count
 * of theirs comes to zero. Sharing one user_data between operations keeps a buffer longer than need be; only
 * a message of another ring that has it could end that early.
 */
export class Pins {
  readonly #inFlight = new InFlight();
  readonly #kept = new Map<number | bigint, Set<ArrayBufferView>>();
  /** Buffers of entries that wait in the submission queue, by the entry's index. */
  readonly #queued = new Map<number, ArrayBufferView[]>();
  #keepsAll = false;

  /** An entry that has not been submitted yet uses these buffers. */
  queue(index: number, buffers: ArrayBufferView[]): void {
    this.#queued.set(index, buffers);
  }

  /** The entry whose first word is `words[at]` now goes to the kernel. */
  submit(index: number, words: Int32Array, at: number): void {
    const low = words[at + SQE.userData]!;
    const high = words[at + SQE.userData + 1]!;
    this.#inFlight.add(low, high);
    if (this.#queued.size === 0) return;
    const buffers = this.#queued.get(index);
    if (buffers === undefined) return;
    this.#queued.delete(index);
    const key = joinUserData(low, high);
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      kept = new Set();
      this.#kept.set(key, kept);
    }
    for (const buffer of buffers) kept.add(buffer);
  }

  /** A completion with this user_data will come that no entry asked for. */
  expect(low: number, high: number): void {
    this.#inFlight.add(low, high);
  }

  /** The last completion of an operation has come. */
  complete(low: number, high: number): void {
    const last = this.#inFlight.remove(low, high);
    if (last && this.#kept.size !== 0 && !this.#keepsAll) this.#kept.delete(joinUserData(low, high));
  }

  /** From now on completions are no proof: what is kept stays until the ring is closed. */
  keepAll(): void {
    this.#keepsAll = true;
  }

  /** User_data that keep buffers, and entries that wait with some. */
  get size(): number {
    return this.#kept.size + this.#queued.size;
  }
}
