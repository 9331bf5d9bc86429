/** What a thread has: its data, channel, signal and listeners, and the messages of the thread that started it. */
import type { MessagePort } from 'node:worker_threads';
import { closeSocket } from '../loop/closing/close.js';
import { loop } from '../loop/current.js';
import { setImmediate } from '../loop/real-timers.js';
import { hostOf } from '../net/address/resolve.js';
import { listen } from '../net/listen/listen.js';
import type { Listener } from '../net/listen/listener.js';
import { checkListen, type ListenOptions } from '../net/listen/options.js';
import { argTypeError, argValueError, closedError, systemError, UasyncError } from '../sys/errors/errors.js';
import { libc } from '../sys/libc/libc.js';
import type { InetAddress } from '../sys/socket/sockaddr.js';
import { Channel } from './channel.js';
import type { FromThread, ThreadData, ToThread } from './thread-messages.js';

/** The argument of the function that a thread runs. */
export interface ThreadContext<Data = unknown> {
  /** The thread's number, from 0. A restarted thread keeps it. */
  readonly id: number;
  /** The `data` of `serveOnThreads`: a copy for each thread. */
  readonly data: Data;
  /** The channel to the thread that called `serveOnThreads`. It does not delay a stop. */
  readonly channel: Channel;
  /** Aborted when the thread should end: finish started work, and start no more. */
  readonly signal: AbortSignal;
  /**
   * Listens on TCP, on a port that all threads share; the kernel distributes connections among them. Port 0 is the same
   * one in every thread. A stop closes it.
   */
  readonly listen: (
    options: Omit<ListenOptions, 'path' | 'fd' | 'reusePort'>,
  ) => Promise<Listener<InetAddress>>;
}

/** A thread as seen from within: its listeners, and the messages that it gets. */
export class Thread implements ThreadContext {
  readonly id: number;
  readonly data: unknown;
  readonly channel: Channel;
  readonly #control: MessagePort;
  readonly #listeners = new Set<Listener>();
  readonly #addresses: InetAddress[] = [];
  readonly #stop = new AbortController();
  /** Calls that wait for sockets. */
  readonly #waiting = new Map<number, { resolve: (fd: number) => void; reject: (error: unknown) => void }>();
  /** The names of the sockets that it has or waits for. */
  readonly #names = new Set<string>();
  #calls = 0;
  #listening = 0;
  #ready = false;

  constructor({ id, data, control, end }: ThreadData) {
    this.id = id;
    this.data = data;
    this.channel = new Channel(end);
    this.#control = control;
    control.on('message', (message: ToThread) => this.#onMessage(message));
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The context may be destructured: `({ listen }) => …`. */
  readonly listen: ThreadContext['listen'] = options => this.#listen(options);

  async #listen(options: Omit<ListenOptions, 'path' | 'fd' | 'reusePort'>): Promise<Listener<InetAddress>> {
    if (typeof options !== 'object' || options === null) throw argTypeError('options', 'an object', options);
    const { path, fd, reusePort } = options as ListenOptions;
    if (path !== undefined) throw argValueError('options.path', 'cannot be shared by threads', path);
    if (fd !== undefined) throw argValueError('options.fd', 'cannot be shared by threads', fd);
    if (reusePort === false) {
      throw argValueError('options.reusePort', 'must be true for threads', false);
    }
    const backlog = checkListen({ ...options, path: undefined, fd: undefined });
    this.#listening++;
    try {
      const listener = await this.#open(options, backlog);
      this.#listeners.add(listener);
      this.#addresses.push(listener.address);
      return listener;
    } finally {
      this.#listening--;
      // A module that listens now may listen on more synchronously.
      setImmediate(() => this.#listening === 0 && this.#listeners.size !== 0 && this.ready());
    }
  }

  /** A listener on a socket of the thread's starter, which keeps it for the next start. */
  async #open(options: ListenOptions, backlog: number): Promise<Listener<InetAddress>> {
    const { port, family, ipv6Only, noDelay, fastOpen, maxConnections, signal } = options;
    const host = hostOf(options);
    const name = this.#nameFor([port, host, family, ipv6Only, noDelay]);
    const call = this.#calls++;
    const request = { name, backlog, options: { port, host, family, ipv6Only, noDelay, fastOpen } };
    try {
      this.#post({ type: 'listen', call, request });
      const shown = await new Promise<number>((resolve, reject) =>
        this.#waiting.set(call, { resolve, reject }),
      );
      const fd = libc().duplicate(shown);
      // Its starter does not accept: see Acceptor.
      if (fd >= 0) libc().setNonBlocking(fd);
      this.#post({ type: 'taken', call });
      if (fd < 0) throw systemError(fd, 'listen');
      const listener = await this.#listenOn(fd, { backlog, noDelay, fastOpen, maxConnections, signal });
      const { remains } = listener;
      const { onClosed } = remains;
      remains.onClosed = () => {
        onClosed?.();
        this.#unused(name);
        this.#listeners.delete(listener);
      };
      return listener;
    } catch (error) {
      this.#unused(name);
      throw error;
    }
  }

  async #listenOn(fd: number, options: ListenOptions): Promise<Listener<InetAddress>> {
    try {
      if (this.signal.aborted) throw closedError('The thread');
      return (await listen({ ...options, fd })) as Listener<InetAddress>;
    } catch (error) {
      await closeSocket(loop(), fd);
      throw error;
    }
  }

  /** A name that is the same for the same call in each start of the thread. */
  #nameFor(what: unknown[]): string {
    for (let nth = 0; ; nth++) {
      const name = JSON.stringify([nth, ...what]);
      if (this.#names.has(name)) continue;
      this.#names.add(name);
      return name;
    }
  }

  #unused(name: string): void {
    this.#names.delete(name);
    this.#post({ type: 'unused', name });
  }

  #onMessage(message: ToThread): void {
    switch (message.type) {
      case 'stop':
        this.#end();
        break;
      case 'socket':
        this.#settle(message.call)?.resolve(message.fd);
        break;
      case 'refused':
        this.#settle(message.call)?.reject(
          Object.assign(new UasyncError(message.details.code, message.message), message.details),
        );
        break;
      case 'stats':
        this.#post({ type: 'stats', call: message.call, stats: loop().stats() });
    }
  }

  #settle(call: number) {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    return waiting;
  }

  /** The thread serves: it listens, or its function has returned. */
  ready(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#post({ type: 'ready', addresses: this.#addresses });
  }

  /** From now on the thread lives as long as something is in flight. */
  #end(): void {
    this.#control.unref();
    this.channel.unref();
    this.#stop.abort();
    // Connections that were accepted are still served.
    for (const listener of this.#listeners) listener.retire();
  }

  #post(message: FromThread): void {
    this.#control.postMessage(message);
  }
}
