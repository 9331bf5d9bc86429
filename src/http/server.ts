import type { InspectOptionsStylized } from 'node:util';
import { clearInterval, now, setInterval } from '../loop/real-timers.js';
import { placeOf } from '../net/address/addresses.js';
import type { Listener } from '../net/listen/listener.js';
import type { Connection } from '../net/stream/connection.js';
import { UasyncError } from '../ring/errors.js';
import { counted, custom, shown } from '../ring/inspect.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import { authorityOf } from './authority.js';
import type { HttpConnection } from './connection.js';
import type { Handler, HttpOptions, Limits } from './options.js';
import { HEAD, IDLE } from './phase.js';
import { type HttpStopOptions, stopWithin, TIMER_MAX } from './stopping.js';

/** Counters of a server. */
export interface HttpStats {
  /** Connections that are open. */
  readonly connections: number;
  /** Those of them that wait for a next request. */
  readonly idle: number;
  /** Requests that are being answered. */
  readonly active: number;
  /** Connections that were accepted since the beginning. */
  readonly accepted: number;
  /** Requests that were answered. */
  readonly answered: number;
  /** Requests that were refused before a handler saw them: malformed, too large, late. */
  readonly refused: number;
  /** Connections that were cut: by their peers, for being slow, or since an answer failed halfway. */
  readonly cut: number;
  /** Connections that speak another protocol now. */
  readonly upgraded: number;
}

/** How often within the shortest time connections are looked at, and how often at least, in milliseconds. */
const LOOKS = 8;
const LOOK_MAX_MS = 1000;
const LOOK_MIN_MS = 5;

const RESOLVED = Promise.resolve();
const NOTHING = (): void => {};

/** An HTTP server that listens. Made by `serve`. */
export class Server {
  /** Where it listens. */
  readonly address: SocketAddress;
  /** Resolves when it has stopped, and its connections are closed. */
  readonly closed: Promise<void>;
  /** @internal */
  readonly handler: Handler;
  /** @internal */
  readonly options: HttpOptions;
  /** @internal */
  readonly limits: Limits;
  /** @internal By a clock that is read now and then: good enough for what times out. */
  time = now();
  /** @internal */
  stopping = false;
  readonly #listener: Listener;
  readonly #secure: boolean;
  readonly #connections = new Set<HttpConnection>();
  #looking: NodeJS.Timeout | null = null;
  #lookedAt = 0;
  #ready: HttpConnection[] = [];
  #wake: () => void = NOTHING;
  #stopped: Promise<number> | null = null;
  #cutAtStop = 0;
  #onEmpty: (() => void) | null = null;
  #onClosed!: () => void;
  #retired = false;
  #referenced = true;
  #accepted = 0;
  #answered = 0;
  #refused = 0;
  #cut = 0;
  #upgraded = 0;

  /** @internal Use `serve`. */
  constructor(listener: Listener, handler: Handler, options: HttpOptions, limits: Limits, secure: boolean) {
    this.#listener = listener;
    this.address = listener.address;
    this.handler = handler;
    this.options = options;
    this.limits = limits;
    this.#secure = secure;
    this.closed = new Promise(resolve => {
      this.#onClosed = resolve;
    });
    this.#sleep();
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    const state = this.#stopped === null ? 'serving' : 'stopping';
    return shown(this, depth, options, state, placeOf(this.address), [
      counted(this.#connections.size, 'connection'),
      !this.#referenced && 'unref',
    ]);
  }

  /** Its URL. Of a Unix socket it names no place, and of one that listens on all addresses the host is 'localhost'. */
  get url(): URL {
    return new URL(`${this.#secure ? 'https' : 'http'}://${this.authority}/`);
  }

  /** @internal What stands for `Host` in requests that have none. */
  get authority(): string {
    return authorityOf(this.address);
  }

  // --- Connections --------------------------------------------------------------------------------

  /** @internal Takes connections until it stops. @param make makes one, and has it begin to receive. */
  async accept(make: (connection: Connection) => HttpConnection): Promise<void> {
    try {
      for (;;) {
        const connection = await this.#listener.accept();
        this.#accepted++;
        if (!this.#referenced) connection.unref();
        this.time = now();
        const made = make(connection);
        if (!made.closed) this.#connections.add(made);
        this.#looking ??= setInterval(this.#look, this.#every()).unref();
      }
    } catch (error) {
      // It was closed, or its socket has failed: what is open goes on.
      if ((error as UasyncError).code !== 'ERR_CLOSED') process.emitWarning(error as Error);
      this.stop({ timeout: TIMER_MAX }).catch(NOTHING);
    }
  }

  /** Milliseconds between two looks at the connections. */
  #every(): number {
    const { headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout } = this.limits;
    const times = [headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout].filter(ms => ms !== 0);
    return Math.min(Math.max(Math.min(...times) / LOOKS, LOOK_MIN_MS), LOOK_MAX_MS);
  }

  /** Looks for peers that are late. */
  readonly #look = (): void => {
    const time = now();
    const late = time - this.#lookedAt > this.#every() * 2;
    this.#lookedAt = time;
    this.time = time;
    // Held up, it has yet to receive what peers have sent meanwhile: the next look decides.
    if (late) return;
    const { headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout } = this.limits;
    for (const connection of this.#connections) {
      const { phase, since } = connection;
      if (connection.closed) {
        // What it was given to send must be taken.
        if (idleTimeout !== 0 && connection.isStuck(time, idleTimeout)) connection.timeOut();
      } else if (phase === IDLE) {
        if (connection.transport.bufferedAmount > 0) {
          // It is idle once its answer has been taken.
          connection.since = time;
          if (idleTimeout !== 0 && connection.isStuck(time, idleTimeout)) connection.timeOut();
        } else if (keepAliveTimeout !== 0 && time - since >= keepAliveTimeout) connection.timeOut();
        else if (time - since >= LOOK_MAX_MS) connection.rest();
      } else if (phase === HEAD) {
        if (headersTimeout !== 0 && time - since >= headersTimeout) connection.timeOut();
      } else {
        const late = requestTimeout !== 0 && time - connection.begun >= requestTimeout;
        if (late && connection.receivesBody) connection.timeOut();
        else if (idleTimeout !== 0 && connection.isStuck(time, idleTimeout)) connection.timeOut();
      }
    }
  };

