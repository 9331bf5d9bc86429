/** The order of reads and writes at the current position of a file. */
import type { TransferOwner } from './transfer.js';

type Kind = 'reads' | 'writes';

/**
 * Reads and writes at the current position go one after the other, so that each moves it in turn. What
 * has no position (a pipe, a terminal) keeps reads and writes apart: one may wait for the other.
 */
export class PositionOrder {
  readonly #owner: TransferOwner;
  /** The last calls. */
  #reads: Promise<void> | null = null;
  #writes: Promise<void> | null = null;

  constructor(owner: TransferOwner) {
    this.#owner = owner;
  }

  /** Whether nothing is under way or waits. */
  get idle(): boolean {
    return this.#reads === null && this.#writes === null;
  }

  /** Whether a write is under way or waits. */
  get writing(): boolean {
    return this.#writes !== null;
  }

  /** Starts it once those before it have settled. The owner is told when it has ended. */
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
