/** What waits at an end of a channel: calls, and the sleeping end itself. */
import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation/operation.js';
import { Waiter } from '../loop/waiting/waiter.js';
import { closedError } from '../sys/errors/errors.js';
import type { TransferList } from './channel-port.js';

/** A `recv`, or a step of an iteration. */
export class Receiving extends Waiter<unknown> {
  /** Whether it is a step of an iteration. */
  iterates = false;

  give(value: unknown): void {
    this.resolve(this.iterates ? { value, done: false } : value);
  }

  end(): void {
    if (this.iterates) this.resolve({ value: undefined, done: true });
    else this.fail(closedError('The channel'));
  }
}

/** A `send` that waits for room. */
export class Sending extends Waiter<void> {
  value: unknown;
  transfer: TransferList | undefined;
}

/** Represents a sleeping channel in the loop, until the other end wakes it. */
export class Sleep extends Operation {
  readonly #wake: () => void;

  constructor(loop: Loop, wake: () => void) {
    super(loop);
    this.#wake = wake;
  }

  override get syscall(): string {
    return 'msg_ring';
  }

  complete(): void {
    this.#wake();
  }
}
