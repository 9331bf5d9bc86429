import { now } from '../loop/real-timers.js';

/** Milliseconds until the next try, at first and at most. */
const FIRST_MS = 1000;
const MOST_MS = 60_000;

/**
 * That the loop could not be made, or that there was no memory for it. Descriptors and memory may be free later: it is
 * tried again after a while, each time a longer one.
 */
export class Setback {
  #until = 0;
  #pause = FIRST_MS;

  /** Whether it is too early to try again. */
  get lasts(): boolean {
    return this.#until !== 0 && now() < this.#until;
  }

  /** It has failed again. */
  note(): void {
    this.#until = now() + this.#pause;
    this.#pause = Math.min(this.#pause * 2, MOST_MS);
  }
}
