import { clearInterval, now, setInterval } from '../loop/real-timers.js';

/** How often within its time a connection is looked at. Up to one look later its last move is seen, and its end. */
const LOOKS = 32;

/**
 * So many looks without a move at least: the first one after the process was held up comes before the loop has
 * received what arrived meanwhile.
 */
const LOOKS_TO_END = 2;

/** The connections of this thread that have the same time: one timer looks at all of them. */
class IdleGroup {
  readonly #ms: number;
  readonly #timers = new Set<IdleTimer>();
  #interval: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(timer: IdleTimer): void {
    if (this.#timers.size === 0) {
      const every = Math.min(Math.max(1, this.#ms / LOOKS), 0x7fffffff);
      this.#interval = setInterval(this.#look, every).unref();
    }
    this.#timers.add(timer);
  }

  delete(timer: IdleTimer): void {
    this.#timers.delete(timer);
    if (this.#timers.size !== 0) return;
    clearInterval(this.#interval);
    groups.delete(this.#ms);
  }

  readonly #look = (): void => {
    const time = now();
    for (const timer of this.#timers) timer.look(time);
  };
}

const groups = new Map<number, IdleGroup>();

/**
 * Calls back when `moved()` has not changed for `ms` milliseconds of `waiting()`, up to a tenth later; it holds
 * nothing alive. Moving bytes costs nothing this way.
 */
export class IdleTimer {
  readonly #ms: number;
  readonly #moved: () => number;
  readonly #waiting: () => boolean;
  readonly #onIdle: () => void;
  readonly #group: IdleGroup;
  #seen: number;
  /** Since when it has been seen to wait without a move; -1 while it does not. */
  #since = -1;
  #looks = 0;

  constructor(ms: number, moved: () => number, waiting: () => boolean, onIdle: () => void) {
    this.#ms = ms;
    this.#moved = moved;
    this.#waiting = waiting;
    this.#onIdle = onIdle;
    this.#seen = moved();
    if (waiting()) this.#since = now();
    let group = groups.get(ms);
    if (group === undefined) {
      group = new IdleGroup(ms);
      groups.set(ms, group);
    }
    this.#group = group;
    group.add(this);
  }

  look(time: number): void {
    const moved = this.#moved();
    if (!this.#waiting()) this.#since = -1;
    else if (moved !== this.#seen || this.#since < 0) {
      this.#since = time;
      this.#looks = 0;
    } else if (++this.#looks >= LOOKS_TO_END && time - this.#since >= this.#ms) {
      this.#since = time;
      this.#looks = 0;
      this.#onIdle();
    }
    this.#seen = moved;
  }

  stop(): void {
    this.#group.delete(this);
  }
}
