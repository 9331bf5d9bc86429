import { AsyncResource } from 'node:async_hooks';
import type { InspectOptionsStylized } from 'node:util';
import type { Sqe } from '../ring/sqe/index.js';
import { DirectCalls } from '../soft/faults/faulty-direct-calls.js';
import { EAGAIN, ECANCELED } from '../sys/abi/errno.js';
import { checkFunction } from '../sys/check/check.js';
import { assert } from '../sys/errors/assert.js';
import { closedError } from '../sys/errors/errors.js';
import { counted, custom, shown } from '../sys/inspect.js';
import type { Backend } from './backend/backend.js';
import { makeBackend } from './backend/choose-backend.js';
import { makeRoom } from './backend/make-room.js';
import { abandon, cancelAll } from './closing/ending.js';
import { Reclaim } from './closing/reclaim.js';
import { type LoopOptions, withDefaults } from './loop-options.js';
import { LoopResources } from './loop-resources.js';
import type { LoopStats } from './loop-stats.js';
import { BlockPool, sumOf } from './memory/blocks.js';
import { FixedBlocks } from './memory/fixed-blocks.js';
import { type ActiveResource, activeOf, keepsStacks, noteStack } from './operation/active.js';
import type { Delivery } from './operation/deliveries.js';
import type { Operation } from './operation/operation.js';
import { FOREIGN, INSTALLED, OperationTable, UNOWNED } from './operation/operation-table.js';
import { traceCancel, traceStart, tracing } from './operation/trace.js';
import { type IterateOptions, Iteration } from './raw/iteration.js';
import { submitRaw } from './raw/submit.js';
import { setImmediate } from './real-timers.js';
import { InlineBudget } from './turns/inline-budget.js';
import { Scheduler } from './turns/scheduler.js';
import { Turns } from './turns/turns.js';

/** Whether starts of operations are recorded. */
const watched = tracing || keepsStacks;

/**
 * One thread's event loop: a backend that executes entries, the operations in flight on it, and the decision when to
 * submit and reap. Operations queue entries in memory; one system call per turn submits them all.
 */
export class Loop extends LoopResources {
  /** @internal */
  readonly blocks: BlockPool;
  /** @internal For large transfers with O_DIRECT. */
  readonly fixedBlocks: FixedBlocks;
  /** @internal For bytes that users see in place. */
  readonly leasedBlocks: FixedBlocks;
  /** @internal The budget for plain calls until Node's event loop completes an iteration. */
  readonly inline: InlineBudget;
  readonly #operations = new OperationTable();
  readonly #turns: Turns;
  readonly #scheduler: Scheduler;
  #onClosing: (() => void)[] = [];
  #onClose: (() => void)[] = [];
  #closed = false;
  #closing = false;

  /** @internal Use `loop()`. @param backend a replacement for its own, for tests. */
  constructor(options: LoopOptions = {}, backend?: Backend) {
    const settings = withDefaults(options);
    const { memory, busyPoll, inline, inlineWrites } = settings;
    // The plain calls first, as what they throw must leave no backend behind.
    super(new DirectCalls(), backend ?? makeBackend(settings));
    const reclaim = new Reclaim(
      this.#operations.slots,
      () => this.blocks.short && !this.#closing,
      callback => this.callSoon(callback),
    );
    this.blocks = new BlockPool(memory, () => reclaim.start());
    this.inline = new InlineBudget(inline, inlineWrites === 'adaptive', () => this.#scheduler.yield());
    this.#turns = new Turns(this.executor, this.#operations, this.inline);
    this.#scheduler = new Scheduler(this.executor.wakeUp, this.#turns, busyPoll);
    this.fixedBlocks = new FixedBlocks(this.executor.fixedBuffers);
    this.leasedBlocks = new FixedBlocks(this.executor.fixedBuffers);
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.#closed ? 'closed' : 'open', '', [
      `${this.#operations.size} in flight`,
      counted(this.#operations.referenced, 'keeps the process alive', 'keep the process alive'),
      `submitted ${this.#operations.submitted}`,
      `completed ${this.#operations.completed}`,
      `blocks ${this.stats().blocks.used} of ${this.stats().blocks.mapped} bytes`,
    ]);
  }

