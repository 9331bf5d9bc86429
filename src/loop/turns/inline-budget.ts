import { now } from '../real-timers.js';

/** The budget of a turn for plain system calls, in units of about 2 us: 1 ms. */
const UNITS = 512;
/** A time limit in milliseconds, for when calls take longer, as on a busy machine. */
const SPENT_MS = 1;
/** How many units are spent before the clock is read: most turns spend fewer. */
const TIMED_EVERY = 64;
/** Bytes that cost one unit to copy. */
const UNIT_BYTES = 8192;
/** The maximum size of an answer, see `takeAnswer`. */
const ANSWER_BYTES = 2 * UNIT_BYTES;

/**
 * Calls that do not wait are made at once. The budget bounds them, so that a program that only reads cached files still
 * serves its timers, signals and sockets.
 */
export class InlineBudget {
  #left = UNITS;
  readonly #spent: () => void;
  /** The clock is read when no more than this many units are left. */
  #look = UNITS - TIMED_EVERY;
  /** When the clock was first read in this turn, or 0. */
  #since = 0;
  /** How many answers may be sent without using the budget. */
  #answers = 0;

  #mode: boolean | 'random';
  #writes: boolean;

  /**
   * @param mode as `LoopOptions.inline`.
   * @param writes whether calls that hardly ever wait are made too.
   * @param spent called when the budget is used up, once until it is refilled.
   */
  constructor(mode: boolean | 'random', writes: boolean, spent: () => void) {
    this.#mode = mode;
    this.#writes = writes && mode !== false;
    if (mode === false) this.#left = 0;
    this.#spent = spent;
  }

  /** Whether plain calls are made at all, this turn or a later one. */
  get enabled(): boolean {
    return this.#mode !== false;
  }

  /** Whether this turn's budget is used up. */
  get spent(): boolean {
    return this.#left <= 0;
  }

  /** Whether calls that hardly ever wait may be made, each subject to `take`. */
  get writes(): boolean {
    return this.#writes;
  }

  /** Whether one more call that transfers `bytes` may be made now. If not, it goes through the backend. */
  take(bytes = 0, calls = 1): boolean {
    if (this.#left <= 0) return false;
    if (this.#mode === 'random' && Math.random() < 0.5) return false;
    this.#left -= calls + bytes / UNIT_BYTES;
    if (this.#left <= this.#look) this.#lookAtClock();
    if (this.#left <= 0) this.#spent();
    return true;
  }

  /**
   * As `take`, for a call that sends. As many answers as completions were delivered cost no budget: arrivals bound
   * them, and sending them later would cost the same.
   */
  takeAnswer(bytes: number): boolean {
    if (this.#answers === 0 || bytes > ANSWER_BYTES) return this.take(bytes);
    if (this.#mode === 'random' && Math.random() < 0.5) return false;
    this.#answers--;
    return true;
  }

  /** Completions were delivered on a backend where a submitted send is a call, too. */
  allowAnswers(count: number): void {
    if (this.#mode !== false) this.#answers = count;
  }

  #lookAtClock(): void {
    const time = now();
    if (this.#since === 0) this.#since = time;
    else if (time - this.#since >= SPENT_MS) this.#left = 0;
    this.#look = this.#left - TIMED_EVERY;
  }

  /** The loop ends and frees the memory of its calls, so none may be made any more. */
  end(): void {
    this.#mode = false;
    this.#writes = false;
    this.#left = 0;
    this.#answers = 0;
  }

  /** Node's event loop has completed an iteration. */
  refill(): void {
    if (this.#mode === false) return;
    this.#left = UNITS;
    this.#look = UNITS - TIMED_EVERY;
    this.#since = 0;
  }
}
