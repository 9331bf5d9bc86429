import { constants } from 'node:os';
import type { InspectOptionsStylized } from 'node:util';
import { argValueError, UasyncError } from '../../sys/errors/errors.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import { isMainThread } from '../../sys/main-thread.js';
import { Hold } from '../operation/active.js';
import { clearInterval, setInterval } from '../real-timers.js';
import { AbortError, signalOf, throwIfAborted } from './abort.js';
import { type AbortListener, ignoreAbort, listenForAbort } from './abort-listeners.js';
import { Waiter } from './waiter.js';

const HOUR_MS = 3_600_000;

type Step = IteratorResult<NodeJS.Signals, undefined>;

/** The signals of this process as they arrive. Iterate over it, or call `next()`. */
class SignalIterator implements AsyncIterableIterator<NodeJS.Signals> {
  readonly #names: readonly NodeJS.Signals[];
  /** Signals that arrived before they were requested: each once, as in the kernel. signal(7) */
  readonly #pending = new Set<NodeJS.Signals>();
  readonly #waiting: Waiter<Step>[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #listener: AbortListener = { onAbort: () => this.#abort() };
  /** Node's own signal handles do not keep the process alive. */
  #held: NodeJS.Timeout | undefined;
  readonly #hold = new Hold('SignalIterator', 'next', () => this);
  #done = false;
  /** An abort that has not been reported yet. */
  #aborted = false;

  constructor(names: readonly NodeJS.Signals[], signal: AbortSignal | undefined) {
    this.#names = names;
    this.#signal = signal;
    for (const name of names) process.on(name, this.#onSignal);
    if (signal !== undefined) listenForAbort(signal, this.#listener);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#pending.add(name);
    else waiter.resolve({ value: name, done: false });
  };

  #abort(): void {
    this.#aborted = this.#waiting.length === 0;
    const waiting = this.#waiting.splice(0);
    this.#end();
    for (const waiter of waiting) waiter.fail(new AbortError(this.#signal!));
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.#done ? 'ended' : 'listening', '', [
      this.#names.join(' '),
      counted(this.#pending.size, 'signal pending', 'signals pending'),
      counted(this.#waiting.length, 'call waiting', 'calls waiting'),
    ]);
  }

  /** The next signal: a waiting one, or the next to arrive. */
  next(): Promise<Step> {
    for (const name of this.#pending) {
      this.#pending.delete(name);
      return Promise.resolve({ value: name, done: false });
    }
    if (this.#aborted) {
      this.#aborted = false;
      return Promise.reject(new AbortError(this.#signal!));
    }
    if (this.#done) return Promise.resolve({ value: undefined, done: true });
    const waiter = new Waiter<Step>('signal', () => {});
    this.#waiting.push(waiter);
    return waiter.wait(undefined);
  }

  /** Stops listening: the signals have their default effect again, unless other code listens too. */
  return(): Promise<Step> {
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  #end(): void {
    this.#done = true;
    this.#pending.clear();
    this.unref();
    for (const name of this.#names) process.off(name, this.#onSignal);
    if (this.#signal !== undefined) ignoreAbort(this.#signal, this.#listener);
    for (const waiter of this.#waiting.splice(0)) waiter.resolve({ value: undefined, done: true });
  }

  /** Keeps the process alive until `return()`, which the iterator does not do initially. */
  ref(): this {
    if (this.#done) return this;
    this.#held ??= setInterval(() => {}, HOUR_MS);
    this.#hold.begin();
    return this;
  }

  /** No longer keeps the process alive. */
  unref(): this {
    clearInterval(this.#held);
    this.#held = undefined;
    this.#hold.end();
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<Step> {
    return this.return();
  }
}

export type { SignalIterator };

/**
 * The signals of this process, as an async iterator of their names: `signals('SIGTERM', 'SIGINT')`. From the call until
 * the iteration is left they do not have their default effect, which ends the process. A signal that arrives again
 * before it was requested counts once.
 *
 * With a last argument `{ signal }`, aborting that signal ends the iteration with an `AbortError`. Waiting does not keep
 * the process alive unless `ref()` is called.
 * @throws TypeError for an unknown name or a signal that cannot be caught, signal(7); UasyncError ERR_UNSUPPORTED in a
 * worker, as signals belong to the process.
 */
export function signals(...names: NodeJS.Signals[]): SignalIterator;
export function signals(
  ...args: [...names: NodeJS.Signals[], options: { signal?: AbortSignal | undefined }]
): SignalIterator;
export function signals(...args: (NodeJS.Signals | { signal?: AbortSignal | undefined })[]): SignalIterator {
  const last = args[args.length - 1];
  const options = typeof last === 'object' && last !== null ? last : undefined;
  const names = (options === undefined ? args : args.slice(0, -1)) as NodeJS.Signals[];
  const signal = signalOf(options);
  if (names.length === 0) throw argValueError('names', 'must name a signal', names);
  for (const name of names) {
    const known = typeof name === 'string' && Object.hasOwn(constants.signals, name);
    if (!known) throw argValueError('names', 'must be names of signals', name);
    if (name === 'SIGKILL' || name === 'SIGSTOP') {
      throw argValueError('names', 'must be signals that can be caught', name);
    }
  }
  if (!isMainThread)
    throw new UasyncError('ERR_UNSUPPORTED', 'Signals are only delivered to the main thread');
  throwIfAborted(signal);
  return new SignalIterator([...new Set(names)], signal);
}