  /**
   * @internal Whether a plain call made now saves a submission: little is going on and nothing else is queued, or the
   * submission itself would be such a call.
   */
  get isQuiet(): boolean {
    return this.executor.completesAtOnce || (this.#turns.quiet && this.queues.sqReady === 0);
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** @internal Whether `close()` is in progress or done: a cancelled operation must not start again. */
  get closing(): boolean {
    return this.#closing;
  }

  /** @internal How many operations in flight may wait for an eventfd, which users' operations may do: see WakeUp. */
  get eventfdWaits(): number {
    return this.#operations.eventfdWaits;
  }

  /** @internal */
  set eventfdWaits(count: number) {
    assert(count >= 0, 'More operations have stopped to wait for an eventfd than waited');
    this.#operations.eventfdWaits = count;
  }

  // --- Starting and cancelling operations ---------------------------------------------------------

  /**
   * @internal Puts an operation in flight: takes a slot, and returns the entry, to fill at once. It is submitted with
   * everything else in this burst.
   */
  start(operation: Operation): Sqe {
    if (this.#closing) throw closedError('The loop');
    assert(operation.slot === -1, 'An operation was started while it is in flight');
    const sqe = this.#entry();
    const slot = this.#operations.add(operation);
    if (watched) this.#note(operation, this.start);
    return sqe.userDataWords(slot, this.#operations.slots.generation(slot));
  }

  /** Records a start for tracing. */
  #note(operation: Operation, start: (operation: Operation, key: number) => unknown): void {
    if (tracing) traceStart(operation);
    if (keepsStacks) noteStack(operation, this.#turns.reaping, start);
  }

  /** @internal Ensures that the next `count` entries are submitted together: a chain must not be cut. */
  reserve(count: number): void {
    if (this.queues.sqSpaceLeft < count) this.#makeRoom(count);
  }

  /** @internal Starts an entry whose completion is only counted. */
  startUnowned(): Sqe {
    const sqe = this.#entry();
    this.#operations.unowned++;
    return sqe.userDataWords(UNOWNED, 0);
  }

  /** @internal Installs a descriptor for a registered file; see Backend. */
  installFile(index: number): number {
    const fd = this.executor.installFile(index, UNOWNED, INSTALLED);
    if (fd === EAGAIN) return fd;
    this.#operations.unowned++;
    this.#scheduler.wake();
    return fd;
  }

  /**
   * @internal Puts an operation in flight that has no entry: another thread completes it, by `notify` with the same
   * key. Keys are random, so that a message for a loop that has ended means nothing to the loop that has its descriptor
   * now.
   */
  expect(operation: Operation, key: number): void {
    if (this.#closing) throw closedError('The loop');
    this.#operations.expect(operation, key);
    if (watched) this.#note(operation, this.expect);
    this.#scheduler.wake();
  }

  /** @internal Completes at once what `expect` has put in flight. A later `notify` has no effect. */
  settleExpected(key: number, res: number): void {
    this.#operations.settleExpected(key, res);
    // It may have been the only thing that kept the process alive.
    this.#scheduler.wake();
  }

  /** @internal Completes the operation that expects `key` on the loop with this `mailbox`. MSG_RING, 5.18 */
  notify(ringFd: number, key: number): void {
    if (ringFd === this.mailbox) {
      this.soon(() => this.settleExpected(key, 0));
      return;
    }
    // Only a failure completes, which means that the other loop has ended: it is only counted.
    this.#entry().userDataWords(FOREIGN, UNOWNED).skipSuccess().postTo(ringFd, FOREIGN, key);
  }

  #entry(): Sqe {
    if (this.#closed) throw closedError('The loop');
    this.#scheduler.wake();
    const sqe = this.queues.getSqe();
    if (sqe !== null) return sqe;
    this.#makeRoom(1);
    return this.queues.getSqe()!;
  }

  #makeRoom(count: number): void {
    makeRoom(this.queues, count, () => {
      this.#turns.reap();
      if (this.#closed) throw closedError('The loop');
    });
  }

  /**
   * @internal Asks the kernel to cancel an operation. Only the operation's own completion tells the outcome: it may
   * have succeeded nevertheless.
   */
  cancel(operation: Operation): void {
    const slot = operation.slot;
    if (slot < 0) return;
    if (tracing) traceCancel(operation);
    this.startUnowned().cancelWords(slot, this.#operations.slots.generation(slot));
  }

  /**
   * @internal As `cancel`, repeated each turn until it has completed: the kernel does not find an operation that it is
   * just about to retry.
   */
  cancelForSure(operation: Operation): void {
    const { slot } = operation;
    const generation = this.#operations.slots.generation(slot);
    const again = (): void => {
      if (this.#closing || this.#operations.slots.get(slot, generation) !== operation) return;
      this.cancel(operation);
      this.soon(again);
    };
    this.soon(again);
  }

  /**
   * Awaits any operation: `prepare` fills an entry, and the promise resolves to its result. A negative result rejects
   * with the error of that errno. Buffers are used in place and stay alive until the operation has completed, so leave
   * them alone until then. A multishot operation is cancelled after its first result: see `iterate`.
   */
  submit(prepare: (sqe: Sqe) => void, options?: { signal?: AbortSignal }): Promise<number> {
    return submitRaw(this, prepare, options);
  }

  /**
   * The completions of an operation with several (multishot poll, accept, receive, timeout …), one after the other, until
   * the one without CQE_F_MORE. It starts at once; leaving a `for await` loop cancels it. If it ends with a failure, the
   * iteration rejects. Buffers stay alive until then.
   * @throws what `prepare` throws, TypeErrors for wrong options, and an `AbortError` if `signal` is aborted.
   */
  iterate(prepare: (sqe: Sqe) => void, options: IterateOptions = {}): Iteration {
    return new Iteration(this, prepare, options);
  }

  /** @internal Changes whether an operation keeps the process alive. */
  setReferenced(operation: Operation, referenced: boolean): void {
    if (this.#operations.setReferenced(operation, referenced)) this.#scheduler.wake();
  }

  /** @internal Completions delivered so far. */
  get completed(): number {
    return this.#operations.completed;
  }

  // --- Turns --------------------------------------------------------------------------------------

  /**
   * Calls `callback` in the loop's next turn, in call order, in the async context of the call; if the loop is closed
   * before that, right after the close.
   */
  callSoon(callback: () => void): void {
    checkFunction('callback', callback);
    const context = new AsyncResource('uasync.callSoon');
    this.soon(() => context.runInAsyncScope(callback));
  }

  /** @internal As `callSoon`, for callbacks that are not the user's: in any async context. */
  soon(callback: () => void): void {
    if (this.#closed) throw closedError('The loop');
    this.#turns.callbacks.add(callback);
    this.#scheduler.wake();
  }

  /** @internal Makes `delivery` from an immediate, after those that wait already. */
  deliver(delivery: Delivery): void {
    this.#turns.deliveries.push(delivery);
    // While completions are reaped, the turn itself checks.
    if (!this.#turns.reaping) this.#scheduler.wakeLater();
  }

  /**
   * Takes one turn now, without waiting: submits queued entries and settles completed operations. Returns the number of
   * completions. Code that awaits them runs when JavaScript's stack is empty again. For tests and tools.
   */
  poll(): number {
    if (this.#closed) throw closedError('The loop');
    const before = this.#operations.completed;
    if (this.#turns.turn(true) || !this.#turns.deliveries.empty) this.#scheduler.wakeLater();
    return this.#operations.completed - before;
  }

  /**
   * Resolves when no operation that keeps the process alive is in flight, and the code that awaited the last ones has
   * started no others. For tests and tools.
   */
  async run(): Promise<void> {
    do {
      await this.#turns.untilIdle();
      // Code that awaited the last operation runs now, and may start others.
      await new Promise(resolve => setImmediate(resolve));
    } while (this.#turns.alive);
  }

  /**
   * What keeps the process alive: operations in flight, and other resources of this package. It answers why a program
   * does not exit. With `UASYNC_TRACE=1` in the environment each item has the stack that started it. For Node's own
   * resources see `process.getActiveResourcesInfo()`.
   */
  active(): ActiveResource[] {
    return activeOf(this.#operations.slots.values());
  }

  /** The current counters. */
  stats(): LoopStats {
    return {
      inFlight: this.#operations.size,
      referenced: this.#operations.referenced,
      submitted: this.#operations.submitted,
      completed: this.#operations.completed,
      stale: this.#operations.stale,
      enters: this.queues.enters,
      turns: this.#turns.count,
      overflow: this.#closed ? 0 : this.queues.cqDropped,
      blocks: sumOf([this.blocks, this.fixedBlocks, this.leasedBlocks].map(pool => pool.stats())),
    };
  }

  // --- The end ------------------------------------------------------------------------------------

  /** @internal Calls `callback` when the loop begins to close: what has yet to start fails there. */
  onClosing(callback: () => void): void {
    this.#onClosing.push(callback);
  }

  /** @internal Calls `callback` when the kernel is done with all operations: buffer rings close there. */
  onClose(callback: () => void): void {
    this.#onClose.push(callback);
  }

  /**
   * Closes the loop: cancels everything in flight, waits until the kernel is done with it, and unmaps. Operations in
   * flight reject; later use of this package makes a new loop. A second call does nothing.
   */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.inline.end();
    this.#operations.settleAllExpected(ECANCELED);
    this.blocks.close();
    for (const callback of this.#onClosing) callback();
    const done = cancelAll(this, this.executor, this.#operations);
    this.#closed = true;
    this.#turns.close();
    this.#scheduler.close();
    if (done) this.#endBuffers();
    this.executor.close();
    if (done) this.#unmap();
    else abandon(this.executor, this.#operations, () => this.#endLate());
  }

  #endBuffers(): void {
    for (const callback of this.#onClose) callback();
  }

  /** The backend is done with the last operation, which had been abandoned. */
  #endLate(): void {
    this.#endBuffers();
    this.#unmap();
  }

  #unmap(): void {
    this.unmapCalls();
    this.blocks.unmap();
    this.fixedBlocks.unmap(false);
    this.leasedBlocks.unmap(true);
  }
}
