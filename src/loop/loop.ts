import type { Sqe } from '../ring/sqe/index.js';
import type { LoopResources } from './loop-resources.js';
import type { LoopStats } from './loop-stats.js';
import type { BlockPool } from './memory/blocks.js';
import type { FixedBlocks } from './memory/fixed-blocks.js';
import type { ActiveResource } from './operation/active.js';
import type { Delivery } from './operation/deliveries.js';
import type { Pending } from './operation/pending.js';
import type { IterateOptions, Iteration } from './raw/iteration.js';
import type { InlineBudget } from './turns/inline-budget.js';

/**
 * One thread's event loop: a backend that executes entries, the operations in flight on it, and the decision when to
 * submit and reap. Operations queue entries in memory; one system call per turn submits them all.
 */
export interface Loop extends LoopResources {
  /** @internal */
  readonly blocks: BlockPool;

  /** @internal For large transfers with O_DIRECT. */
  readonly fixedBlocks: FixedBlocks;

  /** @internal For bytes that users see in place. */
  readonly leasedBlocks: FixedBlocks;

  /** @internal The budget for plain calls until Node's event loop completes an iteration. */
  readonly inline: InlineBudget;

  /**
   * @internal Whether a plain call made now saves a submission: little is going on and nothing else is queued, or the
   * submission itself would be such a call.
   */
  readonly isQuiet: boolean;

  /** Whether `close()` has been called. */
  readonly closed: boolean;

  /** @internal Whether `close()` is in progress or done: a cancelled operation must not start again. */
  readonly closing: boolean;

  /** @internal How many operations in flight may wait for an eventfd, which users' operations may do: see WakeUp. */
  eventfdWaits: number;

  // --- Starting and cancelling operations ----------------------------------------------------------

  /**
   * @internal Puts an operation in flight: takes a slot, and returns the entry, to fill at once. It is submitted with
   * everything else in this burst.
   */
  start(operation: Pending): Sqe;

  /** @internal Ensures that the next `count` entries are submitted together: a chain must not be cut. */
  reserve(count: number): void;

  /** @internal Starts an entry whose completion is only counted. */
  startUnowned(): Sqe;

  /** @internal Installs a descriptor for a registered file; see Backend. */
  installFile(index: number): number;

  /**
   * @internal Puts an operation in flight that has no entry: another thread completes it, by `notify` with the same
   * key. Keys are random, so that a message for a loop that has ended means nothing to the loop that has its descriptor
   * now.
   */
  expect(operation: Pending, key: number): void;

  /** @internal Completes at once what `expect` has put in flight. A later `notify` has no effect. */
  settleExpected(key: number, res: number): void;

  /** @internal Completes the operation that expects `key` on the loop with this `mailbox`. MSG_RING, 5.18 */
  notify(ringFd: number, key: number): void;

  /**
   * @internal Asks the kernel to cancel an operation. Only the operation's own completion tells the outcome: it may
   * have succeeded nevertheless.
   */
  cancel(operation: Pending): void;

  /**
   * @internal As `cancel`, repeated each turn until it has completed: the kernel does not find an operation that it is
   * just about to retry.
   */
  cancelForSure(operation: Pending): void;

  /**
   * Awaits any operation: `prepare` fills an entry, and the promise resolves to its result. A negative result rejects
   * with the error of that errno. Buffers are used in place and stay alive until the operation has completed, so leave
   * them alone until then. A multishot operation is cancelled after its first result: see `iterate`.
   */
  submit(prepare: (sqe: Sqe) => void, options?: { signal?: AbortSignal }): Promise<number>;

  /**
   * The completions of an operation with several (multishot poll, accept, receive, timeout …), one after the other, until
   * the one without CQE_F_MORE. It starts at once; leaving a `for await` loop cancels it. If it ends with a failure, the
   * iteration rejects. Buffers stay alive until then.
   * @throws what `prepare` throws, TypeErrors for wrong options, and an `AbortError` if `signal` is aborted.
   */
  iterate(prepare: (sqe: Sqe) => void, options?: IterateOptions): Iteration;

  /** @internal Changes whether an operation keeps the process alive. */
  setReferenced(operation: Pending, referenced: boolean): void;

  /** @internal Completions delivered so far. */
  readonly completed: number;

  // --- Turns ---------------------------------------------------------------------------------------

  /**
   * Calls `callback` in the loop's next turn, in call order, in the async context of the call; if the loop is closed
   * before that, right after the close.
   */
  callSoon(callback: () => void): void;

  /** @internal As `callSoon`, for callbacks that are not the user's: in any async context. */
  soon(callback: () => void): void;

  /** @internal Makes `delivery` from an immediate, after those that wait already. */
  deliver(delivery: Delivery): void;

  /**
   * Takes one turn now, without waiting: submits queued entries and settles completed operations. Returns the number of
   * completions. Code that awaits them runs when JavaScript's stack is empty again. For tests and tools.
   */
  poll(): number;

  /** @internal The thread ends: submits what is queued, and what follows from it, as far as nothing waits. */
  submitLast(): void;

  /**
   * Resolves when no operation that keeps the process alive is in flight, and the code that awaited the last ones has
   * started no others. For tests and tools.
   */
  run(): Promise<void>;

  /**
   * What keeps the process alive: operations in flight, and other resources of this package. It answers why a program
   * does not exit. With `UASYNC_TRACE=1` in the environment each item has the stack that started it. For Node's own
   * resources see `process.getActiveResourcesInfo()`.
   */
  active(): ActiveResource[];

  /** The current counters. */
  stats(): LoopStats;

  // --- The end -------------------------------------------------------------------------------------

  /** @internal Calls `callback` when the loop begins to close: what has yet to start fails there. */
  onClosing(callback: () => void): void;

  /** @internal Calls `callback` when the kernel is done with all operations: buffer rings close there. */
  onClose(callback: () => void): void;

  /**
   * Closes the loop: cancels everything in flight, waits until the kernel is done with it, and unmaps. Operations in
   * flight reject; later use of this package makes a new loop. A second call does nothing.
   */
  close(): void;
}
