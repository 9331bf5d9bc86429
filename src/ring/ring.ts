import * as abi from './abi.js';
import { checkInt, checkU32 } from './check.js';
import { type Cqe, type CqeSink, joinUserData } from './cqe.js';
import { EAGAIN, EBUSY, EINTR, ENOSYS, EOPNOTSUPP, ETIME } from './errno.js';
import { argTypeError, closedError, systemError } from './errors.js';
import { type Libc, libc } from './libc.js';
import { Mapping } from './mapping.js';
import { Pins } from './pins.js';
import { Registrations } from './registrations.js';
import { Scratch } from './scratch.js';
import { type RingOptions, setupRing } from './setup.js';
import { Sqe } from './sqe/index.js';
import { CQ_OFF, CQE, PARAMS, SQ_OFF, SQE } from './structs.js';

const GONE = new Int32Array(0);
/** Buffers that the kernel may still write to although their ring is closed. */
const abandoned = new Set<Pins>();

/**
 * A submission queue and a completion queue shared with the kernel, io_uring(7).
 *
 * Entries are filled through `getSqe()` and reach the kernel with `submit()`; completions come back
 * through `copyCqes()`. One thread uses a ring; there may be many rings.
 */
export class Ring extends Registrations {
  /** The ring's descriptor; it is readable while completions wait. -1 once closed. */
  fd: number;
  /** The SETUP_ flags that the kernel agreed to. */
  readonly flags: number;
  /** The FEAT_ flags of this kernel. */
  readonly features: number;
  /** How many entries the submission queue holds. */
  readonly sqEntries: number;
  /** How many entries the completion queue holds; the kernel keeps what comes beyond. */
  readonly cqEntries: number;
  /** How many times io_uring_enter(2) was called. */
  enters = 0;

  readonly #libc: Libc;
  readonly #rings: Mapping;
  readonly #sqes: Mapping;
  /** @internal What entries point at until they are submitted. */
  readonly scratch = new Scratch();
  /** @internal While above 0, scratch memory is not taken back: an entry is being prepared elsewhere. */
  scratchHolds = 0;
  /** @internal null where the owner keeps buffers alive itself. */
  readonly pins: Pins | null;
  readonly #sqe: Sqe;

  // The mapped queues in 32-bit words, and where in them things are.
  #words: Int32Array;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #sqMask: number;
  readonly #sqeShift: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqOverflow: number;
  readonly #cqFlags: number;
  readonly #cqes: number;
  readonly #cqeShift: number;

  // Our ends of the queues; all wrap at 2^32.
  #tail = 0;
  #published = 0;
  #headSeen = 0;
  #cqHeadLocal = 0;

