import type { MessagePort } from 'node:worker_threads';
import { Channel } from '../loop/channel.js';
import { loop } from '../loop/current.js';
import { setImmediate } from '../loop/real-timers.js';
import { argTypeError, argValueError, closedError, UasyncError } from '../ring/errors.js';
import type { InetAddress } from '../ring/sockaddr.js';
import { type ListenOptions, listen } from './listen.js';
import type { Listener } from './listener.js';
import { anyAddress, hostOf } from './resolve.js';
import type { FromThread, ThreadData, ToThread } from './thread-messages.js';

/** What the function that a thread runs is given. */
export interface ThreadContext<Data = unknown> {
  /** Which thread this is, from 0; one that is started again keeps it. */
  readonly id: number;
  /** What `serveOnThreads` was given as `data`: a copy for each thread. */
  readonly data: Data;
  /** To the thread that called `serveOnThreads`. It does not hold up a stop. */
  readonly channel: Channel;
  /** Aborted when the thread is to end: finish what is begun, and begin nothing. */
  readonly signal: AbortSignal;
  /**
   * Listens on TCP, on a port that all threads share; the kernel spreads connections among them. Port 0 is
   * the same one in every thread. A stop closes it.
   */
  readonly listen: (
    options: Omit<ListenOptions, 'path' | 'fd' | 'reusePort'>,
  ) => Promise<Listener<InetAddress>>;
}

/** The inner side of a thread: what it listens on, and what it is told. */
export class Thread implements ThreadContext {
  readonly id: number;
  readonly data: unknown;
  readonly channel: Channel;
  readonly #control: MessagePort;
  readonly #listeners = new Set<Listener>();
  readonly #addresses: InetAddress[] = [];
  readonly #stop = new AbortController();
  /** Ports that were asked for, in the order of the calls: every thread makes the same ones. */
  readonly #reserving: { resolve: (port: number) => void; reject: (error: unknown) => void }[] = [];
  #listening = 0;
  #ready = false;

  constructor({ id, data, control, end }: ThreadData) {
    this.id = id;
    this.data = data;
    this.channel = new Channel(end);
    this.#control = control;
    control.on('message', (message: ToThread) => this.#told(message));
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The context may be taken apart: `({ listen }) => …`. */
  readonly listen: ThreadContext['listen'] = options => this.#listen(options);

  async #listen(options: Omit<ListenOptions, 'path' | 'fd' | 'reusePort'>): Promise<Listener<InetAddress>> {
    if (typeof options !== 'object' || options === null) throw argTypeError('options', 'an object', options);
    if ('path' in options) throw argValueError('options.path', 'cannot be shared by threads', options.path);
    if ('fd' in options) throw argValueError('options.fd', 'cannot be shared by threads', options.fd);
    if ((options as ListenOptions).reusePort === false) {
      throw argValueError('options.reusePort', 'must be true for threads', false);
    }
    this.#listening++;
    try {
      const port = options.port === 0 ? await this.#reserve(options) : options.port;
      const listener = await listen({ ...options, port, path: undefined, fd: undefined, reusePort: true });
      if (this.signal.aborted) {
        await listener.close();
        throw closedError('The thread');
      }
      this.#listeners.add(listener);
      this.#addresses.push(listener.address);
      return listener;
    } finally {
      this.#listening--;
      // What listens now may listen on more in the same breath.
      setImmediate(() => this.#listening === 0 && this.#listeners.size !== 0 && this.ready());
    }
  }

  #reserve(options: ListenOptions): Promise<number> {
    const { ipv6Only = false } = options;
    const host = hostOf(options) ?? anyAddress(options.family);
    return new Promise((resolve, reject) => {
      this.#say({ type: 'reserve', index: this.#reserving.length, host, ipv6Only });
      this.#reserving.push({ resolve, reject });
    });
  }

  #told(message: ToThread): void {
    switch (message.type) {
      case 'stop':
        this.#end();
        break;
      case 'reserved':
        this.#reserving[message.index]!.resolve(message.port);
        break;
      case 'refused':
        this.#reserving[message.index]!.reject(
          Object.assign(new UasyncError(message.details.code, message.message), message.details),
        );
        break;
      case 'stats':
        this.#say({ type: 'stats', call: message.call, stats: loop().stats() });
    }
  }

  /** The thread serves: it listens, or its function has returned. */
  ready(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#say({ type: 'ready', addresses: this.#addresses });
  }

  /** From now on the thread lives as long as something is in flight. */
  #end(): void {
    this.#control.unref();
    this.channel.unref();
    this.#stop.abort();
    for (const listener of this.#listeners) listener.close();
  }

  #say(message: FromThread): void {
    this.#control.postMessage(message);
  }
}
