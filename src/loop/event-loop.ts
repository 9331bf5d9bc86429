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
import type { Loop } from './loop.js';
import { type LoopOptions, withDefaults } from './loop-options.js';
import { LoopResources } from './loop-resources.js';
import type { LoopStats } from './loop-stats.js';
import { BlockPool, sumOf } from './memory/blocks.js';
import { FixedBlocks } from './memory/fixed-blocks.js';
import { type ActiveResource, activeOf, keepsStacks, noteStack } from './operation/active.js';
import type { Delivery } from './operation/deliveries.js';

import { FOREIGN, INSTALLED, OperationTable, UNOWNED } from './operation/operation-table.js';
import type { Pending } from './operation/pending.js';
import { traceCancel, traceStart, tracing } from './operation/trace.js';
import { RawIteration } from './raw/iterate.js';
import type { IterateOptions, Iteration } from './raw/iteration.js';
import { submitRaw } from './raw/submit.js';
import { setImmediate } from './real-timers.js';
import { InlineBudget } from './turns/inline-budget.js';
import { Scheduler } from './turns/scheduler.js';
import { Turns } from './turns/turns.js';

/** Whether starts of operations are recorded. */
const watched = tracing || keepsStacks;

/** The loop of a thread. `Loop` describes it. */
export class EventLoop extends LoopResources implements Loop {
  readonly blocks: BlockPool;
  readonly fixedBlocks: FixedBlocks;
  readonly leasedBlocks: FixedBlocks;
  readonly inline: InlineBudget;
  readonly #operations = new OperationTable();
  readonly #turns: Turns;
  readonly #scheduler: Scheduler;
  #onClosing: (() => void)[] = [];
  #onClose: (() => void)[] = [];
  #closed = false;
  #closing = false;

  /** Use `loop()`. @param backend a replacement for its own, for tests. */
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

  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.#closed ? 'closed' : 'open', '', [
      `${this.#operations.size} in flight`,
      counted(this.#operations.referenced, 'keeps the process alive', 'keep the process alive'),
      `submitted ${this.#operations.submitted}`,
      `completed ${this.#operations.completed}`,
      `blocks ${this.stats().blocks.used} of ${this.stats().blocks.mapped} bytes`,
    ]);
  }

  get isQuiet(): boolean {
    return this.executor.completesAtOnce || (this.#turns.quiet && this.queues.sqReady === 0);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get closing(): boolean {
    return this.#closing;
  }

  get eventfdWaits(): number {
    return this.#operations.eventfdWaits;
  }

  set eventfdWaits(count: number) {
    assert(count >= 0, 'More operations have stopped to wait for an eventfd than waited');
    this.#operations.eventfdWaits = count;
  }

  // --- Starting and cancelling operations ---------------------------------------------------------

  start(operation: Pending): Sqe {
    if (this.#closing) throw closedError('The loop');
    assert(operation.slot === -1, 'An operation was started while it is in flight');
    const sqe = this.#entry();
    const slot = this.#operations.add(operation);
    if (watched) this.#note(operation, this.start);
    return sqe.userDataWords(slot, this.#operations.slots.generation(slot));
  }

  /** Records a start for tracing. */
  #note(operation: Pending, start: (operation: Pending, key: number) => unknown): void {
    if (tracing) traceStart(operation);
    if (keepsStacks) noteStack(operation, this.#turns.reaping, start);
  }

  reserve(count: number): void {
    if (this.queues.sqSpaceLeft < count) this.#makeRoom(count);
  }

  startUnowned(): Sqe {
    const sqe = this.#entry();
    this.#operations.unowned++;
    return sqe.userDataWords(UNOWNED, 0);
  }

  installFile(index: number): number {
    const fd = this.executor.installFile(index, UNOWNED, INSTALLED);
    if (fd === EAGAIN) return fd;
    this.#operations.unowned++;
    this.#scheduler.wake();
    return fd;
  }

  expect(operation: Pending, key: number): void {
    if (this.#closing) throw closedError('The loop');
    this.#operations.expect(operation, key);
    if (watched) this.#note(operation, this.expect);
    this.#scheduler.wake();
  }

  settleExpected(key: number, res: number): void {
    this.#operations.settleExpected(key, res);
    // It may have been the only thing that kept the process alive.
    this.#scheduler.wake();
  }

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

  cancel(operation: Pending): void {
    const slot = operation.slot;
    if (slot < 0) return;
    if (tracing) traceCancel(operation);
    this.startUnowned().cancelWords(slot, this.#operations.slots.generation(slot));
  }

  cancelForSure(operation: Pending): void {
    const { slot } = operation;
    const generation = this.#operations.slots.generation(slot);
    const again = (): void => {
      if (this.#closing || this.#operations.slots.get(slot, generation) !== operation) return;
      this.cancel(operation);
      this.soon(again);
    };
    this.soon(again);
  }

  submit(prepare: (sqe: Sqe) => void, options?: { signal?: AbortSignal }): Promise<number> {
    return submitRaw(this, prepare, options);
  }

  iterate(prepare: (sqe: Sqe) => void, options: IterateOptions = {}): Iteration {
    return new RawIteration(this, prepare, options);
  }

  setReferenced(operation: Pending, referenced: boolean): void {
    if (this.#operations.setReferenced(operation, referenced)) this.#scheduler.wake();
  }

  get completed(): number {
    return this.#operations.completed;
  }

  // --- Turns --------------------------------------------------------------------------------------

  callSoon(callback: () => void): void {
    checkFunction('callback', callback);
    const context = new AsyncResource('uasync.callSoon');
    this.soon(() => context.runInAsyncScope(callback));
  }

  soon(callback: () => void): void {
    if (this.#closed) throw closedError('The loop');
    this.#turns.callbacks.add(callback);
    this.#scheduler.wake();
  }

  deliver(delivery: Delivery): void {
    this.#turns.deliveries.push(delivery);
    // While completions are reaped, the turn itself checks.
    if (!this.#turns.reaping) this.#scheduler.wakeLater();
  }

  poll(): number {
    if (this.#closed) throw closedError('The loop');
    const before = this.#operations.completed;
    if (this.#turns.turn(true) || !this.#turns.deliveries.empty) this.#scheduler.wakeLater();
    return this.#operations.completed - before;
  }

  submitLast(): void {
    this.#turns.last();
  }

  async run(): Promise<void> {
    do {
      await this.#turns.untilIdle();
      // Code that awaited the last operation runs now, and may start others.
      await new Promise(resolve => setImmediate(resolve));
    } while (this.#turns.alive);
  }

  active(): ActiveResource[] {
    return activeOf(this.#operations.slots.values());
  }

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

  onClosing(callback: () => void): void {
    this.#onClosing.push(callback);
  }

  onClose(callback: () => void): void {
    this.#onClose.push(callback);
  }

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

// What users see of it.
Object.defineProperty(EventLoop, 'name', { value: 'Loop' });
