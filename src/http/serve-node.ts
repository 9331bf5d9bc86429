/** `serveNode`: a server of `node:http` on the loop. */
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse, Server as StockServer } from 'node:http';
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2';
import net, { type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { InspectOptionsStylized } from 'node:util';
import { throwIfAborted } from '../loop/abort.js';
import type { Loop } from '../loop/loop.js';
import { clearInterval, now, setImmediate, setInterval } from '../loop/real-timers.js';
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
import { type HttpStopOptions, stopOnAbort, stopWithin } from './stopping.js';

/** Where a server of `node:http` listens. Its limits and timeouts are its own. */
export interface ServeNodeOptions extends Omit<ListenOptions, 'maxConnections' | 'receiveFds' | 'signal'> {
  /** Aborting it stops the server, as `stop()` does. */
  signal?: AbortSignal | undefined;
}

const { maxConnections: _, receiveFds: __, ...OF_LISTEN } = LISTEN_NAMES;
const OPTIONS = optionNames<ServeNodeOptions>(OF_LISTEN);

/** What Node publishes when the head of a request is complete, before any handler runs. */
interface Started {
  socket: Answering;
  response: ServerResponse;
}
const STARTED = channel('http.server.request.start');

/** How often a server that stops looks for connections that became idle, in milliseconds. */
const SWEEP_MS = 50;

/** A socket, and what Node keeps on it. */
interface Answering extends Socket {
  /** Null after an upgrade. */
  parser?: object | null;
  /** Of one that speaks TLS: the socket below. */
  _parent?: Answering | null;
}

/** What is known of a connection. */
class Conversation {
  /** The answer to the newest request. Those to pipelined ones before it are sent first. */
  answer: ServerResponse | null = null;
  /** That one says `Connection: close` because the server stops. */
  isLast = false;
  /** When the server, while it stops, first saw the next head incomplete; 0 if it has not. */
  incompleteSince = 0;

  /** A response is still to be made or sent, or bytes are. */
  isBusy(socket: Answering): boolean {
    return socket.writableLength > 0 || (this.answer !== null && !this.answer.writableFinished);
  }

  /** Closes the connection after the newest answer. Node would drop those behind one that closes it. */
  endAfterAnswer(): void {
    const { answer } = this;
    if (answer === null || answer.headersSent || !answer.shouldKeepAlive) return;
    answer.shouldKeepAlive = false;
    this.isLast = true;
  }

  /** A request has come; `answer` is for it. */
  next(answer: ServerResponse): void {
    if (this.isLast) this.answer!.shouldKeepAlive = true;
    this.isLast = false;
    this.incompleteSince = 0;
    this.answer = answer;
  }
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
  /** Those over TLS once they are secure; until then the sockets below. */
  readonly #sockets = new Map<Answering, Conversation>();
  /** Of HTTP/2. */
  readonly #sessions = new Set<ServerHttp2Session>();
  #stopped: Promise<number> | null = null;
  #closed = false;
  #cut = 0;

  /** @internal Use `serveNode`. */
  constructor(server: StockServer, address: SocketAddress) {
    this.server = server;
    this.address = address;
    server.on('connection', this.#track);
    server.on('secureConnection', this.#track);
    server.on('session', this.#trackSession);
    STARTED.subscribe(this.#onStarted);
    this.closed = new Promise(resolve => {
      server.once('close', () => {
        server.off('connection', this.#track);
        server.off('secureConnection', this.#track);
        server.off('session', this.#trackSession);
        STARTED.unsubscribe(this.#onStarted);
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
    const scheme = this.#isSecure() ? 'https' : 'http';
    return new URL(`${scheme}://${authorityOf(this.address)}/`);
  }

  #isSecure(): boolean {
    return 'setSecureContext' in this.server;
  }

  readonly #track = (socket: Answering): void => {
    if (socket._parent) this.#sockets.delete(socket._parent);
    this.#sockets.set(socket, new Conversation());
    socket.once('close', () => this.#sockets.delete(socket));
  };

  readonly #trackSession = (session: ServerHttp2Session): void => {
    if (this.#stopped !== null) session.close();
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
  };

  readonly #onStarted = (message: unknown): void => {
    const { socket, response } = message as Started;
    // The channel is for all servers of the thread.
    const conversation = this.#sockets.get(socket);
    if (conversation === undefined) return;
    conversation.next(response);
    if (this.#stopped !== null) conversation.endAfterAnswer();
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
    // Its server may listen again by now.
    if (this.#closed) return 0;
    const { server } = this;
    for (const conversation of this.#sockets.values()) conversation.endAfterAnswer();
    for (const session of this.#sessions) session.close();
    if (server.listening) this.#closingIdle(() => server.close());
    this.#sweep();
    // Not all that becomes idle tells: an answer may be complete before its request is.
    const sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    await this.closed;
    clearInterval(sweeping);
    return this.#cut;
  }

  /**
   * Calls a function of Node's that closes idle connections. Node takes those for idle, too, whose answers are complete
   * but not sent, or wait for those of earlier requests.
   */
  #closingIdle(close: () => void): void {
    const busy: Answering[] = [];
    for (const [socket, conversation] of this.#sockets) {
      if (!conversation.isBusy(socket)) continue;
      socket.destroy = stay;
      busy.push(socket);
    }
    close();
    for (const socket of busy) delete (socket as Partial<Answering>).destroy;
  }

  /** Closes the connections that have no request under way. */
  #sweep(): void {
    const { server } = this;
    this.#closingIdle(() => server.closeIdleConnections?.());
    const time = now();
    for (const [socket, conversation] of this.#sockets) {
      if (this.#isSilent(socket)) socket.destroy();
      else if (socket.parser && !conversation.isBusy(socket) && conversation.answer?.req.complete !== false) {
        // A head has begun. Node no longer looks at its time once a server is closed.
        conversation.incompleteSince ||= time;
        const { headersTimeout } = server;
        if (headersTimeout > 0 && time - conversation.incompleteSince >= headersTimeout) socket.destroy();
      }
    }
  }

  /** Nothing has come by it, or with TLS its handshake is not complete. Node counts those as busy. */
  #isSilent(socket: Answering): boolean {
    if (socket.bytesRead === 0) return true;
    return this.#isSecure() && socket instanceof net.Socket && !(socket instanceof TLSSocket);
  }

  #cutAll(): void {
    for (const socket of this.#sockets.keys()) {
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
}

/** In place of a socket's `destroy`. */
function stay<T>(this: T): T {
  return this;
}

/** Servers by the loop that their sockets are on. */
const ON_LOOP = new WeakMap<Loop, Set<NodeServer>>();

/** Has a server end with the loop. Its sockets would only fall silent. */
function endWith(loop: Loop, server: NodeServer): void {
  const servers = ON_LOOP.get(loop) ?? new Set();
  if (!ON_LOOP.has(loop)) {
    ON_LOOP.set(loop, servers);
    loop.onClose(() => {
      // `close()` of the loop is still under way.
      setImmediate(() => {
        for (const one of servers) one.stop({ timeout: 0 }).catch(NOTHING);
      });
    });
  }
  servers.add(server);
  server.closed.then(() => servers.delete(server), NOTHING);
}

/**
 * Listens with a server of `node:http` (Express, Fastify, Koa and others make one), whose connections are on the loop.
 * Everything else is as after its own `listen()`. Resolves when it listens.
 * @throws (as a rejection) what `listen` throws; ERR_SERVER_ALREADY_LISTEN; AbortError if `signal` is aborted before it
 * listens; TypeError and RangeError for wrong arguments.
 */
export async function serveNode(
  server: StockServer | Http2Server | Http2SecureServer,
  options: ServeNodeOptions = {},
): Promise<NodeServer> {
  if (!(server instanceof net.Server)) throw argTypeError('server', 'an instance of http.Server', server);
  checkOptions(options, OPTIONS);
  throwIfAborted(checkSignal(options.signal));
  const given = pickListenOptions(options);
  if (given.port === undefined && given.path === undefined && given.fd === undefined) given.port = 0;
  const [made, listening] = await openListening(given, (socket, worker) => {
    const address = givenPath(socket.path) ?? localAddress(socket.fd)!;
    listenOn(server, socket, options.backlog ?? 511);
    const made = new NodeServer(server as StockServer, address);
    // Native handles have none.
    const { loop } = (server as unknown as { _handle: { loop?: Loop } })._handle;
    if (loop !== undefined) endWith(loop, made);
    if (worker !== undefined) {
      const forget = closeOnDisconnect(worker, async () => void (await made.stop()));
      made.closed.then(forget, NOTHING);
    }
    return [made, once(server, 'listening')];
  });
  await listening;
  if (options.signal !== undefined) stopOnAbort(made, options.signal);
  return made;
}
