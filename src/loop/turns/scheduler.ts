import type { WakeUp } from '../backend/backend.js';
import { clearImmediate, nextTick, now, setImmediate } from '../real-timers.js';
import { leaveDomain } from './domains.js';
import type { Turns } from './turns.js';

/**
 * After this many turns in a row without libuv's loop, the next turn goes through `setImmediate`, so that timers,
 * signals and libuv's other handles get their share.
 */
const BURST_MAX = 64;
/** Turns that transfer much data take long: this many milliseconds of turns end a burst too. */
const BURST_MS = 2;
/** The first turn of a burst that is timed. Most bursts have one turn and need no clock. */
const TIMED_FROM = 2;
/** The number of turns between two readings of the clock, after the first. A power of two. */
const TIMED_EVERY = 8;

const RESOLVED = Promise.resolve();

/**
 * Decides when the loop takes its turns, beside Node's own event loop.
 *
 * The first operation of a burst schedules a turn with `process.nextTick`, which runs after the microtasks that queue
 * more. While little is going on a microtask is used instead, which saves a tenth of a cached read. Remaining
 * completions are reaped in the `setImmediate` after it, together with those that have arrived by then.
 *
 * While operations are in flight an immediate is always pending. If nothing is ready it is unreferenced: the thread
 * sleeps in libuv's epoll, and the immediate runs as soon as the backend (see `WakeUp`) or anything else has woken it.
 * So a wake-up needs no callback of its own. With `busyPoll` it stays referenced for a while after each completion, and
 * the thread polls everything repeatedly instead.
 */
export class Scheduler {
  readonly #turns: Turns;
  readonly #wakeUp: WakeUp;
  #referenced = false;
  #tickQueued = false;
  /** Whether completions are being delivered to outside code, and whether that has queued entries. */
  #delivering = false;
  #queuedMeanwhile = false;
  #immediate: NodeJS.Immediate | null = null;
  /** Whether the immediate runs without waiting for an event. */
  #urgent = false;
  #burst = 0;
  /** When the burst has lasted long enough. */
  #burstEnd = 0;
  /** How long to continue polling after a completion, in milliseconds. */
  readonly #busyPoll: number;
  /** The number of completions at the last check, and when to stop polling. */
  #seen = 0;
  #busyEnd = 0;
  #closed = false;
  #settled = false;
  #settling = false;

  /** @param busyPoll in microseconds. */
  constructor(wakeUp: WakeUp, turns: Turns, busyPoll: number) {
    this.#turns = turns;
    this.#busyPoll = busyPoll / 1000;
    this.#wakeUp = wakeUp;
  }

  /** An entry was queued: take a turn once the current burst is over. */
  wake(): void {
    if (this.#tickQueued) return;
    if (this.#delivering) {
      this.#queuedMeanwhile = true;
      return;
    }
    this.#tickQueued = true;
    if (this.#burst >= BURST_MAX) this.wakeLater();
    else if (this.#turns.quiet) void RESOLVED.then(this.#onTick);
    else nextTick(this.#onTick);
  }

  /** Take a turn, and reap, after libuv has polled everything else. */
  wakeLater(): void {
    if (this.#urgent || this.#closed) return;
    this.#urgent = true;
    if (this.#immediate === null) this.#immediate = setImmediate(this.#onImmediate);
    else this.#immediate.ref();
  }

  /** Enough for now: libuv polls everything else before the next turn. */
  yield(): void {
    this.#burst = BURST_MAX;
    this.wakeLater();
  }

  readonly #onTick = (): void => {
    this.#tickQueued = false;
    if (this.#closed) return;
    // Completions within this turn need no wake-up.
    this.#wakeUp.disarm();
    if (!this.#settled) this.#settle();
    this.#turn(false);
    const turns = ++this.#burst;
    if (turns === TIMED_FROM) this.#burstEnd = now() + BURST_MS;
    else if (turns % TIMED_EVERY === TIMED_FROM + 1 && now() > this.#burstEnd) {
      this.#burst = BURST_MAX;
    }
    const { alive } = this.#turns;
    if (alive && !this.#referenced) this.#setReferenced(true);
    // Letting the process exit waits for an immediate, as most pauses are short.
    if (alive !== this.#referenced) this.wakeLater();
    else this.#await();
  };

  readonly #onImmediate = (): void => {
    this.#immediate = null;
    this.#urgent = false;
    if (this.#closed) return;
    leaveDomain();
    this.#wakeUp.disarm();
    if (this.#burst >= BURST_MAX) this.#tickQueued = false;
    this.#burst = 0;
    const { completed } = this.#turns;
    this.#turn(true);
    if (!this.#turns.deliveries.empty) this.#deliver();
    if (this.#turns.alive !== this.#referenced) this.#setReferenced(!this.#referenced);
    // Awaiting code runs before we prepare to sleep, so that answers are sent sooner.
    if (this.#turns.completed !== completed) void RESOLVED.then(this.#onSettled);
    else this.#await();
  };

  /** Once per libuv iteration, until it is done. */
  #settle(): void {
    if (this.#settling) return;
    this.#settled = this.#wakeUp.settle();
    if (this.#settled) return;
    this.#settling = true;
    setImmediate(this.#settleAgain).unref();
  }

  readonly #settleAgain = (): void => {
    this.#settling = false;
    if (!this.#closed) this.#settle();
  };

  readonly #onSettled = (): void => {
    // The turn that was queued in the meantime checks after that.
    if (!this.#tickQueued) this.#await();
  };

  /** Entries that the callbacks queue are submitted together, after all of them have run. */
  #deliver(): void {
    let done = false;
    this.#delivering = true;
    try {
      this.#turns.deliveries.run();
      done = true;
    } finally {
      this.#delivering = false;
      // After an exception the next immediate continues.
      if (!done || !this.#turns.deliveries.empty) this.wakeLater();
      if (this.#queuedMeanwhile) {
        this.#queuedMeanwhile = false;
        if (!this.#closed) this.#turn(false);
      }
    }
  }

  /** The next turn handles what a turn has left, also by failing. */
  #turn(reap: boolean): void {
    let left = true;
    try {
      left = this.#turns.turn(reap);
    } finally {
      if (left) this.wakeLater();
    }
  }

  /** Sleep until an event, if there can be one. */
  #await(): void {
    if (this.#closed || this.#urgent || !this.#turns.busy) return;
    // It must not keep the process alive for unreferenced operations.
    const expecting = this.#busyPoll !== 0 && this.#turns.alive && this.#isExpecting();
    if (expecting || !this.#wakeUp.arm(this.#turns.eventfdWaits !== 0)) {
      this.wakeLater();
      return;
    }
    this.#immediate ??= setImmediate(this.#onImmediate);
    this.#immediate.unref();
  }

  /** Whether an operation has completed so recently that sleeping would be too slow. */
  #isExpecting(): boolean {
    const time = now();
    const { completed } = this.#turns;
    if (completed === this.#seen) return time < this.#busyEnd;
    this.#seen = completed;
    this.#busyEnd = time + this.#busyPoll;
    return true;
  }

  #setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    this.#wakeUp.setReferenced(referenced);
  }

  close(): void {
    this.#closed = true;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
  }
}
