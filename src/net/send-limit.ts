import { AbortError } from '../loop/abort.js';
import { type AbortListener, ignoreAbort, listenForAbort } from '../loop/abort-listeners.js';
import type { WaitOptions } from '../loop/waiter.js';
import { ETIMEDOUT } from '../ring/errno.js';
import { type ErrorDetails, systemError } from '../ring/errors.js';

/** What can be given up. */
export interface Limited {
  cancel(): void;
}

/** A caller's signal and timeout for one datagram, or for all of a list. */
export class SendLimit implements AbortListener {
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #details: ErrorDetails | undefined;
  readonly #sends = new Set<Limited>();
  #late = false;

  /** @param details whom an error is to name. */
  constructor({ signal, timeout }: WaitOptions, details: ErrorDetails | undefined) {
    this.#signal = signal;
    this.#details = details;
    if (signal !== undefined) listenForAbort(signal, this);
    if (timeout !== undefined) {
      this.#timer = setTimeout(() => this.#onTimeout(), Math.min(timeout, 0x7fffffff));
    }
  }

  add(send: Limited): void {
    this.#sends.add(send);
  }

  delete(send: Limited): void {
    this.#sends.delete(send);
  }

  /** The signal was aborted. */
  onAbort(): void {
    for (const send of [...this.#sends]) send.cancel();
  }

  #onTimeout(): void {
    this.#late = true;
    this.onAbort();
  }

  /** Why what is under way is given up, if it is. */
  error(): Error | null {
    if (this.#signal?.aborted) return new AbortError(this.#signal);
    return this.#late ? systemError(ETIMEDOUT, 'send', this.#details) : null;
  }

  /** All is settled: lets go of the signal and the timer. */
  end(): void {
    if (this.#signal !== undefined) ignoreAbort(this.#signal, this);
    clearTimeout(this.#timer);
  }
}

/** The limit that options ask for, if they do. */
export function sendLimit(options: WaitOptions | undefined, details?: ErrorDetails): SendLimit | undefined {
  if (options === undefined || (options.signal === undefined && options.timeout === undefined))
    return undefined;
  return new SendLimit(options, details);
}
