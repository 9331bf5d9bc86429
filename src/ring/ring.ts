import type { InspectOptionsStylized } from 'node:util';
import { EAGAIN, EINVAL } from '../sys/abi/errno.js';
import { checkDuration, checkInt, checkU32, checkUint8Array, microseconds } from '../sys/check/check.js';
import { systemError } from '../sys/errors/errors.js';
import { custom, shown } from '../sys/inspect.js';
import type { Mapping } from '../sys/memory/mapping.js';
import { Scratch } from '../sys/memory/scratch.js';
import * as abi from './abi/io-uring.js';
import { PARAMS } from './abi/structs.js';
import { CompletionQueue } from './queue/completion-queue.js';
import { copyCqesInto, copyNewCqes, forEachCqe, reap } from './queue/completions.js';
import type { Cqe, CqeSink } from './queue/cqe.js';
import { KernelEntry } from './queue/kernel-entry.js';
import { Pins } from './queue/pins.js';
import { SubmissionQueue } from './queue/submission-queue.js';
import { Registrations } from './registered/registrations.js';
import { holdRing, releaseRing } from './setup/open-rings.js';
import { RingHandle } from './setup/ring-handle.js';
import type { RingMemory } from './setup/ring-memory.js';
import { type RingOptions, resizedMemory, resizeParams, setupRing } from './setup/setup.js';
import { beforeRing } from './setup/worker-threads.js';
import { Sqe } from './sqe/index.js';

/**
 * A submission queue and a completion queue shared with the kernel, io_uring(7).
 *
 * Entries are filled through `getSqe()` and submitted with `submit()`; `copyCqes()` returns completions. A ring belongs
 * to one thread; a thread may have several rings.
 */
export class Ring extends Registrations {
  /** The SETUP_ flags that the kernel accepted. */
  readonly flags: number;
  /** The FEAT_ flags of this kernel. */
  readonly features: number;

  readonly #handle: RingHandle;
  readonly #kernel: KernelEntry;
  #memory: RingMemory;
  #sq: SubmissionQueue;
  /** @internal */
  cq: CompletionQueue;
  /** @internal Memory that entries point at until they are submitted. */
  readonly scratch = new Scratch();
  /** @internal null if the owner keeps buffers alive itself. */
  readonly pins: Pins | null;
  readonly #sqe: Sqe;
  /** @internal Memory that is freed with the ring. */
  readonly owned: Mapping[] = [];

