import { EOPNOTSUPP } from '../../sys/abi/errno.js';
import { systemError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { CQ_OFF, CQE, PARAMS } from '../abi/structs.js';
import { cqeShift, type RingMemory } from '../setup/ring-memory.js';
import { type Cqe, type CqeSink, joinUserData } from './cqe.js';
import type { Pins } from './pins.js';

const GONE = new Int32Array(0);

/**
 * The completion queue that we share with the kernel: the kernel moves the tail, we move the head. Both wrap at 2^32. A
 * completion takes one slot. In a ring with SETUP_CQE_MIXED a completion with CQE_F_32 takes two.
 */
export class CompletionQueue {
  /** The number of slots. */
  readonly entries: number;
  readonly #pins: Pins | null;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #overflowAt: number;
  readonly #flagsAt: number;
  readonly #cqesAt: number;
  readonly #mask: number;
  /** Words per slot, as a shift. */
  readonly #shift: number;
  /** The flags that mark a completion of two slots; 0 where all have one size. */
  readonly #twice: number;
  #words: Int32Array;
  #head: number;

  /** `pins` releases the buffers of completed operations. */
  constructor(memory: RingMemory, params: Buffer, flags: number, pins: Pins | null) {
    const at = (field: number): number => params.readUInt32LE(PARAMS.cq_off + field) >> 2;
    const words = memory.words;
    this.#words = words;
    this.#pins = pins;
    this.#headAt = at(CQ_OFF.head);
    this.#tailAt = at(CQ_OFF.tail);
    this.#overflowAt = at(CQ_OFF.overflow);
    this.#flagsAt = at(CQ_OFF.flags);
    this.#cqesAt = at(CQ_OFF.cqes);
    this.entries = params.readUInt32LE(PARAMS.cq_entries);
    this.#mask = words[at(CQ_OFF.ring_mask)]!;
    this.#shift = cqeShift(flags);
    this.#twice = flags & abi.SETUP_CQE_MIXED ? abi.CQE_F_32 : 0;
    // Not zero in a ring that was resized.
    this.#head = Atomics.load(words, this.#headAt);
  }

  /** Slots that wait to be reaped. */
  get ready(): number {
    return (Atomics.load(this.#words, this.#tailAt) - this.#head) | 0;
  }

  /** The queues in 32-bit words. */
  get words(): Int32Array {
    return this.#words;
  }

  /** The index in `words` of the next completion; -1 when the queue has no room for one. */
  get nextAt(): number {
    this.publish();
    const tail = Atomics.load(this.#words, this.#tailAt);
    return ((tail - this.#head) | 0) >= this.entries
      ? -1
      : this.#cqesAt + ((tail & this.#mask) << this.#shift);
  }

  /** Completions that the kernel has lost. */
  get dropped(): number {
    return this.#words[this.#overflowAt]! >>> 0;
  }

  /** Returns the slots of reaped completions to the kernel. */
  publish(): void {
    if (this.#words !== GONE) Atomics.store(this.#words, this.#headAt, this.#head);
  }

  /** The index up to which completions can be reaped now. */
  #tail(): number {
    const tail = Atomics.load(this.#words, this.#tailAt);
    // 6.18 miscounts when a two-slot completion finds one slot left: an old completion may appear again.
    if (this.#twice !== 0 && ((tail - this.#head) | 0) >= this.entries - 1) this.#pins?.keepAll();
    return tail;
  }

  /** Takes the next completion before `tail`. Returns the index of its words, or -1. */
  #take(tail: number): number {
    for (;;) {
      const head = this.#head;
      if (((tail - head) | 0) <= 0 || this.#words === GONE) return -1;
      const at = this.#cqesAt + ((head & this.#mask) << this.#shift);
      const flags = this.#words[at + 3]!;
      this.#head = (head + (flags & this.#twice ? 2 : 1)) | 0;
      if (flags & abi.CQE_F_SKIP) continue;
      if (this.#pins !== null && !(flags & abi.CQE_F_MORE)) {
        this.#pins.complete(this.#words[at]!, this.#words[at + 1]!);
      }
      return at;
    }
  }

  /**
   * Passes all waiting completions to `sink`; returns their number. The sink may close or resize the ring, or drain it.
   */
  drain(sink: CqeSink): number {
    const words = this.#words;
    const tail = this.#tail();
    let count = 0;
    try {
      // The head moves before the sink runs, so that a nested drain continues from there.
      for (let at = this.#take(tail); at >= 0; at = this.#take(tail)) {
        count++;
        sink.onCqe(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      }
    } finally {
      // Also when the sink throws: it does not see the same completions again.
      if (count !== 0) this.publish();
    }
    return count;
  }

  /** Copies one completion into `cqe`; false when there is none. Does not return its slot yet. */
  next(cqe: Cqe): boolean {
    const words = this.#words;
    const at = this.#take(this.#tail());
    if (at < 0) return false;
    cqe.userData = joinUserData(words[at]!, words[at + 1]!);
    cqe.res = words[at + 2]!;
    cqe.flags = words[at + 3]!;
    if (this.#shift === 3 || cqe.flags & this.#twice) {
      cqe.bigCqe = [
        joinUserData(words[at + 4]!, words[at + 5]!),
        joinUserData(words[at + 6]!, words[at + 7]!),
      ];
    } else if (cqe.bigCqe !== undefined) {
      delete cqe.bigCqe;
    }
    return true;
  }

  /** Whether completions signal a registered eventfd. */
  toggleEventfd(enabled: boolean): void {
    if (this.#flagsAt === 0) throw systemError(EOPNOTSUPP, 'io_uring_cq_eventfd_toggle');
    const flags = Atomics.load(this.#words, this.#flagsAt) & ~abi.CQ_EVENTFD_DISABLED;
    Atomics.store(this.#words, this.#flagsAt, enabled ? flags : flags | abi.CQ_EVENTFD_DISABLED);
  }

  get eventfdEnabled(): boolean {
    return !(Atomics.load(this.#words, this.#flagsAt) & abi.CQ_EVENTFD_DISABLED);
  }

  /** Leaves the queue empty for good. */
  retire(): void {
    this.#words = GONE;
  }
}

// The layout that `#take` hard-codes.
if (CQE.size !== 16) throw new Error('unexpected ABI');
