import { assert } from '../ring/assert.js';
import { Slots } from '../ring/slots.js';
import type { Operation } from './operation.js';

/** The operations in flight on a loop, in slots that their user_data names, and how many they are of each kind. */
export class OperationTable {
  readonly slots = new Slots<Operation>();
  /** Those that keep the process alive. */
  referenced = 0;
  /** Those that are likely to complete while they are submitted. */
  eager = 0;
  /** Started, in total. */
  submitted = 0;
  /** Completions delivered, in total. */
  completed = 0;
  /** Completions that found their operation gone, in total. */
  stale = 0;

  get size(): number {
    return this.slots.size;
  }

  /** Puts an operation in flight that is not; its slot. */
  add(operation: Operation): number {
    const slot = this.slots.add(operation);
    operation.slot = slot;
    this.submitted++;
    if (operation.referenced) this.referenced++;
    if (operation.eager) this.eager++;
    return slot;
  }

  /** The operation that a completion is for, undefined if it is gone. */
  completing(slot: number, generation: number): Operation | undefined {
    const operation = this.slots.get(slot, generation);
    if (operation === undefined) this.stale++;
    else this.completed++;
    return operation;
  }

  /** The last completion of an operation has come: its slot is free. */
  remove(operation: Operation): void {
    this.slots.remove(operation.slot);
    operation.slot = -1;
    if (operation.referenced) this.referenced--;
    if (operation.eager) this.eager--;
    assert(this.referenced >= 0 && this.eager >= 0, 'More operations have completed than were in flight');
  }

  /** Changes whether an operation keeps the process alive; returns whether it is in flight, so that this matters now. */
  setReferenced(operation: Operation, referenced: boolean): boolean {
    if (operation.referenced === referenced) return false;
    operation.referenced = referenced;
    if (operation.slot < 0) return false;
    this.referenced += referenced ? 1 : -1;
    return true;
  }
}
