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
    return operation !== undefined && operation.loop === loop ? operation : new this.#create(loop);
  }

  /** Takes one back; its caller keeps no reference. */
  give(operation: T): void {
    if (this.#free.length < KEPT_MAX) this.#free.push(operation);
  }
}
