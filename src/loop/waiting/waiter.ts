import { checkDuration, checkSignal } from '../../sys/check/check.js';
import { checkOptions, type OptionNames, optionNames } from '../../sys/check/options.js';
import { timeoutError } from '../../sys/errors/errors.js';
import { type Deferred, promiseOf } from '../operation/deferred.js';
import { rejectTraced } from '../operation/traced.js';
import { clearImmediate, clearTimeout, setImmediate, startTimer } from '../real-timers.js';
import { AbortError, throwIfAborted } from './abort.js';
import { type AbortListener, ignoreAbort, listenForAbort } from './abort-listeners.js';

/** The options of every call that waits for a peer. */
export interface WaitOptions {
  /** Aborting it rejects the call with an `AbortError`. Data that has arrived is not lost. */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds, 0 or more and finite, after which the call rejects with ETIMEDOUT (without an `errno`: the kernel did
   * not report it). Without it there is no limit.
   */
  timeout?: number | undefined;
}

const WAIT_OPTIONS = optionNames<WaitOptions>({ signal: true, timeout: true });

/**
 * Checks the options of a call that waits; throws if the signal is already aborted.
 * @param known the names of all its options, if it takes more.
 */
export function checkWait(options: WaitOptions | undefined, known: OptionNames = WAIT_OPTIONS): void {
  if (options === undefined) return;
  checkOptions(options, known);
  throwIfAborted(checkSignal(options.signal));
  if (options.timeout !== undefined) checkDuration('options.timeout', options.timeout);
}

/**
 * A call that waits for an event (not for an operation of its own), and may give up: by a signal or a timeout. Code
 * that settles it calls `settled()` first.
 */
export class Waiter<T> implements Deferred<T>, AbortListener {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  /** Called when it gives up, before its promise rejects: removes it from its queue. */
  readonly #forget: (waiter: Waiter<T>) => void;
  readonly #syscall: string;
  #signal: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Set once the timeout has passed. */
  #lastLook: NodeJS.Immediate | undefined;

  constructor(syscall: string, forget: (waiter: Waiter<T>) => void) {
    this.#syscall = syscall;
    this.#forget = forget;
  }

  /**
   * A new promise, with options that `checkWait` has accepted.
   * @param keepsAlive whether its timeout keeps the process alive: false if what it waits for is unreferenced, or keeps
   * the process alive by itself.
   */
  wait(options: WaitOptions | undefined, keepsAlive = true): Promise<T> {
    if (options !== undefined) this.#limit(options, keepsAlive);
    return promiseOf(this);
  }

  /** Whether its timeout keeps the process alive. */
  setReferenced(referenced: boolean): void {
    if (referenced) this.#timer?.ref();
    else this.#timer?.unref();
  }

  #limit({ signal, timeout }: WaitOptions, keepsAlive: boolean): void {
    if (signal !== undefined) {
      this.#signal = signal;
      listenForAbort(signal, this);
    }
    if (timeout !== undefined) {
      this.#timer = startTimer(() => this.#onTimeout(), timeout);
      if (!keepsAlive) this.#timer.unref();
    }
  }

  /** The signal was aborted. */
  onAbort(): void {
    const signal = this.#signal!;
    this.giveUp(new AbortError(signal));
  }

  /** What has arrived by now is in time: the loop reaps it in an immediate of its own, which runs first. */
  #onTimeout(): void {
    this.#lastLook = setImmediate(() => this.giveUp(timeoutError(this.#syscall)));
  }

  /** Stops waiting, with an error. */
  giveUp(error: Error): void {
    this.settled();
    this.#forget(this);
    this.fail(error);
  }

  /** Rejects with an error whose stack shows who waits. */
  fail(error: unknown): void {
    rejectTraced(this, error);
  }

  /** It no longer waits: removes its listener and its timer. */
  settled(): void {
    if (this.#signal !== undefined) {
      ignoreAbort(this.#signal, this);
      this.#signal = undefined;
    }
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#lastLook !== undefined) clearImmediate(this.#lastLook);
      this.#lastLook = undefined;
    }
  }
}

/**
 * The outcome of `promise`, unless the caller gives up first; then the outcome is dropped.
 * @param syscall the name in an ETIMEDOUT. @param keepsAlive whether a timeout keeps the process alive.
 */
export async function unlessGivenUp<T>(
  promise: Promise<T>,
  syscall: string,
  options: WaitOptions | undefined,
  keepsAlive = true,
): Promise<T> {
  if (options?.signal === undefined && options?.timeout === undefined) return promise;
  // The call is in progress nevertheless.
  if (options.signal?.aborted) promise.catch(() => {});
  throwIfAborted(options.signal);
  const waiter = new Waiter<T>(syscall, () => {});
  const waiting = waiter.wait(options, keepsAlive);
  promise.then(waiter.resolve, waiter.reject).finally(() => waiter.settled());
  return waiting;
}
