/** `serveNode`: a server of `node:http` on the loop. */
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { RequestListener, ServerResponse, Server as StockServer } from 'node:http';
import net, { type Socket } from 'node:net';
import type { InspectOptionsStylized } from 'node:util';
import { throwIfAborted } from '../loop/abort.js';
import { ignoreAbort, listenForAbort } from '../loop/abort-listeners.js';
import { setImmediate } from '../loop/real-timers.js';
import { givenPath, localAddress, placeOf } from '../net/address/addresses.js';
import { openListening } from '../net/listen/open.js';
import { LISTEN_NAMES, type ListenOptions, pickListenOptions } from '../net/listen/options.js';
import { closeOnDisconnect } from '../net/socket/cluster.js';
import { listenOn } from '../node/listen-on.js';
import { checkSignal } from '../ring/check.js';
import { argTypeError } from '../ring/errors.js';
import { counted, custom, shown } from '../ring/inspect.js';
import { checkOptions, optionNames } from '../ring/options.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import { authorityOf } from './authority.js';
import { type HttpStopOptions, stopWithin } from './stopping.js';

/** Where a server of `node:http` listens. Its limits and timeouts are its own. */
export interface ServeNodeOptions extends Omit<ListenOptions, 'maxConnections' | 'receiveFds' | 'signal'> {
  /** Aborting it stops the server, as `stop()` does. */
  signal?: AbortSignal | undefined;
}

const { maxConnections: _, receiveFds: __, ...OF_LISTEN } = LISTEN_NAMES;
const OPTIONS = optionNames<ServeNodeOptions>(OF_LISTEN);

/** Node tells by this one that an answer is complete. */
interface Finished {
  server: unknown;
}
const FINISHED = 'http.server.response.finish';

/** A socket, and the answer that Node is sending by it. */
interface Answering extends Socket {
  _httpMessage?: ServerResponse | null;
}

const NOTHING = (): void => {};

/** A server of `node:http` that listens. Made by `serveNode`. */
export class NodeServer {
  /** The server that was given. */
  readonly server: StockServer;
  /** Where it listens. */
  readonly address: SocketAddress;
  /** Resolves when it has closed, by `stop()` or its own `close()`, and its connections have. */
  readonly closed: Promise<void>;
  readonly #sockets = new Set<Answering>();
  #stopped: Promise<number> | null = null;
  #closed = false;
  #cut = 0;

  /** @internal Use `serveNode`. */
  constructor(server: StockServer, address: SocketAddress) {
    this.server = server;
    this.address = address;
    server.on('connection', this.#track);
    this.closed = new Promise(resolve => {
      server.once('close', () => {
        server.off('connection', this.#track);
        this.#closed = true;
        resolve();
      });
    });
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    const state = this.#closed ? 'closed' : this.server.listening ? 'serving' : 'stopping';
    return shown(this, depth, options, state, placeOf(this.address), [
      counted(this.#closed ? 0 : this.#sockets.size, 'connection'),
    ]);
  }

  /** Its URL. Of a Unix socket it names no place, and of one that listens on all addresses the host is 'localhost'. */
  get url(): URL {
    const scheme = 'setSecureContext' in this.server ? 'https' : 'http';
    return new URL(`${scheme}://${authorityOf(this.address)}/`);
  }

  readonly #track = (socket: Answering): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  /**
   * Stops: no connection is accepted any more, those without a request are closed, requests under way are answered and
   * their connections closed. Resolves when all are closed, those that speak another protocol by now among them, to the
   * number of those that had to be cut. A second call waits for the first, and may shorten its time.
   * @throws (as a rejection) TypeError and RangeError for wrong options.
   */
  stop(options: HttpStopOptions = {}): Promise<number> {
    const stop = (): Promise<number> => {
      this.#stopped ??= this.#stop();
      return this.#stopped;
    };
    return stopWithin(options, stop, () => this.#cutAll());
  }

  async #stop(): Promise<number> {
    const { server } = this;
    const closeIdle = (): void => server.closeIdleConnections?.();
    const onFinished = (message: unknown): void => {
      // It is idle once Node has dealt with that.
      if ((message as Finished).server === server) setImmediate(closeIdle);
    };
    const finished = channel(FINISHED);
    finished.subscribe(onFinished);
    server.prependListener('request', sayLast);
    if (server.listening) server.close();
    for (const socket of this.#sockets) {
      // Node counts those that have said nothing as busy.
      if (socket.bytesRead === 0) socket.destroy();
      const answer = socket._httpMessage;
      if (answer && !answer.headersSent) answer.setHeader('Connection', 'close');
    }
    await this.closed;
    finished.unsubscribe(onFinished);
    server.off('request', sayLast);
    return this.#cut;
  }

  #cutAll(): void {
    for (const socket of this.#sockets) {
      if (!socket.destroyed) this.#cut++;
      socket.destroy();
    }
  }

  /** It keeps the process alive, which is the default. */
  ref(): this {
    this.server.ref();
    return this;
  }

  /** It no longer keeps the process alive; its connections do. */
  unref(): this {
    this.server.unref();
    return this;
  }

  /** As `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** @internal Stops when `signal` is aborted. */
  stopOn(signal: AbortSignal): void {
    const listener = { onAbort: () => void this.stop().catch(NOTHING) };
    if (signal.aborted) {
      listener.onAbort();
      return;
    }
    listenForAbort(signal, listener);
    this.closed.then(() => ignoreAbort(signal, listener), NOTHING);
  }
}

const sayLast: RequestListener = (_request, response) => {
  response.setHeader('Connection', 'close');
};

/**
 * Listens with a server of `node:http` (Express, Fastify, Koa and others make one), whose connections are on the loop.
 * Everything else is as after its own `listen()`. Resolves when it listens.
 * @throws (as a rejection) what `listen` throws; ERR_SERVER_ALREADY_LISTEN; AbortError if `signal` is aborted before it
 * listens; TypeError and RangeError for wrong arguments.
 */
export async function serveNode(server: StockServer, options: ServeNodeOptions = {}): Promise<NodeServer> {
  if (!(server instanceof net.Server)) throw argTypeError('server', 'an instance of http.Server', server);
  checkOptions(options, OPTIONS);
  throwIfAborted(checkSignal(options.signal));
  const given = pickListenOptions(options);
  if (given.port === undefined && given.path === undefined && given.fd === undefined) given.port = 0;
  const [made, listening] = await openListening(given, (socket, worker) => {
    const address = givenPath(socket.path) ?? localAddress(socket.fd)!;
    listenOn(server, socket, options.backlog ?? 511);
    const made = new NodeServer(server, address);
    if (worker !== undefined) {
      const forget = closeOnDisconnect(worker, async () => void (await made.stop()));
      made.closed.then(forget, NOTHING);
    }
    return [made, once(server, 'listening')];
  });
  await listening;
  if (options.signal !== undefined) made.stopOn(options.signal);
  return made;
}
