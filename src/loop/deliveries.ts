import { runTicks } from './real-timers.js';

/** An event, and the code outside this package that is told about it. */
export interface Delivery {
  /** Calls that code; what it throws is an uncaught exception. */
  deliver(): void;
}

/** A list that was longer than this is not kept for the next time. */
const KEPT_MAX = 4096;

/**
 * Completions that go to callbacks of Node's own classes. They are delivered from an immediate, one after the other in
 * the order in which they came, and between two of them ticks and microtasks run, as between the callbacks of libuv.
 */
export class Deliveries {
  // The lists are filled again and again: to shorten an array is a call out of JavaScript, and frees its memory.
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

  /** Delivers what waits now; what comes meanwhile waits for the next call. After an exception the rest does. */
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
