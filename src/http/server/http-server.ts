/** The server of `serve`: accepts connections, calls handlers, checks for late peers, and stops. */
import type { InspectOptionsStylized } from 'node:util';
import { clearInterval, now, setImmediate, setInterval, TIMER_MAX } from '../../loop/real-timers.js';
import { placeOf } from '../../net/address/addresses.js';
import type { Listener } from '../../net/listen/listener.js';
import type { Connection } from '../../net/stream/connection.js';
import { UasyncError } from '../../sys/errors/errors.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import { libc } from '../../sys/libc/libc.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import type { Limits } from '../input/limits.js';
import type { Handler, HttpOptions } from '../options.js';
import { authorityOf } from './authority.js';
import type { HttpConnection } from './connection.js';
import type { ConnectionOwner } from './connection-owner.js';
import { HEAD, IDLE, SERVING } from './phase.js';
import type { HttpStats } from './server.js';
import { type HttpStopOptions, stopWithin } from './stopping.js';

/** How often within the shortest timeout connections are checked, and the maximum interval, in milliseconds. */
const LOOKS = 8;
const LOOK_MAX_MS = 1000;
const LOOK_MIN_MS = 5;

const RESOLVED = Promise.resolve();
const NOTHING = (): void => {};

/** Whether a limit is reached; 0 is none. */
function isOver(passed: number, limit: number): boolean {
  return limit !== 0 && passed >= limit;
}

export class HttpServer implements ConnectionOwner<HttpConnection> {
  readonly address: SocketAddress;
  readonly closed: Promise<void>;
  readonly handler: Handler;
  readonly options: HttpOptions;
  readonly limits: Limits;
  time = now();
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
  #isClosed = false;
  #retired = false;
  #referenced = true;
  #accepted = 0;
  #answered = 0;
  #refused = 0;
  #cut = 0;
  #upgraded = 0;

  /** Use `serve`. */
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

  [custom](depth: number, options: InspectOptionsStylized): string {
    const state = this.#isClosed ? 'closed' : this.#stopped === null ? 'serving' : 'stopping';
    return shown(this, depth, options, state, placeOf(this.address), [
      counted(this.#connections.size, 'connection'),
      !this.#referenced && 'unref',
    ]);
  }

  get url(): URL {
    return new URL(`${this.#secure ? 'https' : 'http'}://${this.authority}/`);
  }

  get authority(): string {
    return authorityOf(this.address);
  }

  // --- Connections --------------------------------------------------------------------------------

  /** Accepts connections until it stops. @param make creates one, and starts receiving. */
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
      // It was closed, or its socket has failed: open connections continue.
      if ((error as UasyncError).code !== 'ERR_CLOSED') process.emitWarning(error as Error);
      this.stop({ timeout: TIMER_MAX }).catch(NOTHING);
    }
  }

  /** Milliseconds between two checks of the connections. */
  #every(): number {
    const { headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout } = this.limits;
    const times = [headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout].filter(ms => ms !== 0);
    return Math.min(Math.max(Math.min(...times) / LOOKS, LOOK_MIN_MS), LOOK_MAX_MS);
  }

  /** Checks for late peers. */
  readonly #look = (): void => {
    const time = now();
    const late = time - this.#lookedAt > this.#every() * 2;
    this.#lookedAt = time;
    this.time = time;
    // After a delay it has yet to receive data that arrived meanwhile: the next check decides.
    if (late) return;
    const { headersTimeout, requestTimeout, keepAliveTimeout, idleTimeout } = this.limits;
    for (const connection of this.#connections) {
      const { phase, since } = connection;
      if (connection.closed) {
        // The peer must take what was sent.
        if (idleTimeout !== 0 && connection.isStuck(time, idleTimeout)) connection.timeOut();
      } else if (phase === IDLE) {
        if (connection.transport.bufferedAmount > 0) {
          // It is idle once its answer has been taken.
          connection.since = time;
          if (idleTimeout !== 0 && connection.isStuck(time, idleTimeout)) connection.timeOut();
        } else if (keepAliveTimeout !== 0 && time - since >= keepAliveTimeout) connection.timeOut();
        else if (time - since >= LOOK_MAX_MS) connection.rest();
      } else if (phase === HEAD) {
        // The time of a request includes that of its head.
        const late = isOver(time - since, headersTimeout) || isOver(time - since, requestTimeout);
        if (late) connection.timeOut();
      } else {
        const late = isOver(time - connection.begun, requestTimeout);
        if (late && connection.receivesBody) connection.timeOut();
        else if (idleTimeout !== 0 && connection.isStuck(time, idleTimeout)) connection.timeOut();
      }
    }
  };

  gone(connection: HttpConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size !== 0) return;
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#looking = null;
    this.#onEmpty?.();
  }

  // --- Requests -----------------------------------------------------------------------------------

  /**
   * A request has arrived. Handlers are called in microtasks that start in the context of the `serve` call,
   * each in one of its own: a context that one of them enters (AsyncLocalStorage.enterWith) does not leak to the next.
   */
  ready(connection: HttpConnection): void {
    this.#ready.push(connection);
    if (this.#ready.length === 1) this.#wake();
  }

  /** Lets the next `ready` resume this, in the context of the caller. */
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

  noteAnswered(): void {
    this.#answered++;
  }

  noteRefused(): void {
    this.#refused++;
  }

  noteCut(): void {
    this.#cut++;
  }

  upgraded(connection: HttpConnection): void {
    this.#upgraded++;
    this.gone(connection);
  }

  stats(): HttpStats {
    let idle = 0;
    let active = 0;
    for (const { phase, closed } of this.#connections) {
      if (phase === IDLE) idle += closed ? 0 : 1;
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

  ref(): this {
    return this.#refer(true);
  }

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

  stop(options: HttpStopOptions = {}): Promise<number> {
    const stop = (): Promise<number> => {
      this.#stopped ??= this.#stop();
      return this.#stopped;
    };
    return stopWithin(options, stop, () => this.#cutAll());
  }

  /** Accepts no more; connections end with their next answer, or with their timeout. */
  retire(): void {
    this.stopping = true;
    this.#retired = true;
  }

  async #stop(): Promise<number> {
    this.stopping = true;
    await this.#listener.close();
    if (!this.#retired) await this.#stopIdle();
    if (this.#connections.size !== 0) {
      await new Promise<void>(resolve => {
        this.#onEmpty = resolve;
      });
    }
    this.#isClosed = true;
    this.#onClosed();
    return this.#cutAtStop;
  }

  /** Closes idle connections, but answers what their peers have sent by now. */
  async #stopIdle(): Promise<void> {
    let idle = [...this.#connections];
    const { receivable } = libc();
    // Before a peer has taken its last answer nothing is read: it ends with that.
    const mayHaveSent = ({ phase, transport }: HttpConnection): boolean =>
      phase !== SERVING && receivable(transport.connection.fd) > 0;
    for (;;) {
      idle = idle.filter(connection => !connection.closed && !connection.stop(mayHaveSent(connection)));
      if (idle.length === 0) return;
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  }

  #cutAll(): void {
    for (const connection of this.#connections) {
      this.#cutAtStop++;
      connection.cut(new UasyncError('ERR_CLOSED', 'The server has stopped'));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

// What users see of it.
Object.defineProperty(HttpServer, 'name', { value: 'Server' });
