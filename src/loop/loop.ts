import { AsyncResource } from 'node:async_hooks';
import { isMainThread } from 'node:worker_threads';
import * as abi from '../ring/abi.js';
import { checkFunction } from '../ring/check.js';
import { EAGAIN, ECANCELED } from '../ring/errno.js';
import { closedError, UasyncError } from '../ring/errors.js';
import { FileCalls } from '../ring/file-calls.js';
import { probeOps } from '../ring/probe.js';
import type { Ring } from '../ring/ring.js';
import { Slots } from '../ring/slots.js';
import { SocketCalls } from '../ring/socket-calls.js';
import type { Sqe } from '../ring/sqe/index.js';
import { SQE } from '../ring/structs.js';
import { BlockPool, sumOf } from './blocks.js';
import { fittingRing } from './fitting-ring.js';
import { BufferTable, FixedBlocks } from './fixed-blocks.js';
import { InlineBudget } from './inline-budget.js';
import { type IterateOptions, Iteration } from './iteration.js';
import { type LoopOptions, withDefaults } from './loop-options.js';
import type { LoopStats } from './loop-stats.js';
import type { Operation } from './operation.js';
import { submitRaw } from './raw.js';
import { now, setImmediate } from './real-timers.js';
import { Reclaim } from './reclaim.js';
import { Scheduler } from './scheduler.js';
import { throwLater } from './uncaught.js';

/** user_data of requests whose outcome nobody waits for. */
const NOBODY = -1;
/** The upper half of the user_data of those that open a descriptor, which is 0 in others. */
const INSTALLED = 1;
/** user_data (its low word) of completions that another thread's ring posts here; the high one is a key. */
const FOREIGN = -2;

/** What the ring is asked to be; older kernels have less. */
const SETUP_FLAGS =
  // Mapped memory of the kernel's would keep the ring of a terminated worker, and all that is in flight on
  // it: its listeners would go on accepting.
  (isMainThread ? 0 : abi.SETUP_NO_MMAP) |
  abi.SETUP_NO_SQARRAY |
  abi.SETUP_SINGLE_ISSUER |
  abi.SETUP_DEFER_TASKRUN |
  abi.SETUP_TASKRUN_FLAG |
  abi.SETUP_COOP_TASKRUN |
  abi.SETUP_SUBMIT_ALL |
  abi.SETUP_CLAMP;

/**
 * After so few submissions the turn reaps at once: what they complete spares a pass through Node's event
 * loop. After more of them waiting gathers larger batches.
 */
const FEW = 2;

/** Loops that were closed although the kernel was not done with these operations: their memory stays. */
const unfinished = new Map<Loop, Operation[]>();

/** Each system call spares the search for the descriptor, which this process's other threads make dearer. */
function registerRingFd(ring: Ring): void {
  try {
    ring.registerRingFd();
  } catch (error) {
    // Before 5.18, or a thread with 16 rings.
    if (!(error instanceof UasyncError)) throw error;
  }
}

/**
 * One thread's event loop: a ring, the operations in flight on it, and when to submit and reap.
 * Operations queue entries in memory; one system call a turn gives them all to the kernel.
 */
export class Loop {
  /** @internal */
  readonly ring: Ring;
  /** @internal */
  readonly blocks: BlockPool;
  /** @internal For large transfers with O_DIRECT. */
  readonly fixedBlocks: FixedBlocks;
  /** @internal For bytes that users are shown where they are. */
  readonly leasedBlocks: FixedBlocks;
  /** @internal What plain calls may spend before Node's event loop goes round. */
  readonly inline: InlineBudget;
  #calls: FileCalls | null = null;
  #socketCalls: SocketCalls | null = null;
  /** The opcodes that this kernel has, by OP_ value. */
  readonly ops: ReadonlySet<number>;
  readonly #slots = new Slots<Operation>();
  /** Operations that another thread completes, by their keys. */
  readonly #expected = new Map<number, Operation>();
  readonly #scheduler: Scheduler;
  /** @internal How many operations in flight may wait for an eventfd, as those of users may: see WakeUp. */
  eventfdWaits = 0;
  #callbacks: (() => void)[] = [];
  #idle: (() => void)[] = [];
  #onClose: (() => void)[] = [];
  #closed = false;
  #closing = false;
  #referenced = 0;
  #eager = 0;
  #unowned = 0;
  #submitted = 0;
  #completed = 0;
  #stale = 0;
  #turns = 0;
  /** How many completions were reaped last. */
  #reaped = 0;
  /** Whether completions are being delivered. */
  #reaping = false;

