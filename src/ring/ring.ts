import * as abi from './abi.js';
import { checkDuration, checkFunction, checkInt, microseconds } from './check.js';
import { CompletionQueue } from './completion-queue.js';
import type { Cqe, CqeSink } from './cqe.js';
import { EAGAIN, EBUSY, EINTR, EINVAL, EOPNOTSUPP, ETIME } from './errno.js';
import { argTypeError, stateError, systemError } from './errors.js';
import type { Mapping } from './mapping.js';
import { Pins } from './pins.js';
import { Registrations } from './registrations.js';
import { RingHandle } from './ring-handle.js';
import { RingMemory } from './ring-memory.js';
import { Scratch } from './scratch.js';
import { type RingOptions, resizeParams, setupRing } from './setup.js';
import { Sqe } from './sqe/index.js';
import { GETEVENTS_ARG, PARAMS, REG_WAIT } from './structs.js';
import { SubmissionQueue } from './submission-queue.js';

/**
 * Rings whose memory the kernel may write to: all open ones, and closed ones with operations that it was
 * not known to be done with. A ring that is dropped without `close()` must not be collected.
 */
const held = new Set<Ring>();

/** The kernel has given out this descriptor: a ring of ours that has it was closed by other code. */
function takeFromLost(fd: number): void {
  for (const ring of held) if (ring.fd === fd) ring.lose();
}

/**
 * A submission queue and a completion queue shared with the kernel, io_uring(7).
 *
 * Entries are filled through `getSqe()` and reach the kernel with `submit()`; completions come back
 * through `copyCqes()`. One thread uses a ring; there may be many rings.
 */
export class Ring extends Registrations {
  /** The SETUP_ flags that the kernel agreed to. */
  readonly flags: number;
  /** The FEAT_ flags of this kernel. */
  readonly features: number;

  readonly #handle: RingHandle;
  #memory: RingMemory;
  #sq: SubmissionQueue;
  #cq: CompletionQueue;
  /** @internal What entries point at until they are submitted. */
  readonly scratch = new Scratch();
  /** @internal While above 0, scratch memory is not taken back: an entry is being prepared elsewhere. */
  scratchHolds = 0;
  /** @internal null where the owner keeps buffers alive itself. */
  readonly pins: Pins | null;
  readonly #sqe: Sqe;
  /** @internal Memory that goes with the ring. */
  readonly owned: Mapping[] = [];

  /**
   * @param entries the size of the submission queue: rounded up to a power of two, at most 32768.
   * @throws UasyncError ERR_IO_URING_UNAVAILABLE with cause and cure where the kernel refuses io_uring;
   * the kernel's error (EINVAL, ENOMEM …) otherwise.
   */
  constructor(entries: number, options: RingOptions = {}, keepBuffers = true) {
    super();
    if (typeof options !== 'object' || options === null) throw argTypeError('options', 'an object', options);
    const { fd, params, memory } = setupRing(entries, options);
    this.flags = params.readUInt32LE(PARAMS.flags);
    this.features = params.readUInt32LE(PARAMS.features);
    if (!(this.flags & abi.SETUP_REGISTERED_FD_ONLY)) takeFromLost(fd);
    held.add(this);
    this.#handle = new RingHandle(fd, this.flags, this.features);
    this.pins = keepBuffers ? new Pins() : null;
    this.#memory = memory;
    this.#sq = new SubmissionQueue(memory, params, this.flags);
    this.#cq = new CompletionQueue(memory, params, this.flags, this.pins);
    this.#sqe = new Sqe(this.scratch);
    this.#sqe.use(memory.sqes, this.#sq.shift);
  }

