import { SQE } from './structs.js';

const BUCKETS = 1024;

function bucketOf(low: number, high: number): number {
  return (Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 22) & (BUCKETS - 1);
}

/**
 * Keeps the buffers that the kernel uses in place alive until their operations have completed.
 *
 * A completion names its operation by user_data alone, which the caller chooses and may use twice. So
 * operations in flight are counted by a hash of it, and a bucket's buffers are let go when its count
 * comes back to zero. Sharing a bucket, or one user_data between many operations, keeps a buffer longer
 * than need be, and never shorter.
 */
export class Pins {
  /** Operations in flight, by bucket. */
  readonly #inFlight = new Int32Array(BUCKETS);
  readonly #kept = new Map<number, Set<ArrayBufferView>>();
  /** Buffers of entries that wait in the submission queue, by the entry's index. */
  readonly #queued = new Map<number, ArrayBufferView[]>();

  /** An entry that has not been submitted yet uses these buffers. */
  queue(index: number, buffers: ArrayBufferView[]): void {
    this.#queued.set(index, buffers);
  }

  /** The entry whose first word is `words[at]` now goes to the kernel. */
  submit(index: number, words: Int32Array, at: number): void {
    const bucket = bucketOf(words[at + SQE.userData]!, words[at + SQE.userData + 1]!);
    this.#inFlight[bucket]!++;
    if (this.#queued.size === 0) return;
    const buffers = this.#queued.get(index);
    if (buffers === undefined) return;
    this.#queued.delete(index);
    let kept = this.#kept.get(bucket);
    if (kept === undefined) {
      kept = new Set();
      this.#kept.set(bucket, kept);
    }
    for (const buffer of buffers) kept.add(buffer);
  }

  /** A completion with this user_data will come that no entry asked for. */
  expect(low: number, high: number): void {
    this.#inFlight[bucketOf(low, high)]!++;
  }

  /** The last completion of an operation has come. */
  complete(low: number, high: number): void {
    const bucket = bucketOf(low, high);
    const left = this.#inFlight[bucket]! - 1;
    // Another ring's message completes what was never submitted here.
    if (left < 0) return;
    this.#inFlight[bucket] = left;
    if (left === 0 && this.#kept.size !== 0) this.#kept.delete(bucket);
  }

  /** Buckets that hold buffers, and entries that wait with some. */
  get size(): number {
    return this.#kept.size + this.#queued.size;
  }
}
