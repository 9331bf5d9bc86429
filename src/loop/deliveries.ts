import { runTicks } from './real-timers.js';

/** An event, and the code outside this package that is told about it. */
export interface Delivery {
  /** Calls that code; what it throws is an uncaught exception. */
  deliver(): void;
}

/**
 * Completions that go to callbacks of Node's own classes. They are delivered from an immediate, one after the other in
 * the order in which they came, and between two of them ticks and microtasks run, as between the callbacks of libuv.
 */
export class Deliveries {
  #waiting: Delivery[] = [];
  #delivering: Delivery[] = [];
  #next = 0;

  get empty(): boolean {
    return this.#waiting.length === 0 && this.#next === this.#delivering.length;
  }

  push(delivery: Delivery): void {
    this.#waiting.push(delivery);
  }

  /** Delivers what waits now; what comes meanwhile waits for the next call. After an exception the rest does. */
  run(): void {
    if (this.#next === this.#delivering.length) {
      const done = this.#delivering;
      done.length = 0;
      this.#delivering = this.#waiting;
      this.#waiting = done;
      this.#next = 0;
    }
    while (this.#next < this.#delivering.length) {
      this.#delivering[this.#next++]!.deliver();
      runTicks();
    }
  }
}
