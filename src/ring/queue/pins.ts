import { OP_POLL_REMOVE, POLL_UPDATE_USER_DATA } from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { joinUserData } from './cqe.js';
import { InFlight } from './in-flight.js';

/**
 * Keeps the buffers that the kernel uses in place alive until their operations have completed.
 *
 * A completion names its operation only by user_data, which the caller chooses and may use twice. Therefore operations
 * in flight are counted by user_data, including those without buffers, and buffers are released when the count drops to
 * zero. Operations that share a user_data keep a buffer longer than necessary. Only a message from another ring with
 * the same user_data could release it too early.
 */
export class Pins {
  readonly #inFlight = new InFlight();
  readonly #kept = new Map<number | bigint, Set<ArrayBufferView>>();
  /** Buffers of entries in the submission queue, by the entry's index. */
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
    if ((words[at]! & 0xff) === OP_POLL_REMOVE && words[at + SQE.len]! & POLL_UPDATE_USER_DATA) {
      // The poll will complete under its new user_data, which another operation may have as well.
      this.#inFlight.add(words[at + SQE.off]!, words[at + SQE.off + 1]!);
    }
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

  /** Expect a completion with this user_data that no entry of this ring requested. */
  expect(low: number, high: number): void {
    this.#inFlight.add(low, high);
  }

  /** The last completion of an operation has come. */
  complete(low: number, high: number): void {
    const last = this.#inFlight.remove(low, high);
    if (last && this.#kept.size !== 0 && !this.#keepsAll) this.#kept.delete(joinUserData(low, high));
  }

  /** From now on completions prove nothing: buffers are kept until the ring is closed. */
  keepAll(): void {
    this.#keepsAll = true;
  }

  /** User_data that keep buffers, and queued entries with buffers. */
  get size(): number {
    return this.#kept.size + this.#queued.size;
  }
}