  #assertOpen(): void {
    this.#handle.assertOpen();
  }

  /**
   * The ring's descriptor; it is readable while completions wait. -1 once closed, and in a ring that has
   * none (SETUP_REGISTERED_FD_ONLY).
   */
  get fd(): number {
    return this.#handle.fd;
  }

  /** Whether `close()` has been called, or other code has closed the descriptor and a new ring has it. */
  get closed(): boolean {
    return this.#handle.closed;
  }

  /** How many times io_uring_enter(2) was called. */
  get enters(): number {
    return this.#handle.enters;
  }

  /** How many entries the submission queue holds. */
  get sqEntries(): number {
    return this.#sq.entries;
  }

  /** How many entries the completion queue holds; the kernel keeps what comes beyond. */
  get cqEntries(): number {
    return this.#cq.entries;
  }

  // --- Submission -------------------------------------------------------------------------------

  /**
   * The next free entry, a NOP with user_data 0 until it is filled, or null when the queue is full:
   * `submit()` makes room. It is the same cursor every time. io_uring_get_sqe(3)
   */
  getSqe(): Sqe | null {
    const sq = this.#sq;
    if (!sq.hasRoom(1) && !this.#makeRoom(1)) return null;
    const sqe = this.#sqe;
    if (sqe.kept.length !== 0) this.#queueKept();
    const tail = sq.tail;
    sq.tail = (tail + 1) | 0;
    sqe.moveTo((tail & sq.mask) << sq.shift);
    return sqe;
  }

  /**
   * As `getSqe()`, an entry of 128 bytes, for `uringCmd128` and `nop128`. The ring has SETUP_SQE_MIXED
   * (6.19), where such an entry takes the place of two, or SETUP_SQE128. io_uring_get_sqe128(3)
   */
  getSqe128(): Sqe | null {
    this.#assertOpen();
    const sq = this.#sq;
    if (!(this.flags & (abi.SETUP_SQE128 | abi.SETUP_SQE_MIXED))) {
      throw stateError('The ring was made without SETUP_SQE128 and SETUP_SQE_MIXED');
    }
    if (this.flags & abi.SETUP_SQE128) return this.getSqe();
    if (sq.entries < 2) return null;
    // It must not wrap: the last place of the queue is left to a NOP that says nothing.
    const last = (sq.tail & sq.mask) === sq.mask;
    if (!sq.hasRoom(last ? 3 : 2) && !this.#makeRoom(last ? 3 : 2)) return null;
    // With a user_data of its own: it never completes.
    if (last) this.getSqe()!.userDataWords(-1, -1).skipSuccess();
    this.getSqe();
    sq.tail = (sq.tail + 1) | 0;
    this.#sqe.widen();
    return this.#sqe;
  }

  #makeRoom(count: number): boolean {
    this.#assertOpen();
    this.#sq.look();
    return this.#sq.hasRoom(count);
  }

  /** Entries filled and not yet consumed by the kernel. io_uring_sq_ready(3) */
  get sqReady(): number {
    this.#assertOpen();
    return this.#sq.look();
  }

  /** Entries that `getSqe()` can still give. io_uring_sq_space_left(3) */
  get sqSpaceLeft(): number {
    return this.sqEntries - this.sqReady;
  }

  /** Buffers named by the entry the cursor is on, now that it is known to be complete. */
  #queueKept(): void {
    const sqe = this.#sqe;
    this.pins?.queue(sqe.at >> this.#sq.shift, sqe.kept);
    sqe.kept = [];
  }

  /** Shows the kernel the new tail; returns how many entries it has yet to consume. */
  #publish(): number {
    const sq = this.#sq;
    if (sq.tail !== sq.published) {
      if (this.#sqe.kept.length !== 0) this.#queueKept();
      if (this.pins !== null) this.#pinPublished(this.pins);
      sq.publish();
    }
    return sq.look();
  }

  #pinPublished(pins: Pins): void {
    const { mask, shift, tail, published } = this.#sq;
    const words = this.#sqe.words;
    const mixed = (this.flags & abi.SETUP_SQE_MIXED) !== 0;
    for (let at = published; at !== tail; at = (at + 1) | 0) {
      const index = at & mask;
      pins.submit(index, words, index << shift);
      // The second half of a wide entry in a mixed ring is no entry.
      if (mixed && isWide(words[index << shift]! & 0xff)) at = (at + 1) | 0;
    }
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
    this.#assertOpen();
    return this.#enter(this.#publish(), 0, true);
  }

  /**
   * As `submit(waitNr)`, but waits for at most `timeoutMs` milliseconds. With `minWaitMs` it returns after
   * that long if at least one completion is there (6.12).
   * io_uring_submit_and_wait_timeout(3), 5.11; io_uring_submit_and_wait_min_timeout(3)
   */
  submitAndWaitTimeout(waitNr: number, timeoutMs: number, minWaitMs = 0): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    checkDuration('timeoutMs', timeoutMs);
    const minWait = microseconds('minWaitMs', minWaitMs);
    this.#assertOpen();
    const toSubmit = this.#publish();
    const arg = Buffer.alloc(GETEVENTS_ARG.size);
    arg.writeUInt32LE(minWait, GETEVENTS_ARG.min_wait_usec);
    arg.writeBigUInt64LE(BigInt(this.#sqe.timespec(timeoutMs)), GETEVENTS_ARG.ts);
    const flags = abi.ENTER_GETEVENTS | abi.ENTER_EXT_ARG | this.#wakeFlag(toSubmit);
    return this.#waited(this.#handle.enterArg(toSubmit, waitNr, flags, arg));
  }

  /**
   * As `submitAndWaitTimeout`, with what entry `index` of the ring's `WaitRegion` says: the kernel copies
   * nothing. io_uring_submit_and_wait_reg(3), 6.13
   */
  submitAndWaitReg(waitNr: number, index: number): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    checkInt('index', index, 0, 0xffff);
    this.#assertOpen();
    const toSubmit = this.#publish();
    const wait = abi.ENTER_GETEVENTS | abi.ENTER_EXT_ARG | abi.ENTER_EXT_ARG_REG;
    const flags = wait | this.#wakeFlag(toSubmit);
    const offset = index * REG_WAIT.size;
    return this.#waited(this.#handle.enter(toSubmit, waitNr, flags, offset, REG_WAIT.size));
  }

  /** What a wait that may run out has taken. */
  #waited(taken: number): number {
    this.#recycleScratch();
    if (taken >= 0) return taken;
    if (taken === ETIME || taken === EINTR || taken === EAGAIN || taken === EBUSY) return 0;
    throw systemError(taken, 'io_uring_enter');
  }

  #wakeFlag(toSubmit: number): number {
    if (!(this.flags & abi.SETUP_SQPOLL) || toSubmit === 0) return 0;
    return this.#sq.flags & abi.SQ_NEED_WAKEUP ? abi.ENTER_SQ_WAKEUP : 0;
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
    for (;;) {
      const taken = this.#handle.enter(toSubmit, waitNr, flags);
      if (taken >= 0) {
        this.#recycleScratch();
        return taken;
      }
      if (taken === EINTR && waitNr > 0) continue;
      if (taken === EINTR || taken === EAGAIN || taken === EBUSY) return 0;
      throw systemError(taken, 'io_uring_enter');
    }
  }

  /**
   * Waits until the SQPOLL thread has made room in a full submission queue; other rings do not wait.
   * io_uring_sqring_wait(3), 5.10
   */
  sqringWait(): void {
    this.#assertOpen();
    if (!(this.flags & abi.SETUP_SQPOLL) || this.sqSpaceLeft > 0) return;
    const failed = this.#handle.enter(0, 0, abi.ENTER_SQ_WAIT);
    if (failed < 0 && failed !== EINTR) throw systemError(failed, 'io_uring_enter');
    this.#recycleScratch();
  }

  /** Whether waits count as iowait, as they do at first. io_uring_set_iowait(3), 6.15 */
  setIowait(enabled: boolean): void {
    this.#assertOpen();
    if (!(this.features & abi.FEAT_NO_IOWAIT)) throw systemError(EOPNOTSUPP, 'io_uring_set_iowait');
    this.#handle.setIowait(enabled);
  }

  /** What scratch memory holds has been copied once the queue is consumed. */
  #recycleScratch(): void {
    if (this.#sq.look() === 0 && this.scratchHolds === 0) this.scratch.reset();
  }

  // --- Completion -------------------------------------------------------------------------------

  /**
   * Completions that wait in the queue, without those that overflowed. In a ring with SETUP_CQE_MIXED,
   * the slots they take. io_uring_cq_ready(3)
   */
  get cqReady(): number {
    this.#assertOpen();
    return this.#cq.ready;
  }

  /** Whether completions wait in the kernel for room in the queue. io_uring_cq_has_overflow(3) */
  get cqHasOverflow(): boolean {
    this.#assertOpen();
    return (this.#sq.flags & abi.SQ_CQ_OVERFLOW) !== 0;
  }

  /** Completions that the kernel lost for want of memory: 0 on every kernel with FEAT_NODROP. */
  get cqDropped(): number {
    this.#assertOpen();
    return this.#cq.dropped;
  }

  /**
   * Hands all completions in the queue to `sink`, those that overflowed included, and returns how many.
   * The sink may submit, reap again, and close or resize the ring.
   */
  reap(sink: CqeSink): number {
    this.#assertOpen();
    let count = 0;
    for (;;) {
      count += this.#cq.drain(sink);
      if (this.closed) return count;
      if (!(this.#sq.flags & abi.SQ_CQ_OVERFLOW)) return count;
      this.#enter(0, 0, true);
      if (this.#cq.ready === 0) return count;
    }
  }

  /**
   * Calls `fn` with each completion in the queue, those that overflowed included; returns how many.
   * io_uring_for_each_cqe(3)
   */
  forEachCqe(fn: (cqe: Cqe) => void): number {
    checkFunction('fn', fn);
    let count = 0;
    do {
      this.#waitFor(0);
      // No more than are there now: `fn` may submit.
      for (let left = this.#cq.ready; left > 0 && !this.closed; left--) {
        const cqe = emptyCqe();
        if (!this.#cq.next(cqe)) break;
        // Given back one by one, so that what `fn` throws leaves the rest in the queue.
        this.#cq.publish();
        count++;
        fn(cqe);
      }
    } while (!this.closed && this.cqHasOverflow && count !== 0);
    return count;
  }

  /**
   * Takes completions out of the queue.
   * @param waitNr how many to wait for at least; 0 takes what is there.
   */
  copyCqes(waitNr?: number): Cqe[];
  /**
   * Takes completions out of the queue into the objects of `into`, at most as many as it has.
   * Returns how many. io_uring_peek_batch_cqe(3)
   */
  copyCqes(into: Cqe[], waitNr?: number): number;
  copyCqes(into: number | Cqe[] = 0, waitNr = 0): Cqe[] | number {
    if (!Array.isArray(into)) return this.#copyNew(into);
    checkInt('waitNr', waitNr, 0, into.length);
    this.#waitFor(waitNr);
    let count = 0;
    while (count < into.length) {
      into[count] ??= emptyCqe();
      if (!this.#cq.next(into[count]!)) break;
      count++;
    }
    if (count !== 0) this.#cq.publish();
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

  /** Whether work waits for a system call of this thread. SETUP_TASKRUN_FLAG, 5.19 */
  get taskWorkPending(): boolean {
    return (this.#sq.flags & abi.SQ_TASKRUN) !== 0;
  }

  /** Whether completions count on a registered eventfd; they do at first. io_uring_cq_eventfd_toggle(3), 5.8 */
  cqEventfdToggle(enabled: boolean): void {
    this.#assertOpen();
    this.#cq.toggleEventfd(enabled);
  }

  /** io_uring_cq_eventfd_enabled(3) */
  get cqEventfdEnabled(): boolean {
    this.#assertOpen();
    return this.#cq.eventfdEnabled;
  }

  // --- Registration and the end -----------------------------------------------------------------

  /** @internal */
  override register(opcode: number, arg: Uint8Array | null, count: number): number {
    return this.#handle.register(opcode, arg, count);
  }

  /**
   * Has this thread's calls name the ring by an index, which saves the kernel the look-up of its descriptor.
   * io_uring_register_ring_fd(3), 5.18
   * @throws UasyncError EEXIST when it is registered.
   */
  registerRingFd(): void {
    this.#handle.registerFd();
  }

  /**
   * Takes `registerRingFd()` back. io_uring_unregister_ring_fd(3), 5.18
   * @throws UasyncError EINVAL when it is not registered, or has no descriptor.
   */
  unregisterRingFd(): void {
    this.#handle.unregisterFd();
  }

  /**
   * Gives the ring queues of other sizes, with what is in them. The ring has SETUP_DEFER_TASKRUN, and is
   * not one with SETUP_NO_MMAP. io_uring_resize_rings(3), 6.13
   * @throws UasyncError EINVAL on other rings and kernels, EOVERFLOW when what is queued does not fit.
   */
  resize(entries: number, cqEntries?: number): void {
    this.#assertOpen();
    const params = resizeParams(entries, cqEntries);
    if (this.flags & abi.SETUP_NO_MMAP) throw systemError(EINVAL, 'io_uring_register');
    this.#publish();
    this.#cq.publish();
    const failed = this.register(abi.REGISTER_RESIZE_RINGS, params, 1);
    if (failed < 0) throw systemError(failed, 'io_uring_register');
    params.writeUInt32LE(this.features, PARAMS.features);
    const old = this.#memory;
    try {
      this.#memory = RingMemory.mapped(this.fd, params);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#sq.retire();
    this.#cq.retire();
    this.#sq = new SubmissionQueue(this.#memory, params, this.flags);
    this.#cq = new CompletionQueue(this.#memory, params, this.flags, this.pins);
    this.#sqe.use(this.#memory.sqes, this.#sq.shift);
    old.unmap();
  }

  /**
   * Closes the ring: the kernel cancels what is in flight. A second call does nothing. Buffers that
   * operations still used are never freed, since the kernel cancels those behind our back: cancel and
   * reap first where that matters. io_uring_queue_exit(3)
   */
  close(): void {
    if (this.pins === null || (this.pins.size === 0 && this.#sqe.keptForever.length === 0)) held.delete(this);
    this.#handle.close();
    this.#sq.retire();
    this.#cq.retire();
    this.#sqe.retire();
    this.#memory.unmap();
    this.scratch.unmap();
    for (const mapping of this.owned) mapping.unmap();
  }

  /** @internal Its descriptor is another ring's. */
  lose(): void {
    this.#handle.lose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function emptyCqe(): Cqe {
  return { userData: 0, res: 0, flags: 0 };
}

function isWide(opcode: number): boolean {
  return opcode === abi.OP_NOP128 || opcode === abi.OP_URING_CMD128;
}
