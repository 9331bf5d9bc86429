import type { Backend, Queues } from './backend.js';
import { Callbacks } from './callbacks.js';
import { Deliveries } from './deliveries.js';
import type { InlineBudget } from './inline-budget.js';
import type { OperationTable } from './operation-table.js';
import { traceStarts, tracing } from './trace.js';

/**
 * After no more submissions than these the turn reaps at once: what they complete saves a pass through Node's event
 * loop. After more of them waiting gathers larger batches.
 */
const FEW = 2;

/** What a loop does in a turn: it submits what is queued, and hands out completions. The scheduler says when. */
export class Turns {
  /** What to call in the next turn. */
  readonly callbacks = new Callbacks();
  /** Completions that code outside is to be told of. */
  readonly deliveries = new Deliveries();
  /** Turns taken. */
  count = 0;
  /** Whether completions are being handed out. */
  reaping = false;
  readonly #backend: Backend;
  readonly #queues: Queues;
  readonly #operations: OperationTable;
  readonly #inline: InlineBudget;
  #idle: (() => void)[] = [];
  /** How many completions were reaped last. */
  #reaped = 0;
  #closed = false;

  constructor(backend: Backend, operations: OperationTable, inline: InlineBudget) {
    this.#backend = backend;
    this.#queues = backend.queues;
    this.#operations = operations;
    this.#inline = inline;
  }

  /** Whether little has just completed. */
  get quiet(): boolean {
    return this.#reaped <= FEW;
  }

  /** Completions so far. */
  get completed(): number {
    return this.#operations.completed;
  }

  /** Whether anything is in flight. */
  get busy(): boolean {
    return this.#operations.size !== 0;
  }

  /** Whether operations in flight keep the process alive. */
  get alive(): boolean {
    return this.#operations.referenced > 0;
  }

  /** How many operations in flight may wait for an eventfd. */
  get eventfdWaits(): number {
    return this.#operations.eventfdWaits;
  }

  /**
   * Submits what is queued, and reaps if that was little, if operations that complete at once are in flight, or if
   * `reap` asks for it. Returns whether completions were left in the queue.
   */
  turn(reap: boolean): boolean {
    if (this.#closed) return false;
    const queues = this.#queues;
    this.count++;
    if (reap) this.#inline.refill();
    if (tracing) traceStarts();
    if (!this.callbacks.isEmpty) this.callbacks.run();
    if (this.#closed) return false;
    const queued = queues.sqReady;
    const { completesAtOnce } = this.#backend;
    if (queued !== 0 || (reap && this.#hidden() && (completesAtOnce || queues.cqReady === 0)))
      queues.submitAndGetEvents(reap);
    if (reap || completesAtOnce || queued <= FEW || this.#operations.eager !== 0) this.#reaped = this.reap();
    // Not for what the turn itself has queued: sends that are awaited one after the other keep to the budget.
    if (reap && completesAtOnce) this.#inline.allowAnswers(this.#reaped);
    if (this.#closed) return false;
    if (this.#idle.length !== 0 && !this.alive) this.#settleIdle();
    // From an immediate they are delivered right after this.
    if (!reap && !this.deliveries.empty) return true;
    // What the kernel would not take (EAGAIN, EBUSY) is tried again.
    return queues.cqReady !== 0 || queues.sqReady !== 0 || queues.cqHasOverflow;
  }

  /** Whether completions become ready by a system call. */
  #hidden(): boolean {
    return this.#queues.taskWorkPending || this.#queues.cqHasOverflow;
  }

  /** What waits for room in the queue is for the next turn: the peers may send faster than it is dealt with. */
  reap(): number {
    const outer = this.reaping;
    this.reaping = true;
    try {
      return this.#queues.reapQueue(this.#operations);
    } finally {
      this.reaping = outer;
    }
  }

  /** Resolves when nothing in flight keeps the process alive; at once if that is so. */
  async untilIdle(): Promise<void> {
    if (this.alive) await new Promise<void>(resolve => this.#idle.push(resolve));
  }

  #settleIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** Takes no more turns. */
  close(): void {
    this.#closed = true;
    this.#settleIdle();
  }
}
