/** What a tick may spend on plain system calls, in units of about 2 us: 1 ms. */
const UNITS = 512;
/** Bytes that are copied for the price of a unit. */
const UNIT_BYTES = 8192;

/**
 * Calls that do not wait are made at once, without a look at anything else. The budget bounds them, so that a
 * program that does nothing but read cached files still serves its timers, signals and sockets.
 */
export class InlineBudget {
  #left = UNITS;
  readonly #spent: () => void;

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

  /** Whether plain calls are made at all, this tick or a later one. */
  get enabled(): boolean {
    return this.#mode !== false;
  }

  /** Whether this tick has made enough of them. */
  get spent(): boolean {
    return this.#left <= 0;
  }

  /** Whether calls that hardly ever wait may be made, each if `take` says so. */
  get writes(): boolean {
    return this.#writes;
  }

  /** Whether one more call, that moves `bytes`, may be made now. If not, it goes through the backend. */
  take(bytes = 0, calls = 1): boolean {
    if (this.#left <= 0) return false;
    if (this.#mode === 'random' && Math.random() < 0.5) return false;
    this.#left -= calls + bytes / UNIT_BYTES;
    if (this.#left <= 0) this.#spent();
    return true;
  }

  /** The loop ends: its calls' memory goes, so that none may be made any more. */
  end(): void {
    this.#mode = false;
    this.#writes = false;
    this.#left = 0;
  }

  /** Node's event loop has been round. */
  refill(): void {
    if (this.#mode !== false) this.#left = UNITS;
  }
}
