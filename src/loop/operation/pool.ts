import { assert } from '../../sys/errors/assert.js';
import type { Loop } from '../loop.js';
import type { Operation } from './operation.js';

const KEPT_MAX = 4096;

/** Reuses operations of one kind instead of allocating them. */
export class OperationPool<T extends Operation> {
  readonly #create: new (
    loop: Loop,
  ) => T;
  readonly #free: T[] = [];

  constructor(create: new (loop: Loop) => T) {
    this.#create = create;
  }

  /** An operation that is not in flight. */
  take(loop: Loop): T {
    const operation = this.#free.pop();
    // Operations of a loop that was closed since are useless.
    if (operation === undefined || operation.loop !== loop) return new this.#create(loop);
    operation.pooled = false;
    return operation;
  }

  /** Returns one; the caller keeps no reference. */
  give(operation: T): void {
    assert(operation.slot === -1, 'An operation was given back while it is in flight');
    assert(!operation.pooled, 'An operation was given back twice');
    if (this.#free.length === KEPT_MAX) return;
    operation.pooled = true;
    this.#free.push(operation);
  }
}
