import { checkSignal } from '../ring/check.js';
import { isCancelled } from '../ring/errno.js';
import { closedError, UasyncError } from '../ring/errors.js';
import { checkOptions, optionNames } from '../ring/options.js';
import { type AbortListener, ignoreAbort, listenForAbort } from './abort-listeners.js';
import { failureOf } from './failure.js';
import { PromiseOperation } from './operation.js';

/** The rejection of a call whose `signal` was aborted: name 'AbortError', code 'ABORT_ERR', as Node's. */
export class AbortError extends UasyncError {
  constructor(signal: AbortSignal) {
    super('ABORT_ERR', 'The operation was aborted', { cause: signal.reason });
  }

  /** 'AbortError' */
  override get name(): string {
    return 'AbortError';
  }
}

/** What calls take that can only be aborted. */
export interface SignalOptions {
  signal?: AbortSignal | undefined;
}

const SIGNAL_OPTIONS = optionNames<SignalOptions>({ signal: true });

/** Checks the options of a call that can only be aborted; returns its signal. */
export function signalOf(options: SignalOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  checkOptions(options, SIGNAL_OPTIONS);
  return checkSignal(options.signal);
}

/** Throws what an aborted signal rejects with. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError(signal);
}

/**
 * An operation that settles one promise and that an `AbortSignal` cancels. If it completed after all,
 * its result is delivered all the same.
 */
export abstract class AbortableOperation<T> extends PromiseOperation<T> implements AbortListener {
  #signal: AbortSignal | undefined;

  /** Cancels when `signal` is aborted, until `settle()`. */
  protected watch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    this.#signal = signal;
    listenForAbort(signal, this);
    // It may have been aborted since it was last looked at.
    if (signal.aborted) this.onAbort();
  }

  /** The signal was aborted. */
  onAbort(): void {
    this.loop.cancel(this);
  }

  /** Whether the signal that is watched has been aborted. */
  protected get aborted(): boolean {
    return this.#signal?.aborted ?? false;
  }

  /** The last completion has come: stop watching. Returns the error that a negative `res` means. */
  protected settle(res: number): UasyncError | undefined {
    const signal = this.#signal;
    if (signal !== undefined) {
      this.#signal = undefined;
      ignoreAbort(signal, this);
      if (signal.aborted && isCancelled(res)) return new AbortError(signal);
    }
    if (isCancelled(res) && this.loop.closing) return closedError('The loop');
    return res < 0 ? this.error(res) : undefined;
  }

  /** The last completion has come: settles the promise with `value`, or with the error that `res` means. */
  protected conclude(res: number, value: T): void {
    const error = this.settle(res);
    if (error === undefined) this.resolve(value);
    else this.fail(error);
  }

  /** The error of a failed operation. */
  protected error(res: number): UasyncError {
    return failureOf(res, this.syscall);
  }
}