  /**
   * @param entries the size of the submission queue: rounded up to a power of two, at most 32768.
   * @throws UasyncError ERR_IO_URING_UNAVAILABLE with cause and cure where the kernel refuses io_uring;
   * the kernel's error (EINVAL, ENOMEM …) otherwise.
   */
  constructor(entries: number, options: RingOptions = {}, keepBuffers = true) {
    super();
    if (typeof options !== 'object' || options === null) throw argTypeError('options', 'an object', options);
    this.#libc = libc();
    const { fd, params } = setupRing(entries, options);
    this.fd = fd;
    this.flags = params.readUInt32LE(PARAMS.flags);
    this.features = params.readUInt32LE(PARAMS.features);
    this.sqEntries = params.readUInt32LE(PARAMS.sq_entries);
    this.cqEntries = params.readUInt32LE(PARAMS.cq_entries);
    this.#sqeShift = this.flags & abi.SETUP_SQE128 ? 5 : 4;
    this.#cqeShift = this.flags & abi.SETUP_CQE32 ? 3 : 2;

    const sq = (field: number): number => params.readUInt32LE(PARAMS.sq_off + field);
    const cq = (field: number): number => params.readUInt32LE(PARAMS.cq_off + field);
    const sqBytes = sq(SQ_OFF.array) + (this.flags & abi.SETUP_NO_SQARRAY ? 0 : this.sqEntries * 4);
    const cqBytes = cq(CQ_OFF.cqes) + (this.cqEntries << this.#cqeShift) * 4;
    try {
      if (!(this.features & abi.FEAT_SINGLE_MMAP)) throw systemError(ENOSYS, 'io_uring_setup');
      this.#rings = Mapping.ofRing(fd, Math.max(sqBytes, cqBytes), abi.OFF_SQ_RING);
      this.#sqes = Mapping.ofRing(fd, (this.sqEntries << this.#sqeShift) * 4, abi.OFF_SQES);
    } catch (error) {
      this.#libc.close(fd);
      throw error;
    }

    this.#libc.closeAtExit(fd);
    const words = new Int32Array(this.#rings.buffer);
    this.#words = words;
    this.#sqHead = sq(SQ_OFF.head) >> 2;
    this.#sqTail = sq(SQ_OFF.tail) >> 2;
    this.#sqFlags = sq(SQ_OFF.flags) >> 2;
    this.#sqMask = words[sq(SQ_OFF.ring_mask) >> 2]!;
    this.#cqHead = cq(CQ_OFF.head) >> 2;
    this.#cqTail = cq(CQ_OFF.tail) >> 2;
    this.#cqMask = words[cq(CQ_OFF.ring_mask) >> 2]!;
    this.#cqOverflow = cq(CQ_OFF.overflow) >> 2;
    this.#cqFlags = cq(CQ_OFF.flags) >> 2;
    this.#cqes = cq(CQ_OFF.cqes) >> 2;
    if (!(this.flags & abi.SETUP_NO_SQARRAY)) {
      // Before 6.6 the queue is an array of indices; ours never changes.
      const array = sq(SQ_OFF.array) >> 2;
      for (let i = 0; i < this.sqEntries; i++) words[array + i] = i;
    }
    this.pins = keepBuffers ? new Pins() : null;
    this.#sqe = new Sqe(this.scratch);
    this.#sqe.words = new Int32Array(this.#sqes.buffer);
  }

  #assertOpen(): void {
    if (this.fd < 0) throw closedError('The ring');
  }

  // --- Submission -------------------------------------------------------------------------------

  /**
   * The next free entry, a NOP with user_data 0 until it is filled, or null when the queue is full:
   * `submit()` makes room. It is the same cursor every time. io_uring_get_sqe(3)
   */
  getSqe(): Sqe | null {
    const tail = this.#tail;
    if (((tail - this.#headSeen) | 0) >= this.sqEntries) {
      if (this.fd < 0) this.#assertOpen();
      this.#headSeen = Atomics.load(this.#words, this.#sqHead);
      if (((tail - this.#headSeen) | 0) >= this.sqEntries) return null;
    }
    const sqe = this.#sqe;
    if (sqe.kept.length !== 0) this.#queueKept();
    this.#tail = (tail + 1) | 0;
    sqe.moveTo((tail & this.#sqMask) << this.#sqeShift);
    return sqe;
  }

  /** Entries filled and not yet consumed by the kernel. io_uring_sq_ready(3) */
  get sqReady(): number {
    this.#assertOpen();
    return (this.#tail - Atomics.load(this.#words, this.#sqHead)) | 0;
  }

  /** Entries that `getSqe()` can still give. io_uring_sq_space_left(3) */
  get sqSpaceLeft(): number {
    return this.sqEntries - this.sqReady;
  }

  /** Buffers named by the entry the cursor is on, now that it is known to be complete. */
  #queueKept(): void {
    const sqe = this.#sqe;
    this.pins?.queue((this.#tail - 1) & this.#sqMask, sqe.kept);
    sqe.kept = [];
  }

  /** Shows the kernel the new tail; returns how many entries it has yet to consume. */
  #publish(): number {
    const tail = this.#tail;
    if (tail !== this.#published) {
      if (this.#sqe.kept.length !== 0) this.#queueKept();
      if (this.pins !== null) {
        const words = this.#sqe.words;
        for (let at = this.#published; at !== tail; at = (at + 1) | 0) {
          const index = at & this.#sqMask;
          this.pins.submit(index, words, index << this.#sqeShift);
        }
      }
      this.#published = tail;
      Atomics.store(this.#words, this.#sqTail, tail);
    }
    return (tail - Atomics.load(this.#words, this.#sqHead)) | 0;
  }

  /**
   * Gives the filled entries to the kernel; with `waitNr` it also waits until that many completions are
   * there. Returns how many entries the kernel took. It takes fewer, and the rest stay queued, when it is
   * out of memory (EAGAIN) or wants completions reaped first (EBUSY), or at an entry that is itself
   * wrong, unless SETUP_SUBMIT_ALL is set. io_uring_submit(3), io_uring_submit_and_wait(3)
   */
  submit(waitNr = 0): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    this.#assertOpen();
    return this.#enter(this.#publish(), waitNr, waitNr > 0);
  }

  /**
   * Gives the filled entries to the kernel and has it post what has completed, overflow included,
   * without waiting. One system call. io_uring_submit_and_get_events(3)
   */
  submitAndGetEvents(): number {
    if (this.fd < 0) this.#assertOpen();
    return this.#enter(this.#publish(), 0, true);
  }

  /**
   * As `submit(waitNr)`, but waits for at most `timeoutMs` milliseconds.
   * io_uring_submit_and_wait_timeout(3), 5.11
   */
  submitAndWaitTimeout(waitNr: number, timeoutMs: number): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    this.#assertOpen();
    const toSubmit = this.#publish();
    const at = this.#sqe.timespec(timeoutMs);
    const arg = Buffer.alloc(24);
    arg.writeBigUInt64LE(BigInt(at), 16);
    this.enters++;
    const flags = abi.ENTER_GETEVENTS | abi.ENTER_EXT_ARG | this.#wakeFlag(toSubmit);
    const taken = this.#libc.ioUringEnterArg(this.fd, toSubmit, waitNr, flags, arg);
    this.#recycleScratch();
    if (taken >= 0) return taken;
    if (taken === ETIME || taken === EINTR || taken === EAGAIN || taken === EBUSY) return 0;
    throw systemError(taken, 'io_uring_enter');
  }

  #wakeFlag(toSubmit: number): number {
    if (!(this.flags & abi.SETUP_SQPOLL) || toSubmit === 0) return 0;
    return Atomics.load(this.#words, this.#sqFlags) & abi.SQ_NEED_WAKEUP ? abi.ENTER_SQ_WAKEUP : 0;
  }

  #enter(toSubmit: number, waitNr: number, getEvents: boolean): number {
    let flags = getEvents ? abi.ENTER_GETEVENTS : 0;
    if (this.flags & abi.SETUP_SQPOLL) {
      // The kernel's thread takes the entries; it only has to be awake.
      flags |= this.#wakeFlag(toSubmit);
      if (flags === 0) {
        this.#recycleScratch();
        return toSubmit;
      }
    } else if (toSubmit === 0 && !getEvents) {
      return 0;
    }
    const submitted = 0;
    for (;;) {
      this.enters++;
      const taken = this.#libc.ioUringEnter(this.fd, toSubmit - submitted, waitNr, flags);
      if (taken >= 0) {
        this.#recycleScratch();
        return submitted + taken;
      }
      if (taken === EINTR && waitNr > 0) continue;
      if (taken === EINTR || taken === EAGAIN || taken === EBUSY) return submitted;
      throw systemError(taken, 'io_uring_enter');
    }
  }

  /** What scratch memory holds has been copied once the queue is consumed. */
  #recycleScratch(): void {
    const head = Atomics.load(this.#words, this.#sqHead);
    this.#headSeen = head;
    if (head === this.#tail && this.scratchHolds === 0) this.scratch.reset();
  }

  // --- Completion -------------------------------------------------------------------------------

  /** Completions that wait in the queue, without those that overflowed. io_uring_cq_ready(3) */
  get cqReady(): number {
    if (this.fd < 0) this.#assertOpen();
    return (Atomics.load(this.#words, this.#cqTail) - this.#cqHeadLocal) | 0;
  }

  /** Whether completions wait in the kernel for room in the queue. io_uring_cq_has_overflow(3) */
  get cqHasOverflow(): boolean {
    this.#assertOpen();
    return (Atomics.load(this.#words, this.#sqFlags) & abi.SQ_CQ_OVERFLOW) !== 0;
  }

  /** Completions that the kernel lost for want of memory: 0 on every kernel with FEAT_NODROP. */
  get cqDropped(): number {
    this.#assertOpen();
    return this.#words[this.#cqOverflow]! >>> 0;
  }

  /**
   * Hands all completions in the queue to `sink`, those that overflowed included, and returns how many.
   * The sink may submit, and may reap again.
   */
  reap(sink: CqeSink): number {
    if (this.fd < 0) this.#assertOpen();
    let count = 0;
    for (;;) {
      count += this.#drain(sink);
      const words = this.#words;
      if (this.fd < 0) return count;
      if (!(Atomics.load(words, this.#sqFlags) & abi.SQ_CQ_OVERFLOW)) return count;
      this.#enter(0, 0, true);
      if (Atomics.load(words, this.#cqTail) === this.#cqHeadLocal) return count;
    }
  }

  #drain(sink: CqeSink): number {
    const words = this.#words;
    const tail = Atomics.load(words, this.#cqTail);
    let count = 0;
    try {
      // The local head moves before the sink runs, so that a reap inside it goes on from there.
      while (this.#cqHeadLocal !== tail && this.fd >= 0) {
        const head = this.#cqHeadLocal;
        const at = this.#cqes + ((head & this.#cqMask) << this.#cqeShift);
        const low = words[at]!;
        const high = words[at + 1]!;
        const res = words[at + 2]!;
        const flags = words[at + 3]!;
        this.#cqHeadLocal = (head + 1) | 0;
        count++;
        if (this.pins !== null && !(flags & abi.CQE_F_MORE)) this.pins.complete(low, high);
        sink.onCqe(low, high, res, flags);
        if (((tail - this.#cqHeadLocal) | 0) < 0) break;
      }
    } finally {
      // Also if the sink throws: what it has seen is not seen again.
      if (count !== 0 && this.fd >= 0) Atomics.store(words, this.#cqHead, this.#cqHeadLocal);
    }
    return count;
  }

  /** Calls `fn` with each completion in the queue, then consumes them. io_uring_for_each_cqe(3) */
  forEachCqe(fn: (cqe: Cqe) => void): number {
    return this.reap({
      onCqe: (low, high, res, flags) => fn({ userData: joinUserData(low, high), res, flags }),
    });
  }

  /**
   * Takes completions out of the queue.
   * @param waitNr how many to wait for at least; 0 takes what is there.
   */
  copyCqes(waitNr?: number): Cqe[];
  /**
   * Takes completions out of the queue into the objects of `into`, at most as many as it has.
   * Returns how many.
   */
  copyCqes(into: Cqe[], waitNr?: number): number;
  copyCqes(into: number | Cqe[] = 0, waitNr = 0): Cqe[] | number {
    if (!Array.isArray(into)) return this.#copyNew(into);
    checkInt('waitNr', waitNr, 0, into.length);
    this.#waitFor(waitNr);
    let count = 0;
    while (count < into.length && this.#copyOne(into, count)) count++;
    if (count !== 0) Atomics.store(this.#words, this.#cqHead, this.#cqHeadLocal);
    return count;
  }

  #copyNew(waitNr: number): Cqe[] {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    this.#waitFor(waitNr);
    const cqes: Cqe[] = [];
    this.forEachCqe(cqe => cqes.push(cqe));
    return cqes;
  }

  /** Blocks until `count` completions are there; entries filled before are not submitted. */
  #waitFor(count: number): void {
    if (count > this.cqEntries) checkInt('waitNr', count, 0, this.cqEntries);
    if (this.cqReady < count) this.#enter(0, count, true);
    else if (this.cqReady === 0 && this.cqHasOverflow) this.#enter(0, 0, true);
  }

  #copyOne(into: Cqe[], index: number): boolean {
    const words = this.#words;
    const head = this.#cqHeadLocal;
    if (head === Atomics.load(words, this.#cqTail)) return false;
    const at = this.#cqes + ((head & this.#cqMask) << this.#cqeShift);
    const cqe = into[index] ?? { userData: 0, res: 0, flags: 0 };
    into[index] = cqe;
    cqe.userData = joinUserData(words[at]!, words[at + 1]!);
    cqe.res = words[at + 2]!;
    cqe.flags = words[at + 3]!;
    this.#cqHeadLocal = (head + 1) | 0;
    if (this.pins !== null && !(cqe.flags & abi.CQE_F_MORE)) {
      this.pins.complete(words[at]!, words[at + 1]!);
    }
    return true;
  }

  /** Whether completions count on a registered eventfd; they do at first. io_uring_cq_eventfd_toggle(3), 5.8 */
  cqEventfdToggle(enabled: boolean): void {
    this.#assertOpen();
    if (this.#cqFlags === 0) throw systemError(EOPNOTSUPP, 'io_uring_cq_eventfd_toggle');
    const flags = Atomics.load(this.#words, this.#cqFlags) & ~abi.CQ_EVENTFD_DISABLED;
    Atomics.store(this.#words, this.#cqFlags, enabled ? flags : flags | abi.CQ_EVENTFD_DISABLED);
  }

  // --- Registration and the end -----------------------------------------------------------------

  /** @internal */
  override register(opcode: number, arg: Uint8Array | null, count: number): number {
    this.#assertOpen();
    checkU32('opcode', opcode);
    return this.#libc.ioUringRegister(this.fd, opcode, arg, count);
  }

  /**
   * Closes the ring: the kernel cancels what is in flight. A second call does nothing. Buffers that
   * operations still used are never freed, since the kernel cancels those behind our back: cancel and
   * reap first where that matters. io_uring_queue_exit(3)
   */
  close(): void {
    if (this.fd < 0) return;
    const fd = this.fd;
    if (this.pins !== null && this.pins.size !== 0) abandoned.add(this.pins);
    this.fd = -1;
    this.#headSeen = (this.#tail - this.sqEntries) | 0;
    this.#sqe.retire();
    this.#words = GONE;
    this.#libc.keepAtExit(fd);
    this.#libc.close(fd);
    this.#rings.unmap();
    this.#sqes.unmap();
    this.scratch.unmap();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

// The layout that the hot paths above hard-code.
if (CQE.size !== 16 || SQE.size !== 64) throw new Error('unexpected ABI');
