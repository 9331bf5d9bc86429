/** `serveOnThreads`: a server on several threads, which are restarted and stopped together. */
import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InspectOptionsStylized } from 'node:util';
import type { LoopStats } from '../loop/loop-stats.js';
import { Hold } from '../loop/operation/active.js';
import { clearTimeout, startTimer } from '../loop/real-timers.js';
import { throwIfAborted } from '../loop/waiting/abort.js';
import { ignoreAbort, listenForAbort } from '../loop/waiting/abort-listeners.js';
import { checkWait, unlessGivenUp, type WaitOptions } from '../loop/waiting/waiter.js';
import { placeOf } from '../net/address/addresses.js';
import { anyAddress } from '../net/address/resolve.js';
import { openPort } from '../net/listen/open.js';
import { type ReservedPort, reservePort } from '../net/socket/reserved-port.js';
import { checkDuration, checkFunction, checkInt, checkSignal } from '../sys/check/check.js';
import { checkOptions, optionNames } from '../sys/check/options.js';
import { argTypeError, argValueError, closedError } from '../sys/errors/errors.js';
import { counted, custom, shown } from '../sys/inspect.js';
import { isUrl } from '../sys/memory/views.js';
import type { InetAddress } from '../sys/socket/sockaddr.js';
import type { Channel } from './channel.js';
import { endWithin } from './running-thread.js';
import { SupervisedThread, type ThreadOwner } from './supervised-thread.js';
import type { SocketRequest } from './thread-messages.js';

const THREADS_MAX = 1024;
const RESTART_DELAY_MS = 100;
const STOP_TIMEOUT_MS = 10_000;
/** How long the other threads may take to end if one could not be started. */
const FAILED_TIMEOUT_MS = 1000;

/** A thread that has been started. */
export interface ThreadStart {
  /** Its number, from 0. */
  readonly id: number;
  /** The channel to the thread; it closes when the thread ends, and the next start has a new one. */
  readonly channel: Channel;
  /** How many times it had been started before. */
  readonly restarts: number;
}

/** A thread that ended unexpectedly. */
export interface ThreadCrash {
  /** Its number, from 0. */
  readonly id: number;
  /** The uncaught error, or ERR_THREAD_EXIT if there was none. */
  readonly error: Error;
  /** The code of `process.exit()`; 1 after an uncaught error. */
  readonly exitCode: number;
  /** How many times it had been restarted before. */
  readonly restarts: number;
  /** Milliseconds until it is restarted. */
  readonly delay: number;
}

/** Options for running threads. */
export interface ServeOptions extends WaitOptions {
  /** Data for every thread, as `context.data`; anything that can be cloned. */
  data?: unknown;
  /**
   * Milliseconds before a crashed thread is restarted, default 100. It doubles with each crash, up to 30 s, until a
   * thread has run for 10 s.
   */
  restartDelay?: number | undefined;
  /** Called for each thread that starts, including restarts. */
  onStart?: ((start: ThreadStart) => void) | undefined;
  /** Called for each thread that ends unexpectedly. Without it there is a process warning, UASYNC_THREAD. */
  onCrash?: ((crash: ThreadCrash) => void) | undefined;
}

/** Options for stopping. */
export interface StopOptions {
  /** Milliseconds after which threads that have not ended are terminated; default 10,000. */
  timeout?: number | undefined;
  /** Aborting it terminates them at once. */
  signal?: AbortSignal | undefined;
}

const SERVE_OPTIONS = optionNames<ServeOptions>({
  data: true,
  restartDelay: true,
  onStart: true,
  onCrash: true,
  signal: true,
  timeout: true,
});
const STOP_OPTIONS = optionNames<StopOptions>({ timeout: true, signal: true });

/** Options for restarting. */
export interface RestartOptions {
  /**
   * The limit in milliseconds for a new thread to start serving, and then for the old one to end before it is
   * terminated; default 10,000.
   */
  timeout?: number | undefined;
  /** Aborting it starts no more threads, and terminates those that are ending at once. */
  signal?: AbortSignal | undefined;
}

const RESTART_OPTIONS = optionNames<RestartOptions>({ timeout: true, signal: true });

/** One thread of a server. */
export interface ThreadStats {
  /** Its number, from 0. */
  readonly id: number;
  /** How many times it was restarted. */
  readonly restarts: number;
  /** Its loop's counters; null while it is not running. */
  readonly loop: LoopStats | null;
}

/** Threads that run the same module, each with a loop of its own. Created by `serveOnThreads`. */
export class ThreadServer {
  readonly #options: ServeOptions;
  readonly #threads: SupervisedThread[] = [];
  readonly #ports = new Map<string, Promise<ReservedPort>>();
  #stopping: Promise<number> | null = null;
  /** The last restart, which the next one waits for. */
  #restarting: Promise<unknown> = Promise.resolve();
  /** Aborted to terminate the threads that have not ended yet. */
  readonly #now = new AbortController();
  #serving = false;
  #stopped = false;
  /** Node keeps the process alive for its threads. */
  readonly #hold = new Hold('ThreadServer', 'threads', () => this);

