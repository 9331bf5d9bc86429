import { throwLater } from '../operation/uncaught.js';

/** Callbacks for the loop's next turn. */
export class Callbacks {
  #waiting: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** Calls the waiting callbacks. Those that they add wait for the next turn, so that I/O is not delayed. */
  run(): void {
    const callbacks = this.#waiting;
    this.#waiting = [];
    for (const callback of callbacks) {
      try {
        callback();
      } catch (error) {
        throwLater(error);
      }
    }
  }
}
