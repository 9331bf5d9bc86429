import type { Backend, Queues } from '../backend/backend.js';
import { Deliveries } from '../operation/deliveries.js';
import type { OperationTable } from '../operation/operation-table.js';
import { traceStarts, tracing } from '../operation/trace.js';
import { nextTick } from '../real-timers.js';
import { Callbacks } from './callbacks.js';
import type { InlineBudget } from './inline-budget.js';

/**
 * After at most this many submissions the turn reaps at once: their completions then need no pass through Node's event
 * loop. After more of them, waiting gathers larger batches.
 */
const FEW = 2;
/** At the end of the thread: a peer that reads as fast as it is sent to must not hold up the end for ever. */
const LAST_ROUNDS = 256;

/** A turn of the loop: it submits queued entries, and delivers completions. The scheduler decides when. */
export class Turns {
  /** Callbacks for the next turn. */
  readonly callbacks = new Callbacks();
  /** Completions for outside code. */
  readonly deliveries = new Deliveries();
  /** Turns taken. */
  count = 0;
  /** Whether completions are being delivered. */
  reaping = false;
  readonly #backend: Backend;
  readonly #queues: Queues;
  readonly #operations: OperationTable;
  readonly #inline: InlineBudget;
  #idle: (() => void)[] = [];
  /** The number of completions of the last reap. */
  #reaped = 0;
  #closed = false;

  constructor(backend: Backend, operations: OperationTable, inline: InlineBudget) {
    this.#backend = backend;
    this.#queues = backend.queues;
    this.#operations = operations;
    this.#inline = inline;
  }

  /** Whether few operations have just completed. */
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
   * Submits queued entries, and reaps if there were few, if operations that complete at once are in flight, or if
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
    // Not for entries that the turn itself has queued: sends that are awaited one after the other use the budget.
    if (reap && completesAtOnce) this.#inline.allowAnswers(this.#reaped);
    if (this.#closed) return false;
    if (this.#idle.length !== 0 && !this.alive) this.#settleIdle();
    // From an immediate they are delivered right after this.
    if (!reap && !this.deliveries.empty) return true;
    // Entries that the kernel did not take (EAGAIN, EBUSY) are tried again.
    return queues.cqReady !== 0 || queues.sqReady !== 0 || queues.cqHasOverflow;
  }

  /** Whether completions need a system call to become ready. */
  #hidden(): boolean {
    return this.#queues.taskWorkPending || this.#queues.cqHasOverflow;
  }

  /**
   * Completions that wait for room in the queue are left for the next turn: peers may send faster than they are
   * handled.
   */
  reap(): number {
    const outer = this.reaping;
    this.reaping = true;
    try {
      return this.#queues.reapQueue(this.#operations);
    } finally {
      this.reaping = outer;
    }
  }

  /** The thread ends: submits what is queued, and what completions queue, as far as nothing waits. */
  last(): void {
    const queues = this.#queues;
    for (let round = 0; round < LAST_ROUNDS && !this.#closed && queues.sqReady !== 0; round++) {
      queues.submitAndGetEvents(true);
      this.reap();
    }
  }

  /** Resolves when nothing in flight keeps the process alive; at once if nothing does now. */
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
    // Users' callbacks, for which no turn comes.
    if (!this.callbacks.isEmpty) nextTick(() => this.callbacks.run());
  }
}