  /** @internal */
  constructor(count: number, moduleUrl: string, options: ServeOptions) {
    this.#options = options;
    const owner: ThreadOwner = {
      moduleUrl,
      data: options.data,
      restartDelay: options.restartDelay ?? RESTART_DELAY_MS,
      open: request => this.#open(request),
      started: ({ id }, channel, restarts) => options.onStart?.({ id, channel, restarts }),
      crashed: (thread, error, exitCode, delay) => this.#crashed(thread, error, exitCode, delay),
    };
    for (let id = 0; id < count; id++) this.#threads.push(new SupervisedThread(id, owner));
  }

  /** @internal Resolves when all threads serve. */
  async start(options: WaitOptions): Promise<void> {
    this.#hold.begin();
    try {
      await unlessGivenUp(Promise.all(this.#threads.map(thread => thread.start())), 'serve', options);
      this.#serving = true;
    } catch (error) {
      await this.stop({ timeout: FAILED_TIMEOUT_MS });
      throw error;
    }
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(
      this,
      depth,
      options,
      this.#stopped
        ? 'stopped'
        : this.#stopping !== null
          ? 'stopping'
          : this.#serving
            ? 'serving'
            : 'starting',
      this.address !== undefined && placeOf(this.address),
      [counted(this.size, 'thread', 'threads')],
    );
  }

  /** The number of threads. */
  get size(): number {
    return this.#threads.length;
  }

  /** The addresses on which the threads listen, in the order of their calls. */
  get addresses(): readonly InetAddress[] {
    return this.#threads[0]!.addresses;
  }

  /** The first address on which they listen. */
  get address(): InetAddress | undefined {
    return this.addresses[0];
  }

  /** The channel to a thread; null while it is not running. */
  channel(id: number): Channel | null {
    return this.#threads[checkInt('id', id, 0, this.size - 1)]!.channel;
  }

  /**
   * Sends a value to every running thread. Resolves when there was room for it in every channel.
   * @throws (as a rejection) DataCloneError, AbortError, ETIMEDOUT, TypeError.
   */
  async broadcast(value: unknown, options?: WaitOptions): Promise<void> {
    checkWait(options);
    await Promise.all(
      this.#threads.map(async ({ channel }) => {
        try {
          await channel?.send(value, options);
        } catch (error) {
          // It has ended meanwhile.
          if ((error as { code?: string }).code !== 'ERR_CLOSED') throw error;
        }
      }),
    );
  }

