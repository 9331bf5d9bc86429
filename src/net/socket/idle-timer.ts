/** Idle timeouts: one timer per duration checks all connections with that timeout. */
import { clearInterval, now, setInterval, TIMER_MAX } from '../../loop/real-timers.js';

/** How many checks a timeout has. Activity, and the end of the timeout, are noticed up to one check later. */
const LOOKS = 32;

/** The connections of this thread with the same timeout: one timer checks all of them. */
class IdleGroup {
  readonly #ms: number;
  readonly #every: number;
  readonly #timers = new Set<IdleTimer>();
  #interval: NodeJS.Timeout | undefined;
  #last = 0;

  constructor(ms: number) {
    this.#ms = ms;
    this.#every = Math.min(Math.max(1, ms / LOOKS), TIMER_MAX);
  }

  add(timer: IdleTimer): void {
    if (this.#timers.size === 0) {
      this.#last = now();
      this.#interval = setInterval(this.#look, this.#every).unref();
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
    const late = time - this.#last > this.#every * 2;
    this.#last = time;
    for (const timer of this.#timers) timer.look(time, late);
  };
}

const groups = new Map<number, IdleGroup>();

/**
 * Calls back when `moved()` has not changed for `ms` milliseconds of `waiting()`, up to a tenth later. It keeps nothing
 * alive. Transferring bytes costs nothing this way.
 */
export class IdleTimer {
  readonly #ms: number;
  readonly #moved: () => number;
  readonly #waiting: () => boolean;
  readonly #onIdle: () => void;
  readonly #group: IdleGroup;
  #seen: number;
  /** Since when it has waited without a change; -1 while it does not wait. */
  #since = -1;
  /** Its timeout had passed at a late check. */
  #overdue = false;

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

  /**
   * `late` if the process was delayed: it has yet to receive data that arrived meanwhile, so the next check decides.
   */
  look(time: number, late: boolean): void {
    const moved = this.#moved();
    const overdue = this.#overdue;
    this.#overdue = false;
    if (!this.#waiting()) this.#since = -1;
    else if (moved !== this.#seen || this.#since < 0) this.#since = time;
    else if (time - this.#since >= this.#ms) {
      if (late && !overdue) this.#overdue = true;
      else {
        this.#since = time;
        this.#onIdle();
      }
    }
    this.#seen = moved;
  }

  stop(): void {
    this.#group.delete(this);
  }
}