  /**
   * @internal Use `loop()`.
   * @param without SETUP_ flags to do without, as on an older kernel: for tests.
   */
  constructor(options: LoopOptions = {}, without = 0) {
    const { entries, cqEntries, memory, busyPoll, inline } = withDefaults(options);
    const reclaim = new Reclaim(
      this.#slots,
      () => this.blocks.short && !this.#closing,
      callback => this.callSoon(callback),
    );
    this.blocks = new BlockPool(memory, () => reclaim.start());
    this.ring = fittingRing(entries, cqEntries, SETUP_FLAGS & ~without);
    try {
      registerRingFd(this.ring);
      this.ops = probeOps(this.ring);
      this.#scheduler = new Scheduler(this.ring, this, busyPoll);
    } catch (error) {
      this.ring.close();
      throw error;
    }
    this.inline = new InlineBudget(inline, () => this.#scheduler.yield());
    const table = new BufferTable(this.ring);
    this.fixedBlocks = new FixedBlocks(table);
    this.leasedBlocks = new FixedBlocks(table);
  }

  /** @internal The plain calls on files, made when first needed. */
  get calls(): FileCalls {
    this.#calls ??= new FileCalls();
    return this.#calls;
  }

  /** @internal The plain calls on sockets, made when first needed. */
  get socketCalls(): SocketCalls {
    this.#socketCalls ??= new SocketCalls();
    return this.#socketCalls;
  }

  /** @internal Whether a plain call made now saves a submission: little is going on, and nothing else is queued. */
  get isQuiet(): boolean {
    return this.quiet && this.ring.sqReady === 0;
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** @internal Whether `close()` is under way or done: what is cancelled now must not start again. */
  get closing(): boolean {
    return this.#closing;
  }

  // --- Starting and cancelling operations ---------------------------------------------------------

  /**
   * @internal Puts an operation in flight: takes a slot, and returns the entry to fill at once. It is
   * submitted with everything else that is queued in this burst.
   */
  start(operation: Operation): Sqe {
    if (this.#closing) throw closedError('The loop');
    const sqe = this.#entry();
    const slot = this.#slots.add(operation);
    operation.slot = slot;
    this.#submitted++;
    if (operation.referenced) this.#referenced++;
    if (operation.eager) this.#eager++;
    return sqe.userDataWords(slot, this.#slots.generation(slot));
  }

  /** @internal Sees to it that the next `count` entries go in together: a chain must not be cut. */
  reserve(count: number): void {
    if (this.ring.sqSpaceLeft < count) this.#makeRoom(count);
  }

  /** @internal An entry whose completion nobody waits for. */
  startUnowned(): Sqe {
    const sqe = this.#entry();
    this.#unowned++;
    return sqe.userDataWords(NOBODY, 0);
  }

  /** @internal Whether `installFile` can be used. */
  get installsFiles(): boolean {
    return this.ops.has(abi.OP_FIXED_FD_INSTALL) && (this.ring.flags & abi.SETUP_DEFER_TASKRUN) !== 0;
  }

  /** @internal Gives a registered file a descriptor; see Ring. */
  installFile(index: number): number {
    const fd = this.ring.installFile(index, NOBODY, INSTALLED);
    if (fd === EAGAIN) return fd;
    this.#unowned++;
    this.#scheduler.wake();
    return fd;
  }

  /**
   * @internal Puts an operation in flight that no entry stands for: another thread completes it, by
   * `notify` with the same key. Keys are chosen at random, so that what was meant for a loop that has ended
   * means nothing to the one that has its descriptor now.
   */
  expect(operation: Operation, key: number): void {
    if (this.#closing) throw closedError('The loop');
    operation.slot = this.#slots.add(operation);
    this.#expected.set(key, operation);
    this.#submitted++;
    if (operation.referenced) this.#referenced++;
    this.#scheduler.wake();
  }

  /** @internal Completes at once what `expect` has put in flight. Who notifies it later is not heard. */
  settleExpected(key: number, res: number): void {
    const operation = this.#expected.get(key);
    if (operation === undefined) return;
    this.#expected.delete(key);
    this.onCqe(operation.slot, this.#slots.generation(operation.slot), res, 0);
    // It may have been all that kept the process alive.
    this.#scheduler.wake();
  }

  /** @internal Completes what expects `key` on the loop whose ring has this descriptor. MSG_RING, 5.18 */
  notify(ringFd: number, key: number): void {
    if (ringFd === this.ring.fd) {
      this.soon(() => this.settleExpected(key, 0));
      return;
    }
    // Only a failure completes, and nobody expects that: the other loop has ended.
    const { words, at } = this.#entry()
      .userDataWords(FOREIGN, NOBODY)
      .skipSuccess()
      .prep(abi.OP_MSG_RING, ringFd, abi.MSG_DATA, 0, 0);
    words[at + SQE.off] = FOREIGN;
    words[at + SQE.off + 1] = key;
  }

  #entry(): Sqe {
    if (this.#closed) throw closedError('The loop');
    this.#scheduler.wake();
    const sqe = this.ring.getSqe();
    if (sqe !== null) return sqe;
    this.#makeRoom(1);
    return this.ring.getSqe()!;
  }

  /**
   * The queue is full: submit now. Completions are reaped only if the kernel waits for that. What awaits them
   * runs before anything else does, and would start more: the thread might never look at its timers again.
   */
  #makeRoom(count: number): void {
    for (let tries = 0; tries < 1000; tries++) {
      this.ring.submitAndGetEvents();
      if (this.ring.sqSpaceLeft >= count) return;
      this.#reap();
      if (this.#closed) throw closedError('The loop');
      if (this.ring.sqSpaceLeft >= count) return;
    }
    throw new UasyncError('ERR_QUEUE_FULL', 'The kernel takes no more submissions');
  }

  /**
   * @internal Asks the kernel to cancel an operation. Its own completion is the only verdict: it may
   * have succeeded after all.
   */
  cancel(operation: Operation): void {
    const slot = operation.slot;
    if (slot < 0) return;
    const generation = this.#slots.generation(slot);
    const sqe = this.startUnowned();
    const target = generation * 2 ** 32 + slot;
    sqe.prep(abi.OP_ASYNC_CANCEL, -1, target, 0, 0);
  }

  /**
   * @internal As `cancel`, and again each turn until it has completed: what the kernel is just about to try
   * once more it does not find.
   */
  cancelForSure(operation: Operation): void {
    const { slot } = operation;
    const generation = this.#slots.generation(slot);
    const again = (): void => {
      if (this.#closing || this.#slots.get(slot, generation) !== operation) return;
      this.cancel(operation);
      this.soon(again);
    };
    this.soon(again);
  }

  /**
   * Awaits any operation: `prepare` fills an entry, the promise is of its result, and a negative result
   * rejects with the error of that errno. Buffers stay alive until it has completed; they are used in
   * place, so leave them alone until then. Of a multishot operation only the first result is
   * seen: see `iterate`.
   */
  submit(prepare: (sqe: Sqe) => void, options?: { signal?: AbortSignal }): Promise<number> {
    return submitRaw(this, prepare, options);
  }

  /**
   * The completions of an operation that has many (multishot poll, accept, receive, timeout …), one after the
   * other, until the one without CQE_F_MORE. It starts at once; leaving a `for await` loop cancels it. A failure
   * that ends it rejects; buffers stay alive until then.
   * @throws what `prepare` throws, TypeErrors for wrong options, and an `AbortError` if `signal` is aborted.
   */
  iterate(prepare: (sqe: Sqe) => void, options: IterateOptions = {}): Iteration {
    return new Iteration(this, prepare, options);
  }

  /** @internal Changes whether an operation keeps the process alive. */
  setReferenced(operation: Operation, referenced: boolean): void {
    if (operation.referenced === referenced) return;
    operation.referenced = referenced;
    if (operation.slot < 0) return;
    this.#referenced += referenced ? 1 : -1;
    this.#scheduler.wake();
  }

  /** @internal Whether anything is in flight. */
  get busy(): boolean {
    return this.#slots.size !== 0 || this.#unowned !== 0;
  }

  /** @internal Completions delivered so far. */
  get completed(): number {
    return this.#completed;
  }

  /** @internal Whether little has just completed. */
  get quiet(): boolean {
    return this.#reaped <= FEW;
  }

  /** @internal Whether operations in flight keep the process alive. */
  get alive(): boolean {
    return this.#referenced > 0;
  }

  // --- Turns --------------------------------------------------------------------------------------

  /**
   * @internal Submits what is queued, and reaps if that was little, if operations that complete at once are
   * in flight, or if `reap` asks for it. Returns whether completions were left in the queue.
   */
  turn(reap: boolean): boolean {
    if (this.#closed) return false;
    this.#turns++;
    if (reap) this.inline.refill();
    if (this.#callbacks.length !== 0) this.#runCallbacks();
    if (this.#closed) return false;
    const queued = this.ring.sqReady;
    if (queued !== 0 || (reap && this.ring.cqReady === 0 && this.ring.taskWorkPending))
      this.ring.submitAndGetEvents();
    if (reap || queued <= FEW || this.#eager !== 0) this.#reaped = this.#reap();
    if (this.#closed) return false;
    if (this.#idle.length !== 0 && !this.alive) this.#settleIdle();
    // What the kernel would not take (EAGAIN, EBUSY) is tried again.
    return this.ring.cqReady !== 0 || this.ring.sqReady !== 0;
  }

  #reap(): number {
    const outer = this.#reaping;
    this.#reaping = true;
    try {
      return this.ring.reap(this);
    } finally {
      this.#reaping = outer;
    }
  }

  /** @internal A completion. */
  onCqe(low: number, high: number, res: number, flags: number): void {
    if (low === NOBODY) {
      this.#unowned--;
      return;
    }
    if (low === FOREIGN) {
      this.settleExpected(high, res);
      return;
    }
    const operation = this.#slots.get(low, high);
    if (operation === undefined) {
      this.#stale++;
      return;
    }
    this.#completed++;
    if (!(flags & abi.CQE_F_MORE)) {
      this.#slots.remove(low);
      operation.slot = -1;
      if (operation.referenced) this.#referenced--;
      if (operation.eager) this.#eager--;
    }
    try {
      operation.complete(res, flags);
    } catch (error) {
      throwLater(error);
    }
  }

  #runCallbacks(): void {
    // Those that they add wait for the next turn, so that I/O is not held up.
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) {
      try {
        callback();
      } catch (error) {
        throwLater(error);
      }
    }
  }

  #settleIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** Calls `callback` in the loop's next turn, in the order of the calls, in the async context of the call. */
  callSoon(callback: () => void): void {
    checkFunction('callback', callback);
    const context = new AsyncResource('uasync.callSoon');
    this.soon(() => context.runInAsyncScope(callback));
  }

  /** @internal The same for what is not the user's: in any async context. */
  soon(callback: () => void): void {
    if (this.#closed) throw closedError('The loop');
    this.#callbacks.push(callback);
    this.#scheduler.wake();
  }

  /**
   * One turn now, without waiting: submits what is queued and settles what has completed. Returns the
   * number of completions. What awaits them runs when JavaScript's stack is empty again. For tests and tools.
   */
  poll(): number {
    if (this.#closed) throw closedError('The loop');
    const before = this.#completed;
    this.turn(true);
    return this.#completed - before;
  }

  /**
   * Resolves when no operation that keeps the process alive is in flight, and what awaited the last ones
   * has started no more. For tests and tools.
   */
  async run(): Promise<void> {
    do {
      if (this.alive) await new Promise<void>(resolve => this.#idle.push(resolve));
      // What awaited the last operation now runs, and may start others.
      await new Promise(resolve => setImmediate(resolve));
    } while (this.alive);
  }

  /** Entries of its submission queue: fewer than asked for where the user may lock no more memory. */
  get entries(): number {
    return this.ring.sqEntries;
  }

  /** Entries of its completion queue, likewise. */
  get cqEntries(): number {
    return this.ring.cqEntries;
  }

  /** Counters, as they are now. */
  stats(): LoopStats {
    return {
      inFlight: this.#slots.size + this.#unowned,
      referenced: this.#referenced,
      submitted: this.#submitted,
      completed: this.#completed,
      stale: this.#stale,
      enters: this.ring.enters,
      turns: this.#turns,
      overflow: this.#closed ? 0 : this.ring.cqDropped,
      blocks: sumOf([this.blocks, this.fixedBlocks, this.leasedBlocks].map(pool => pool.stats())),
    };
  }

  // --- The end ------------------------------------------------------------------------------------

  /** @internal Has `callback` called before the ring goes: buffer rings end there. */
  onClose(callback: () => void): void {
    this.#onClose.push(callback);
  }

  /**
   * Ends the loop: cancels everything in flight, waits until the kernel is done with it, and unmaps.
   * What was in flight rejects; a later use of this package makes a new loop. A second call does nothing.
   */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.inline.end();
    for (const key of [...this.#expected.keys()]) this.settleExpected(key, ECANCELED);
    this.blocks.close();
    const done = this.#cancelAll();
    this.#closed = true;
    this.#scheduler.close();
    if (done) for (const callback of this.#onClose) callback();
    this.ring.close();
    if (done) this.#unmap();
    else this.#abandon();
    this.#settleIdle();
  }

  #unmap(): void {
    this.#calls?.unmap();
    this.#socketCalls?.unmap();
    this.blocks.unmap();
    this.fixedBlocks.unmap(false);
    this.leasedBlocks.unmap(true);
  }

  /** The kernel may still write for an operation that cannot be cancelled: its memory is left mapped. */
  #abandon(): void {
    const operations = [...this.#slots.values()];
    unfinished.set(this, operations);
    for (const operation of operations) {
      this.onCqe(operation.slot, this.#slots.generation(operation.slot), ECANCELED, 0);
    }
  }

  #cancelAll(): boolean {
    const CLOSE_WAIT_MS = 1000;
    const end = now() + CLOSE_WAIT_MS;
    do {
      if (!this.busy && this.ring.sqReady === 0) return true;
      this.startUnowned().cancelAny(abi.ASYNC_CANCEL_ALL);
      this.ring.submitAndWaitTimeout(2, 10);
      this.ring.reap(this);
    } while (now() < end);
    return !this.busy;
  }
}
