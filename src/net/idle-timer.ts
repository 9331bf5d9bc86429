import { clearTimeout, setTimeout } from '../loop/real-timers.js';

/** Calls back when `moved()` has not changed for `ms` milliseconds while `waiting()`; it holds nothing alive. */
export class IdleTimer {
  readonly #ms: number;
  readonly #moved: () => number;
  readonly #waiting: () => boolean;
  readonly #onIdle: () => void;
  #seen: number;
  #timer: NodeJS.Timeout;

  constructor(ms: number, moved: () => number, waiting: () => boolean, onIdle: () => void) {
    this.#ms = ms;
    this.#moved = moved;
    this.#waiting = waiting;
    this.#onIdle = onIdle;
    this.#seen = moved();
    this.#timer = this.#start();
  }

  // Moving bytes costs nothing this way: it is looked at when the time is up.
  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#onTimeout(), Math.min(this.#ms, 0x7fffffff)).unref();
  }

  #onTimeout(): void {
    const moved = this.#moved();
    const idle = moved === this.#seen && this.#waiting();
    this.#seen = moved;
    this.#timer = this.#start();
    if (idle) this.#onIdle();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
