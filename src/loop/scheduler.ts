import { libc, type PollHandle } from '../ring/libc.js';

/** What the scheduler drives. */
interface Turning {
  /** Submits, perhaps reaps; returns whether completions are left to reap. */
  turn(reap: boolean): boolean;
  /** Whether the process must not end. */
  readonly alive: boolean;
}

/**
 * After so many turns in a row from `process.nextTick` the next goes through `setImmediate`, so that
 * timers, signals and libuv's other handles get their share.
 */
const BURST_MAX = 64;

/**
 * When the loop takes its turns, beside Node's own event loop.
 *
 * The first operation of a burst schedules a turn with `process.nextTick`, which runs after the
 * microtasks that queue more. Completions left over are reaped in the `setImmediate` after it, together
 * with what has arrived by then. When nothing is ready the thread sleeps in libuv's epoll, which watches
 * the ring's descriptor.
 */
export class Scheduler {
  readonly #loop: Turning;
  readonly #watch: PollHandle;
  #referenced = false;
  #tickQueued = false;
  #immediateQueued = false;
  #burst = 0;
  #closed = false;

  constructor(fd: number, loop: Turning) {
    this.#loop = loop;
    // No microtask runs after this callback, so all it may do is to schedule a turn.
    this.#watch = libc().pollReadable(fd, () => this.wakeLater());
    this.#watch.unref();
  }

  /** Something was queued: take a turn once the current burst is over. */
  wake(): void {
    if (this.#tickQueued) return;
    this.#tickQueued = true;
    if (this.#burst < BURST_MAX) process.nextTick(this.#onTick);
    else this.wakeLater();
  }

  /** Take a turn, and reap, after libuv has looked at everything else. */
  wakeLater(): void {
    if (this.#immediateQueued || this.#closed) return;
    this.#immediateQueued = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onTick = (): void => {
    this.#tickQueued = false;
    if (this.#closed) return;
    this.#burst++;
    if (this.#loop.turn(false)) this.wakeLater();
    this.#updateReference();
  };

  readonly #onImmediate = (): void => {
    this.#immediateQueued = false;
    if (this.#closed) return;
    if (this.#burst >= BURST_MAX) this.#tickQueued = false;
    this.#burst = 0;
    this.#loop.turn(true);
    if (this.#loop.alive !== this.#referenced) this.#setReference(this.#loop.alive);
  };

  /** Holding the process is done at once; letting go waits for an immediate, as most pauses are short. */
  #updateReference(): void {
    const alive = this.#loop.alive;
    if (alive === this.#referenced) return;
    if (alive) this.#setReference(true);
    else this.wakeLater();
  }

  #setReference(referenced: boolean): void {
    this.#referenced = referenced;
    if (referenced) this.#watch.ref();
    else this.#watch.unref();
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
  }
}
