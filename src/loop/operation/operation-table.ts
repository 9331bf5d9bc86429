import type { CqeSink } from '../../ring/queue/cqe.js';
import { Slots } from '../../ring/queue/slots.js';
import { assert } from '../../sys/errors/assert.js';
import { hasMore } from './completion.js';
import type { Pending } from './pending.js';
import { traceEnd, tracing } from './trace.js';
import { throwLater } from './uncaught.js';

/** user_data of entries whose completion is only counted. */
export const UNOWNED = -1;
/** The upper half of user_data of entries that open a descriptor; 0 in others. */
export const INSTALLED = 1;
/** user_data (its low word) of completions that another thread's ring posts here; the high word is a key. */
export const FOREIGN = -2;

/**
 * Everything in flight on a loop: operations, in slots that their user_data names, and entries that are only counted.
 * Receives the completions.
 */
export class OperationTable implements CqeSink {
  readonly slots = new Slots<Pending>();
  /** Operations that another thread completes, by their keys. */
  readonly #expected = new Map<number, Pending>();
  /** Entries in flight whose completion is only counted. */
  unowned = 0;
  /** Operations that keep the process alive. */
  referenced = 0;
  /** Operations that are likely to complete while they are submitted. */
  eager = 0;
  /** Operations that may wait for an eventfd. */
  eventfdWaits = 0;
  /** Started, in total. */
  submitted = 0;
  /** Completions delivered, in total. */
  completed = 0;
  /** Completions whose operation no longer existed, in total. */
  stale = 0;

  /** The number of operations and entries in flight. */
  get size(): number {
    return this.slots.size + this.unowned;
  }

  /** Puts an operation in flight; returns its slot. */
  add(operation: Pending): number {
    const slot = this.slots.add(operation);
    operation.slot = slot;
    this.submitted++;
    if (operation.referenced) this.referenced++;
    if (operation.eager) this.eager++;
    return slot;
  }

  /** Puts an operation in flight that has no entry. */
  expect(operation: Pending, key: number): void {
    assert(operation.slot === -1, 'An operation was started while it is in flight');
    this.add(operation);
    this.#expected.set(key, operation);
  }

  /** Completes it, if it is still in flight. */
  settleExpected(key: number, res: number): void {
    const operation = this.#expected.get(key);
    if (operation === undefined) return;
    this.#expected.delete(key);
    this.settle(operation, res);
  }

  settleAllExpected(res: number): void {
    for (const key of [...this.#expected.keys()]) this.settleExpected(key, res);
  }

  /** Completes an operation in flight that gets no completion. */
  settle(operation: Pending, res: number): void {
    this.onCqe(operation.slot, this.slots.generation(operation.slot), res, 0);
  }

  onCqe(low: number, high: number, res: number, flags: number): void {
    if (low === UNOWNED) {
      assert(this.unowned > 0, 'An entry has completed that was not in flight');
      this.unowned--;
      return;
    }
    if (low === FOREIGN) {
      this.settleExpected(high, res);
      return;
    }
    const operation = this.slots.get(low, high);
    if (operation === undefined) {
      this.stale++;
      return;
    }
    this.completed++;
    const more = hasMore(flags);
    if (tracing) traceEnd(operation, low, res, more);
    if (!more) this.#remove(operation);
    try {
      operation.complete(res, flags);
    } catch (error) {
      throwLater(error);
    }
  }

  /** The last completion of an operation has come: frees its slot. */
  #remove(operation: Pending): void {
    this.slots.remove(operation.slot);
    operation.slot = -1;
    if (operation.referenced) this.referenced--;
    if (operation.eager) this.eager--;
    assert(this.referenced >= 0 && this.eager >= 0, 'More operations have completed than were in flight');
  }

  /**
   * Changes whether an operation keeps the process alive; returns whether it is in flight, so that this takes effect
   * now.
   */
  setReferenced(operation: Pending, referenced: boolean): boolean {
    if (operation.referenced === referenced) return false;
    operation.referenced = referenced;
    if (operation.slot < 0) return false;
    this.referenced += referenced ? 1 : -1;
    return true;
  }
}
