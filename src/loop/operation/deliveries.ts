import { runTicks } from '../real-timers.js';

/** An event for code outside this package. */
export interface Delivery {
  /** Calls that code. An exception becomes an uncaught exception. */
  deliver(): void;
}

/** A longer list is not kept for reuse. */
const KEPT_MAX = 4096;

/**
 * Completions for callbacks of Node's own classes. An immediate delivers them one after the other, in the order of
 * their arrival. Ticks and microtasks run between two of them, as between callbacks of libuv.
 */
export class Deliveries {
  // The lists are reused: shortening an array is a call out of JavaScript, and frees its memory.
  #waiting: (Delivery | null)[] = [];
  #waitingCount = 0;
  #delivering: (Delivery | null)[] = [];
  #count = 0;
  #next = 0;

  get empty(): boolean {
    return this.#waitingCount === 0 && this.#next === this.#count;
  }

  push(delivery: Delivery): void {
    this.#waiting[this.#waitingCount++] = delivery;
  }

  /**
   * Delivers what waits now; later events wait for the next call. After an exception the next call delivers the rest.
   */
  run(): void {
    if (this.#next === this.#count) {
      const done = this.#delivering;
      this.#delivering = this.#waiting;
      this.#count = this.#waitingCount;
      this.#waiting = done.length > KEPT_MAX ? [] : done;
      this.#waitingCount = 0;
      this.#next = 0;
    }
    const delivering = this.#delivering;
    while (this.#next < this.#count) {
      const next = this.#next++;
      const delivery = delivering[next]!;
      delivering[next] = null;
      delivery.deliver();
      runTicks();
    }
  }
}