  /** @internal It is closed. */
  gone(connection: HttpConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size !== 0) return;
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#looking = null;
    this.#onEmpty?.();
  }

  // --- Requests -----------------------------------------------------------------------------------

  /**
   * @internal A request is there. Handlers are called in microtasks that begin in the context of the call of `serve`, each in one of its
   * own: what one of them enters (AsyncLocalStorage.enterWith) is not seen by the next.
   */
  ready(connection: HttpConnection): void {
    this.#ready.push(connection);
    if (this.#ready.length === 1) this.#wake();
  }

  /** Has the next `ready` wake this up, in the context of the caller. */
  #sleep(): void {
    new Promise<void>(resolve => {
      this.#wake = resolve;
    }).then(this.#run, NOTHING);
  }

  readonly #run = (): void => {
    this.#sleep();
    const ready = this.#ready;
    this.#ready = [];
    for (let i = 1; i < ready.length; i++) void RESOLVED.then(ready[i]!.run);
    ready[0]!.run();
  };

  /** @internal */
  noteAnswered(): void {
    this.#answered++;
  }

  /** @internal */
  noteRefused(): void {
    this.#refused++;
  }

  /** @internal */
  noteCut(): void {
    this.#cut++;
  }

  /** @internal It speaks another protocol, and is no longer the server's. */
  upgraded(connection: HttpConnection): void {
    this.#upgraded++;
    this.gone(connection);
  }

  /** Counters, as they are now. */
  stats(): HttpStats {
    let idle = 0;
    let active = 0;
    for (const { phase } of this.#connections) {
      if (phase === IDLE) idle++;
      else if (phase !== HEAD) active++;
    }
    return {
      connections: this.#connections.size,
      idle,
      active,
      accepted: this.#accepted,
      answered: this.#answered,
      refused: this.#refused,
      cut: this.#cut,
      upgraded: this.#upgraded,
    };
  }

  // --- Life ---------------------------------------------------------------------------------------

  /** It keeps the process alive, which is the default. */
  ref(): this {
    return this.#refer(true);
  }

  /** It no longer keeps the process alive. */
  unref(): this {
    return this.#refer(false);
  }

  #refer(referenced: boolean): this {
    this.#referenced = referenced;
    if (referenced) this.#listener.ref();
    else this.#listener.unref();
    for (const { transport } of this.#connections) {
      if (referenced) transport.ref();
      else transport.unref();
    }
    return this;
  }

  /**
   * Stops: no connection is accepted any more, idle ones are closed, requests under way are answered, with `Connection: close`.
   * Resolves when all connections are closed, to the number of those that had to be cut.
   * A second call waits for the first, and may shorten its time.
   */
  stop(options: HttpStopOptions = {}): Promise<number> {
    const stop = (): Promise<number> => {
      this.#stopped ??= this.#stop();
      return this.#stopped;
    };
    return stopWithin(options, stop, () => this.#cutAll());
  }

  /** @internal Accepts no more than it has; connections end with their next answer, or when their time is over. */
  retire(): void {
    this.stopping = true;
    this.#retired = true;
  }

  async #stop(): Promise<number> {
    this.stopping = true;
    await this.#listener.close();
    if (!this.#retired) for (const connection of this.#connections) connection.stop();
    if (this.#connections.size !== 0) {
      await new Promise<void>(resolve => {
        this.#onEmpty = resolve;
      });
    }
    this.#onClosed();
    return this.#cutAtStop;
  }

  #cutAll(): void {
    for (const connection of this.#connections) {
      this.#cutAtStop++;
      connection.cut(new UasyncError('ERR_CLOSED', 'The server has stopped'));
    }
  }

  /** As `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
