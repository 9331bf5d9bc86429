import { isCancelled } from '../../sys/abi/errno.js';
import { checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { closedError, UasyncError } from '../../sys/errors/errors.js';
import { failureOf } from '../operation/failure.js';
import { PromiseOperation } from '../operation/operation.js';
import { type AbortListener, ignoreAbort, listenForAbort } from './abort-listeners.js';

/** The rejection of a call whose `signal` was aborted: name 'AbortError', code 'ABORT_ERR', like Node's. */
export class AbortError extends UasyncError {
  constructor(signal: AbortSignal) {
    super('ABORT_ERR', 'The operation was aborted', { cause: signal.reason });
  }

  /** 'AbortError' */
  override get name(): string {
    return 'AbortError';
  }
}

/** The options of calls that can only be aborted. */
interface SignalOptions {
  signal?: AbortSignal | undefined;
}

const SIGNAL_OPTIONS = optionNames<SignalOptions>({ signal: true });

/** Checks the options of a call that can only be aborted; returns its signal. */
export function signalOf(options: SignalOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  checkOptions(options, SIGNAL_OPTIONS);
  return checkSignal(options.signal);
}

/** Throws the error of a call with an aborted signal. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError(signal);
}

/**
 * An operation that settles one promise and that an `AbortSignal` cancels. If it completes nevertheless, its result is
 * delivered.
 */
export abstract class AbortableOperation<T> extends PromiseOperation<T> implements AbortListener {
  #signal: AbortSignal | undefined;

  /** Cancels when `signal` is aborted, until `settle()`. */
  protected watch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    this.#signal = signal;
    listenForAbort(signal, this);
    // It may have been aborted since the last check.
    if (signal.aborted) this.onAbort();
  }

  /** The signal was aborted. */
  onAbort(): void {
    this.loop.cancel(this);
  }

  /** Whether the watched signal has been aborted. */
  protected get aborted(): boolean {
    return this.#signal?.aborted ?? false;
  }

  /** The last completion has come: stops watching. Returns the error for a negative `res`. */
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

  /** The last completion has come: settles the promise with `value`, or with the error for `res`. */
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
