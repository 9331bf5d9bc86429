import { assert } from '../ring/assert.js';
import type { Loop } from './loop.js';
import type { Operation } from './operation.js';

const KEPT_MAX = 4096;

/** Operations of one kind, used again instead of allocated. */
export class OperationPool<T extends Operation> {
  readonly #create: new (
    loop: Loop,
  ) => T;
  readonly #free: T[] = [];

  constructor(create: new (loop: Loop) => T) {
    this.#create = create;
  }

  /** One that is not in flight. */
  take(loop: Loop): T {
    const operation = this.#free.pop();
    // Those of a loop that was closed since are of no more use.
    if (operation === undefined || operation.loop !== loop) return new this.#create(loop);
    operation.pooled = false;
    return operation;
  }

  /** Takes one back; its caller keeps no reference. */
  give(operation: T): void {
    assert(operation.slot === -1, 'An operation was given back while it is in flight');
    assert(!operation.pooled, 'An operation was given back twice');
    if (this.#free.length === KEPT_MAX) return;
    operation.pooled = true;
    this.#free.push(operation);
  }
}
