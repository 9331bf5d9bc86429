import { clearImmediate, clearTimeout, setImmediate, startTimer } from '../../loop/real-timers.js';
import { AbortError } from '../../loop/waiting/abort.js';
import { type AbortListener, ignoreAbort, listenForAbort } from '../../loop/waiting/abort-listeners.js';
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import { type ErrorDetails, timeoutError, type UasyncError } from '../../sys/errors/errors.js';

/** A caller's signal and timeout for a call that consists of several operations. */
export abstract class CallLimit implements AbortListener {
  readonly #user: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  /** Set once the timeout has passed. */
  #lastLook: NodeJS.Immediate | undefined;
  #late = false;

  /** @param keepsAlive whether the timeout keeps the process alive. */
  constructor({ signal, timeout }: WaitOptions, keepsAlive = true) {
    this.#user = signal;
    if (signal !== undefined) listenForAbort(signal, this);
    if (timeout !== undefined) {
      this.#timer = startTimer(() => this.#onTimeout(), timeout);
      if (!keepsAlive) this.#timer.unref();
    }
  }

  /** The caller's signal was aborted, or the timeout has expired: cancels the work in progress. */
  abstract onAbort(): void;

  /** What has happened by now is in time: the loop reaps it in an immediate of its own, which runs first. */
  #onTimeout(): void {
    this.#lastLook = setImmediate(() => {
      this.#late = true;
      this.onAbort();
    });
  }

  /** The error of the call, if it is cancelled. @param details the address in errors. */
  protected reason(syscall: string, details: ErrorDetails | undefined): UasyncError | null {
    if (this.#user?.aborted) return new AbortError(this.#user);
    return this.#late ? timeoutError(syscall, details) : null;
  }

  /** Everything is settled: removes the listener and the timer. */
  end(): void {
    if (this.#user !== undefined) ignoreAbort(this.#user, this);
    clearTimeout(this.#timer);
    if (this.#lastLook !== undefined) clearImmediate(this.#lastLook);
  }
}
