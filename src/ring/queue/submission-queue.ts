import { stateError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { PARAMS, SQ_OFF } from '../abi/structs.js';
import { type RingMemory, sqeShift } from '../setup/ring-memory.js';
import { isWide } from '../sqe/core.js';
import type { Sqe } from '../sqe/index.js';
import type { Pins } from './pins.js';

const GONE = new Int32Array(0);

/**
 * The submission queue that we share with the kernel, and the cursor that fills its entries. We fill entries at `tail`
 * and publish them; the kernel moves the head. All counters wrap at 2^32.
 */
export class SubmissionQueue {
  /** The number of entries. */
  readonly entries: number;
  /** The index of the next entry to fill. */
  tail: number;
  /** The index up to which entries have been published to the kernel. */
  published: number;

  readonly #mask: number;
  /** Words per entry, as a shift. */
  readonly #shift: number;
  readonly #ringFlags: number;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #flagsAt: number;
  readonly #cursor: Sqe;
  readonly #pins: Pins | null;
  #words: Int32Array;
  #headSeen: number;

  /** @param pins keeps the buffers of entries alive; null if the owner does. */
  constructor(memory: RingMemory, params: Buffer, flags: number, cursor: Sqe, pins: Pins | null) {
    const at = (field: number): number => params.readUInt32LE(PARAMS.sq_off + field) >> 2;
    const words = memory.words;
    this.#words = words;
    this.#headAt = at(SQ_OFF.head);
    this.#tailAt = at(SQ_OFF.tail);
    this.#flagsAt = at(SQ_OFF.flags);
    this.entries = params.readUInt32LE(PARAMS.sq_entries);
    this.#mask = words[at(SQ_OFF.ring_mask)]!;
    this.#shift = sqeShift(flags);
    this.#ringFlags = flags;
    this.#cursor = cursor;
    this.#pins = pins;
    cursor.use(memory.sqes, this.#shift);
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

  /** Whether `count` more entries can be filled, according to the last known head. */
  hasRoom(count: number): boolean {
    return ((this.tail + count - this.#headSeen) | 0) <= this.entries;
  }

  /** Reads the kernel's head; returns the number of unconsumed entries. */
  look(): number {
    this.#headSeen = Atomics.load(this.#words, this.#headAt);
    return (this.tail - this.#headSeen) | 0;
  }

  /** Moves the cursor to the next entry. The queue must have room. */
  next(): Sqe {
    const cursor = this.#cursor;
    if (cursor.kept.length !== 0) this.#queueKept();
    const { tail } = this;
    this.tail = (tail + 1) | 0;
    cursor.moveTo((tail & this.#mask) << this.#shift);
    return cursor;
  }

  /** Slots that a 128-byte entry takes. It must not wrap, so the last slot of the queue may stay unused. */
  get wideEntries(): number {
    if (this.#ringFlags & abi.SETUP_SQE128) return 1;
    if (this.#ringFlags & abi.SETUP_SQE_MIXED) return (this.tail & this.#mask) === this.#mask ? 3 : 2;
    throw stateError('The ring was made without SETUP_SQE128 and SETUP_SQE_MIXED');
  }

  /** Moves the cursor to the next entry of 128 bytes. The queue must have room. */
  nextWide(): Sqe {
    const entries = this.wideEntries;
    if (entries === 1) return this.next();
    // A NOP that posts no completion, with a user_data of its own, fills the last slot.
    if (entries === 3) this.next().userDataWords(-1, -1).skipSuccess();
    const cursor = this.next();
    this.tail = (this.tail + 1) | 0;
    cursor.widen();
    return cursor;
  }

  /** Keeps the buffers of the cursor's entry, which is complete by now. */
  #queueKept(): void {
    const cursor = this.#cursor;
    this.#pins?.queue(cursor.at >> this.#shift, cursor.kept);
    cursor.kept = [];
  }

  /** Publishes the filled entries to the kernel; returns the number of unconsumed ones. */
  publish(): number {
    if (this.tail !== this.published) {
      if (this.#cursor.kept.length !== 0) this.#queueKept();
      if (this.#pins !== null) this.#pinPublished(this.#pins);
      this.published = this.tail;
      Atomics.store(this.#words, this.#tailAt, this.tail);
    }
    return this.look();
  }

  #pinPublished(pins: Pins): void {
    const mask = this.#mask;
    const shift = this.#shift;
    const { tail, published } = this;
    const { words } = this.#cursor;
    const mixed = (this.#ringFlags & abi.SETUP_SQE_MIXED) !== 0;
    for (let at = published; at !== tail; at = (at + 1) | 0) {
      const index = at & mask;
      pins.submit(index, words, index << shift);
      // In a mixed ring the second half of a wide entry is not an entry.
      if (mixed && isWide(words[index << shift]! & 0xff)) at = (at + 1) | 0;
    }
  }

  /** SQ_ flags that the kernel sets. */
  get flags(): number {
    return Atomics.load(this.#words, this.#flagsAt);
  }

  /** From now on it is full, and writes nothing. */
  retire(): void {
    this.#words = GONE;
    this.#headSeen = (this.tail - this.entries) | 0;
  }
}
