import type { Slots } from '../../ring/queue/slots.js';
import type { Pending } from '../operation/pending.js';

/** How many operations are asked per turn: each costs a cancellation. */
const YIELDS_MAX = 64;
/** How many slots are visited per turn. */
const VISITS_MAX = 4096;

/**
 * Makes operations that wait for a peer return their blocks when memory is short. There may be thousands: each turn
 * asks a few, until memory is no longer short or all have been asked.
 */
export class Reclaim {
  readonly #slots: Slots<Pending>;
  readonly #isShort: () => boolean;
  readonly #soon: (callback: () => void) => void;
  #next = 0;
  /** Slots that are still to be looked at. */
  #left = 0;
  #queued = false;

  /** @param soon calls back in the next turn. */
  constructor(slots: Slots<Pending>, isShort: () => boolean, soon: (callback: () => void) => void) {
    this.#slots = slots;
    this.#isShort = isShort;
    this.#soon = soon;
  }

  /** The first waiter for a block has come. */
  start(): void {
    // Recently asked operations are asked last.
    this.#left = this.#slots.capacity;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#soon(this.#step);
  }

  readonly #step = (): void => {
    this.#queued = false;
    if (!this.#isShort()) return;
    const { capacity } = this.#slots;
    const end = Math.max(this.#left - VISITS_MAX, 0);
    for (let yields = 0; this.#left > end && yields < YIELDS_MAX; this.#left--) {
      if (this.#next >= capacity) this.#next = 0;
      if (this.#slots.valueAt(this.#next++)?.yieldBlock()) yields++;
    }
    if (this.#left > 0) this.#goOn();
  };
}
