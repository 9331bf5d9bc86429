/** The order of reads and writes at the current position of a file. */
import type { TransferOwner } from './transfer.js';

type Kind = 'reads' | 'writes';

/**
 * Runs reads and writes at the current position one after the other, so that each moves the position in turn. For files
 * without a position (pipes, terminals) reads and writes are separate: one may wait for the other.
 */
export class PositionOrder {
  readonly #owner: TransferOwner;
  /** The last call of each kind. */
  #reads: Promise<void> | null = null;
  #writes: Promise<void> | null = null;

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
    const before = other !== null && this.#owner.hasPosition ? Promise.all([own, other]) : own;
    const mine = before === null ? start() : before.then(start);
    const ended = (): void => this.#ended(kind, settled);
    const settled: Promise<void> = mine.then(ended, ended);
    if (kind === 'reads') this.#reads = settled;
    else this.#writes = settled;
    return mine;
  }

  #ended(kind: Kind, settled: Promise<void>): void {
    if (kind === 'reads' && this.#reads === settled) this.#reads = null;
    else if (kind === 'writes' && this.#writes === settled) this.#writes = null;
    this.#owner.transferEnded();
  }
}