  /**
   * @param entries the size of the submission queue, rounded up to a power of two, at most 32768.
   * @throws UasyncError ERR_IO_URING_UNAVAILABLE with cause and fix where the kernel refuses io_uring; otherwise the
   * kernel's error (EINVAL, ENOMEM …).
   */
  constructor(entries: number, options: RingOptions = {}, keepBuffers = true) {
    super();
    beforeRing();
    const { fd, params, memory } = setupRing(entries, options);
    this.flags = params.readUInt32LE(PARAMS.flags);
    this.features = params.readUInt32LE(PARAMS.features);
    this.#handle = new RingHandle(fd, this.flags, this.features);
    holdRing(this);
    this.#kernel = new KernelEntry(this.#handle, this.flags, this.scratch, this);
    this.pins = keepBuffers ? new Pins() : null;
    this.#memory = memory;
    this.#sqe = new Sqe(this.scratch);
    this.#sq = new SubmissionQueue(memory, params, this.flags, this.#sqe, this.pins);
    this.cq = new CompletionQueue(memory, params, this.flags, this.pins);
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.closed ? 'closed' : 'open', this.fd >= 0 && `fd ${this.fd}`, [
      `${this.sqEntries} + ${this.cqEntries} entries`,
      !this.closed && `${this.sqReady} queued`,
      !this.closed && `${this.cqReady} completed`,
      `enters ${this.enters}`,
    ]);
  }

  #assertOpen(): void {
    this.#handle.assertOpen();
  }

  /**
   * The ring's descriptor; readable while there are completions. -1 once closed, and in a ring without one
   * (SETUP_REGISTERED_FD_ONLY).
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

  /** The size of the submission queue. */
  get sqEntries(): number {
    return this.#sq.entries;
  }

  /** The size of the completion queue; the kernel keeps completions that exceed it. */
  get cqEntries(): number {
    return this.cq.entries;
  }

  // --- Submission -------------------------------------------------------------------------------

  /**
   * The next free entry, initially a NOP with user_data 0, or null when the queue is full and needs a `submit()`. Every
   * call returns the same cursor. io_uring_get_sqe(3)
   */
  getSqe(): Sqe | null {
    const sq = this.#sq;
    return sq.hasRoom(1) || this.#makeRoom(1) ? sq.next() : null;
  }

  /**
   * As `getSqe()`, for an entry of 128 bytes, for `uringCmd128` and `nop128`. The ring needs SETUP_SQE_MIXED (6.19),
   * where such an entry takes two slots, or SETUP_SQE128. io_uring_get_sqe128(3)
   */
  getSqe128(): Sqe | null {
    this.#assertOpen();
    const sq = this.#sq;
    const entries = sq.wideEntries;
    if (sq.entries < entries) return null;
    return sq.hasRoom(entries) || this.#makeRoom(entries) ? sq.nextWide() : null;
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

  /** Free entries that `getSqe()` can still return. io_uring_sq_space_left(3) */
  get sqSpaceLeft(): number {
    return this.sqEntries - this.sqReady;
  }

  /**
   * Submits the filled entries; with `waitNr` it also waits for that many completions, or for fewer if a signal or an
   * expired timeout interrupts the wait when there is at least one. Returns the number of entries that the kernel took.
   * It takes fewer, and the rest stay queued, when it is out of memory (EAGAIN), when completions must be reaped first
   * (EBUSY), or at an invalid entry unless SETUP_SUBMIT_ALL is set. io_uring_submit(3), io_uring_submit_and_wait(3)
   */
  submit(waitNr = 0): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    this.#assertOpen();
    return this.#kernel.enter(this.#sq, this.#sq.publish(), waitNr, waitNr > 0);
  }

  /**
   * Submits the filled entries and makes the kernel post completions, including overflowed ones, without waiting. One
   * system call. io_uring_submit_and_get_events(3)
   */
  submitAndGetEvents(): number {
    this.#assertOpen();
    return this.#kernel.enter(this.#sq, this.#sq.publish(), 0, true);
  }

  /**
   * @internal Installs a descriptor for a registered file, which is closed when this worker ends in any way. Returns the
   * descriptor, or a negative errno: EAGAIN means to try again, and that no completion comes. The ring must have
   * SETUP_DEFER_TASKRUN, so that no other completion comes in between. 6.8
   * @param low,high user_data; no other entry may have this `high`.
   */
  installFile(index: number, low: number, high: number): number {
    if (this.sqReady !== 0) this.submitAndGetEvents();
    const at = this.cq.nextAt;
    // While some overflow, new ones queue after them.
    if (at < 0 || this.sqReady !== 0 || this.cqHasOverflow) return EAGAIN;
    this.getSqe()!.userDataWords(low, high).fixedFdInstall(index);
    this.#sq.publish();
    return this.#handle.enterOpening(this.cq.words, at, high);
  }

  /** @internal As `submitAndGetEvents()`; one of the entries closes a descriptor that this worker would close. */
  submitClosing(fd: number): void {
    this.#kernel.enterClosing(this.#sq, this.#sq.publish(), fd);
  }

  /**
   * As `submit(waitNr)`, but waits at most `timeoutMs` milliseconds. With `minWaitMs` it returns after that time if there
   * is at least one completion (6.12).
   * io_uring_submit_and_wait_timeout(3), 5.11; io_uring_submit_and_wait_min_timeout(3)
   */
  submitAndWaitTimeout(waitNr: number, timeoutMs: number, minWaitMs = 0): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    checkDuration('timeoutMs', timeoutMs);
    const minWait = microseconds('minWaitMs', minWaitMs);
    this.#assertOpen();
    const sq = this.#sq;
    const toSubmit = sq.publish();
    return this.#kernel.enterUntil(sq, toSubmit, waitNr, timeoutMs, minWait, this.#sqe);
  }

  /**
   * As `submitAndWaitTimeout`, with the terms of entry `index` of the ring's `WaitRegion`, which the kernel does not
   * need to copy. A signal may end this wait early. io_uring_submit_and_wait_reg(3), 6.13
   */
  submitAndWaitReg(waitNr: number, index: number): number {
    checkInt('waitNr', waitNr, 0, 0x7fffffff);
    checkInt('index', index, 0, 0xffff);
    this.#assertOpen();
    return this.#kernel.enterByRegion(this.#sq, this.#sq.publish(), waitNr, index);
  }

  /**
   * Waits until the SQPOLL thread has made room in a full submission queue. Other rings return at once.
   * io_uring_sqring_wait(3), 5.10
   */
  sqringWait(): void {
    this.#assertOpen();
    if (!(this.flags & abi.SETUP_SQPOLL) || this.sqSpaceLeft > 0) return;
    this.#kernel.waitForRoom(this.#sq);
  }

  /** Sets whether waits count as iowait; initially they do. io_uring_set_iowait(3), 6.15 */
  setIowait(enabled: boolean): void {
    this.#assertOpen();
    this.#kernel.setIowait(enabled, this.features);
  }

  // --- Completion -------------------------------------------------------------------------------

  /**
   * Completions in the queue, without overflowed ones. In a ring with SETUP_CQE_MIXED, the number of slots that they
   * take. io_uring_cq_ready(3)
   */
  get cqReady(): number {
    this.#assertOpen();
    return this.cq.ready;
  }

  /** Whether the kernel holds completions that did not fit into the queue. io_uring_cq_has_overflow(3) */
  get cqHasOverflow(): boolean {
    this.#assertOpen();
    return (this.#sq.flags & abi.SQ_CQ_OVERFLOW) !== 0;
  }

  /** Completions that the kernel lost for lack of memory: 0 on every kernel with FEAT_NODROP. */
  get cqDropped(): number {
    this.#assertOpen();
    return this.cq.dropped;
  }

  /**
   * Passes all completions to `sink`, including overflowed ones; returns their number. The sink may submit, reap again,
   * and close or resize the ring.
   */
  reap(sink: CqeSink): number {
    this.#assertOpen();
    return reap(this, sink, true);
  }

  /** @internal The same without overflowed ones: see `cqHasOverflow`. */
  reapQueue(sink: CqeSink): number {
    this.#assertOpen();
    return reap(this, sink, false);
  }

  /**
   * Calls `fn` with each completion, including overflowed ones; returns their number.
   * io_uring_for_each_cqe(3)
   */
  forEachCqe(fn: (cqe: Cqe) => void): number {
    return forEachCqe(this, fn);
  }

  /**
   * Takes completions from the queue.
   * @param waitNr the minimum number to wait for; 0 does not wait.
   */
  copyCqes(waitNr?: number): Cqe[];
  /**
   * Takes completions from the queue into the objects of `into`, at most `into.length`.
   * Returns their number. io_uring_peek_batch_cqe(3)
   */
  copyCqes(into: Cqe[], waitNr?: number): number;
  copyCqes(into: number | Cqe[] = 0, waitNr = 0): Cqe[] | number {
    return Array.isArray(into) ? copyCqesInto(this, into, waitNr) : copyNewCqes(this, into);
  }

  /** @internal */
  getEvents(waitNr: number): void {
    this.#kernel.enter(this.#sq, 0, waitNr, true);
  }

  /** Whether the kernel has work that needs a system call of this thread. SETUP_TASKRUN_FLAG, 5.19 */
  get taskWorkPending(): boolean {
    this.#assertOpen();
    return (this.#sq.flags & abi.SQ_TASKRUN) !== 0;
  }

  /** Sets whether completions signal a registered eventfd; initially they do. io_uring_cq_eventfd_toggle(3), 5.8 */
  cqEventfdToggle(enabled: boolean): void {
    this.#assertOpen();
    this.cq.toggleEventfd(enabled);
  }

  /** io_uring_cq_eventfd_enabled(3) */
  get cqEventfdEnabled(): boolean {
    this.#assertOpen();
    return this.cq.eventfdEnabled;
  }

  // --- Registration and the end -----------------------------------------------------------------

  /** @internal */
  override register(opcode: number, arg: Uint8Array | null, count: number): number {
    checkInt('opcode', opcode, 0, 0x7fffffff);
    if (arg !== null) checkUint8Array('arg', arg);
    checkU32('count', count);
    return this.#handle.register(opcode, arg, count);
  }

  /**
   * Registers the ring fd with this thread, which saves the kernel a descriptor lookup per system call.
   * io_uring_register_ring_fd(3), 5.18
   * @throws UasyncError EEXIST if it is registered already.
   */
  registerRingFd(): void {
    this.#handle.registerFd();
  }

  /**
   * Undoes `registerRingFd()`. io_uring_unregister_ring_fd(3), 5.18
   * @throws UasyncError EINVAL if it is not registered, or has no descriptor.
   */
  unregisterRingFd(): void {
    this.#handle.unregisterFd();
  }

  /**
   * Changes the sizes of the queues and keeps their contents. The ring must have SETUP_DEFER_TASKRUN, and must not have
   * SETUP_NO_MMAP. io_uring_resize_rings(3), 6.13
   * @throws UasyncError EINVAL on other rings and kernels, EOVERFLOW if the contents do not fit.
   */
  resize(entries: number, cqEntries?: number): void {
    this.#assertOpen();
    const params = resizeParams(entries, cqEntries);
    if (this.flags & abi.SETUP_NO_MMAP) throw systemError(EINVAL, 'io_uring_register');
    this.#sq.publish();
    this.cq.publish();
    const old = this.#memory;
    this.#memory = resizedMemory(this, params);
    this.#sq.retire();
    this.cq.retire();
    this.#sq = new SubmissionQueue(this.#memory, params, this.flags, this.#sqe, this.pins);
    this.cq = new CompletionQueue(this.#memory, params, this.flags, this.pins);
    old.unmap();
  }

  /**
   * Closes the ring; the kernel cancels the operations in flight. A second call does nothing. The kernel cancels
   * asynchronously, so buffers of these operations are never freed: cancel and reap first where that matters.
   * io_uring_queue_exit(3)
   */
  close(): void {
    if (this.pins === null || (this.pins.size === 0 && this.#sqe.keptForever.length === 0)) releaseRing(this);
    this.#handle.close();
    this.#sq.retire();
    this.cq.retire();
    this.#sqe.retire();
    this.#memory.unmap();
    this.scratch.unmap();
    for (const mapping of this.owned) mapping.unmap();
  }

  /** @internal The kernel may write to these as long as the ring exists. */
  keepForever(buffers: readonly ArrayBufferView[]): void {
    this.#sqe.keptForever.push(...buffers);
  }

  /** @internal Its descriptor belongs to another ring now. */
  lose(): void {
    this.#handle.lose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
