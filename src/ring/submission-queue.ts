import * as abi from './abi.js';
import { type RingMemory, sqeShift } from './ring-memory.js';
import { PARAMS, SQ_OFF } from './structs.js';

const GONE = new Int32Array(0);

/**
 * The submission queue, as the kernel and we share it. We fill entries from `tail` on and publish them;
 * the kernel moves its head. All counters wrap at 2^32.
 */
export class SubmissionQueue {
  /** How many entries it holds. */
  readonly entries: number;
  readonly mask: number;
  /** Words of an entry, as a shift. */
  readonly shift: number;
  /** Where the next entry to be filled is. */
  tail: number;
  /** Up to where the kernel has been shown entries. */
  published: number;

  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #flagsAt: number;
  #words: Int32Array;
  #headSeen: number;

  constructor(memory: RingMemory, params: Buffer, flags: number) {
    const at = (field: number): number => params.readUInt32LE(PARAMS.sq_off + field) >> 2;
    const words = memory.words;
    this.#words = words;
    this.#headAt = at(SQ_OFF.head);
    this.#tailAt = at(SQ_OFF.tail);
    this.#flagsAt = at(SQ_OFF.flags);
    this.entries = params.readUInt32LE(PARAMS.sq_entries);
    this.mask = words[at(SQ_OFF.ring_mask)]!;
    this.shift = sqeShift(flags);
    // Not zero in a ring that was resized.
    this.tail = Atomics.load(words, this.#tailAt);
    this.published = this.tail;
    this.#headSeen = this.tail;
    if (!(flags & abi.SETUP_NO_SQARRAY)) {
      // Before 6.6 the queue is an array of indices; ours never changes.
      const array = at(SQ_OFF.array);
      for (let i = 0; i < this.entries; i++) words[array + i] = i;
    }
    this.look();
  }

  /** Whether `count` more entries can be filled, by what is known of the kernel's head. */
  hasRoom(count: number): boolean {
    return ((this.tail + count - this.#headSeen) | 0) <= this.entries;
  }

  /** Takes note of how far the kernel has come; returns how many entries it has yet to consume. */
  look(): number {
    this.#headSeen = Atomics.load(this.#words, this.#headAt);
    return (this.tail - this.#headSeen) | 0;
  }

  /** Shows the kernel what has been filled. */
  publish(): void {
    this.published = this.tail;
    Atomics.store(this.#words, this.#tailAt, this.tail);
  }

  /** SQ_ flags that the kernel sets. */
  get flags(): number {
    return Atomics.load(this.#words, this.#flagsAt);
  }

  /** After this it is full, and writes nowhere. */
  retire(): void {
    this.#words = GONE;
    this.#headSeen = (this.tail - this.entries) | 0;
  }
}
