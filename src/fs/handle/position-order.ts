/** The order of reads and writes at the current position of a file. */
import { CallEnd, endingWith } from './call-end.js';
import type { TransferOwner } from './transfer.js';

type Kind = 'reads' | 'writes';

/**
 * Runs reads and writes at the current position one after the other, so that each moves the position in turn. For files
 * without a position (pipes, terminals) reads and writes are separate: one may wait for the other.
 */
export class PositionOrder {
  readonly #owner: TransferOwner;
  /** The last call of each kind. */
  #reads: CallEnd | null = null;
  #writes: CallEnd | null = null;

  constructor(owner: TransferOwner) {
    this.#owner = owner;
  }

  /** Whether no call is running or waiting. */
  get idle(): boolean {
    return this.#reads === null && this.#writes === null;
  }

  /** Whether a write is running or waiting. */
  get writing(): boolean {
    return this.#writes !== null;
  }

  /** Starts a call once those before it have settled. The owner is notified when it has ended. */
  run<T>(kind: Kind, start: () => Promise<T>): Promise<T> {
    const own = kind === 'reads' ? this.#reads : this.#writes;
    const other = kind === 'reads' ? this.#writes : this.#reads;
    const waits = other !== null && this.#owner.hasPosition;
    const before = waits ? Promise.all([own?.promise, other.promise]) : own?.promise;
    const ending = new CallEnd();
    const mine = endingWith(before === undefined ? start() : before.then(start), () =>
      this.#ended(kind, ending),
    );
    if (kind === 'reads') this.#reads = ending;
    else this.#writes = ending;
    return mine;
  }

  #ended(kind: Kind, ending: CallEnd): void {
    if (kind === 'reads' && this.#reads === ending) this.#reads = null;
    else if (kind === 'writes' && this.#writes === ending) this.#writes = null;
    ending.settle();
    this.#owner.transferEnded();
  }
}