  /**
   * The counters of every thread's loop.
   * @throws (as a rejection) AbortError, and ETIMEDOUT if a thread is too busy to answer.
   */
  async stats(options?: WaitOptions): Promise<ThreadStats[]> {
    checkWait(options);
    const all = this.#threads.map(async thread => {
      const { id, restarts } = thread;
      return { id, restarts, loop: await thread.stats() };
    });
    return unlessGivenUp(Promise.all(all), 'stats', options);
  }

  /**
   * Stops gracefully: closes the listeners, aborts `context.signal`, and lets each thread end when its connections have
   * ended. Threads that have not ended by the timeout are terminated. Resolves when all have ended, to the number of
   * terminated threads. A second call waits for the first.
   */
  stop(options: StopOptions = {}): Promise<number> {
    try {
      checkOptions(options, STOP_OPTIONS);
      const timeout = checkDuration('options.timeout', options.timeout ?? STOP_TIMEOUT_MS);
      const signal = checkSignal(options.signal);
      this.#stopping ??= this.#stop().finally(() => this.#ended());
      this.#limitStop(timeout, signal);
      return this.#stopping;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Replaces the threads one after the other by new ones, which load the module again, in its current version. No
   * connection is refused or reset: a new thread accepts from the sockets of the one that it replaces. When it serves,
   * the old one ends as by `stop`. Resolves when all old ones have ended, to the number of those that had to be
   * terminated. A call during another restart waits for that, and restarts again.
   * @throws (as a rejection) any error of starting a thread, ETIMEDOUT and AbortError: the old thread and those after it
   * continue, those before it are replaced already. ERR_CLOSED when the server is stopped.
   */
  restart(options: RestartOptions = {}): Promise<number> {
    try {
      checkOptions(options, RESTART_OPTIONS);
      const timeout = checkDuration('options.timeout', options.timeout ?? STOP_TIMEOUT_MS);
      const signal = checkSignal(options.signal);
      const before = this.#restarting;
      const restarted = this.#restart(before, timeout, signal);
      // One that is given up while it waits leaves the one before it to the next.
      this.#restarting = Promise.allSettled([before, restarted]);
      return restarted;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #restart(
    before: Promise<unknown>,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    await unlessGivenUp(before, 'restart', { signal });
    const ending: Promise<boolean>[] = [];
    for (const thread of this.#threads) {
      if (this.#stopping !== null) throw closedError('The server');
      throwIfAborted(signal);
      try {
        const old = await thread.replace({ timeout, signal });
        if (old !== null) ending.push(endWithin(old, timeout, signal));
      } catch (error) {
        if (this.#stopping !== null) throw closedError('The server');
        throw error;
      }
    }
    return (await Promise.all(ending)).filter(Boolean).length;
  }

  /** Each further call of `stop` may shorten the time limit. */
  #limitStop(timeout: number, signal: AbortSignal | undefined): void {
    const now = this.#now;
    // Also when it has ended.
    if (now.signal.aborted) return;
    const listener = { onAbort: (): void => now.abort() };
    if (signal?.aborted) {
      now.abort();
      return;
    }
    const timer = startTimer(listener.onAbort, timeout);
    if (signal !== undefined) listenForAbort(signal, listener);
    const undo = (): void => {
      clearTimeout(timer);
      if (signal !== undefined) ignoreAbort(signal, listener);
    };
    listenForAbort(now.signal, { onAbort: undo });
  }

  #ended(): void {
    this.#stopped = true;
    this.#hold.end();
  }

  async #stop(): Promise<number> {
    const terminated = await Promise.all(this.#threads.map(thread => thread.stop(this.#now.signal)));
    // Removes the timers and listeners of all calls.
    this.#now.abort();
    for (const reserved of await Promise.allSettled(this.#ports.values())) {
      if (reserved.status === 'fulfilled') await reserved.value.close();
    }
    return terminated.reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Opens a listening socket for one thread, on the port that all share. */
  async #open({ name, backlog, options }: SocketRequest): Promise<number> {
    const port = options.port === 0 ? await this.#reserve(name, options) : options.port;
    if (this.#stopping !== null) throw closedError('The server');
    return openPort({ ...options, port, reusePort: true }, backlog);
  }

  async #reserve(name: string, options: SocketRequest['options']): Promise<number> {
    const { host = anyAddress(options.family), ipv6Only = false } = options;
    if (this.#stopping !== null) throw closedError('The server');
    let reserved = this.#ports.get(name);
    if (reserved === undefined) {
      reserved = reservePort(host, ipv6Only);
      this.#ports.set(name, reserved);
      // The next call tries again.
      reserved.catch(() => this.#ports.delete(name));
    }
    return (await reserved).port;
  }

  #crashed({ id, restarts, served }: SupervisedThread, error: Error, exitCode: number, delay: number): void {
    // The call itself fails if a thread does not start.
    if (!this.#serving && !served) return;
    const { onCrash } = this.#options;
    if (onCrash !== undefined) {
      onCrash({ id, error, exitCode, restarts, delay });
      return;
    }
    process.emitWarning(
      `Thread ${id} ended (${error.message}) and restarts in ${delay} ms`,
      'UasyncWarning',
      'UASYNC_THREAD',
    );
  }
}

/**
 * Runs a module on `threads` threads (default: one per core), each with an event loop of its own. Calls its default
 * export, or the one named `serve`, with a `ThreadContext`. Resolves when all threads serve: when they listen, or that
 * function has returned. Restarts a thread that ends unexpectedly. Until it resolves, `signal` and `timeout` end the
 * threads.
 * @param moduleUrl a file URL or an absolute path: `new URL('./worker.js', import.meta.url)`.
 * @throws (as a rejection) any error of starting a thread: ERR_MODULE_NOT_FOUND, EADDRINUSE, an exception of the
 * module; AbortError, ETIMEDOUT; TypeError and RangeError for wrong arguments.
 */
export async function serveOnThreads(
  threads: number | undefined,
  moduleUrl: string | URL,
  options: ServeOptions = {},
): Promise<ThreadServer> {
  const count = checkInt('threads', threads ?? availableParallelism(), 1, THREADS_MAX);
  const url = toModuleUrl(moduleUrl);
  checkOptions(options, SERVE_OPTIONS);
  const { restartDelay, onStart, onCrash } = options;
  if (restartDelay !== undefined) checkDuration('options.restartDelay', restartDelay);
  if (onStart !== undefined) checkFunction('options.onStart', onStart);
  if (onCrash !== undefined) checkFunction('options.onCrash', onCrash);
  checkWait({ signal: options.signal, timeout: options.timeout });
  const server = new ThreadServer(count, url, options);
  await server.start(options);
  return server;
}

function toModuleUrl(moduleUrl: string | URL): string {
  if (isUrl(moduleUrl)) return moduleUrl.href;
  if (typeof moduleUrl !== 'string') throw argTypeError('moduleUrl', 'of type string or a URL', moduleUrl);
  if (isAbsolute(moduleUrl)) return pathToFileURL(moduleUrl).href;
  if (URL.canParse(moduleUrl)) return moduleUrl;
  throw argValueError('moduleUrl', 'must be a URL or an absolute path', moduleUrl);
}
