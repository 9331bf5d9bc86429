/** A server of `node:http` on the loop. Loaded on the first call of `serveNode`, with Node's modules that it needs. */
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse, Server as StockServer } from 'node:http';
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2';
import net, { type Socket } from 'node:net';
import type { InspectOptionsStylized } from 'node:util';
import type { Loop } from '../../loop/loop.js';
import { clearInterval, now, setImmediate, setInterval } from '../../loop/real-timers.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { givenPath, localAddress, placeOf } from '../../net/address/addresses.js';
import { openListening } from '../../net/listen/open.js';
import { LISTEN_NAMES, type ListenOptions, pickListenOptions } from '../../net/listen/options.js';
import { closeOnDisconnect } from '../../net/socket/cluster.js';
import { listenOn } from '../../node/stream/listen-on.js';
import { checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { authorityOf } from './authority.js';
import { type HttpStopOptions, stopOnAbort, stopWithin } from './stopping.js';

/** The address of a server of `node:http`, which has its own limits and timeouts. */
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

/** How often a stopping server checks for connections that became idle, in milliseconds. */
const SWEEP_MS = 50;

/** A socket, and the private state that Node keeps on it. */
interface Answering extends Socket {
  /** Null after an upgrade. */
  parser?: object | null;
  /** For TLS: the socket below. */
  _parent?: Answering | null;
}

/** The state of a connection. */
class Conversation {
  /** The answer to the newest request. Answers to earlier pipelined requests are sent first. */
  answer: ServerResponse | null = null;
  /** Whether that answer has `Connection: close` because the server stops. */
  isLast = false;
  /** When the stopping server first saw the next head incomplete; 0 if it has not. */
  incompleteSince = 0;

  /** Whether a response is pending, or bytes are unsent. */
  isBusy(socket: Answering): boolean {
    return socket.writableLength > 0 || (this.answer !== null && !this.answer.writableFinished);
  }

  /** Closes the connection after the newest answer. Node would drop answers after one that closes it. */
  endAfterAnswer(): void {
    const { answer } = this;
    if (answer === null || answer.headersSent || !answer.shouldKeepAlive) return;
    answer.shouldKeepAlive = false;
    this.isLast = true;
  }

  /** A request has arrived, to be answered by `answer`. */
  next(answer: ServerResponse): void {
    if (this.isLast) this.answer!.shouldKeepAlive = true;
    this.isLast = false;
    this.incompleteSince = 0;
    this.answer = answer;
  }
}

const NOTHING = (): void => {};

/** A listening server of `node:http`. Created by `serveNode`. */
export class NodeServer {
  /** The given server. */
  readonly server: StockServer;
  /** The address that it listens on. */
  readonly address: SocketAddress;
  /** Resolves when it has closed, by `stop()` or its own `close()`, and its connections have. */
  readonly closed: Promise<void>;
  /** TLS connections once they are secure; until then the sockets below. */
  readonly #sockets = new Map<Answering, Conversation>();
  /** HTTP/2 sessions. */
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

  /**
   * Its URL. For a Unix socket it has no meaningful host; for the address of all interfaces the host is 'localhost'.
   */
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
    // The channel has the requests of all servers of the thread.
    const conversation = this.#sockets.get(socket);
    if (conversation === undefined) return;
    conversation.next(response);
    if (this.#stopped !== null) conversation.endAfterAnswer();
  };

  /**
   * Stops: accepts no more connections, closes those without a request, and closes the others after their answers.
   * Resolves when all are closed, including upgraded ones, to the number of those that had to be cut. A second call
   * waits for the first, and may shorten its timeout.
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
    // Not every connection reports that it is idle: an answer may be complete before its request is.
    const sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    await this.closed;
    clearInterval(sweeping);
    return this.#cut;
  }

  /**
   * Calls a function of Node's that closes idle connections. Node also counts connections as idle whose answers are
   * complete but not sent, or wait for those of earlier requests.
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

  /** Closes connections without a pending request. */
  #sweep(): void {
    const { server } = this;
    this.#closingIdle(() => server.closeIdleConnections?.());
    const time = now();
    for (const [socket, conversation] of this.#sockets) {
      if (this.#isSilent(socket)) socket.destroy();
      else if (socket.parser && !conversation.isBusy(socket) && conversation.answer?.req.complete !== false) {
        // A head has started to arrive. Node does not check its time limit once a server is closed.
        conversation.incompleteSince ||= time;
        const { headersTimeout } = server;
        if (headersTimeout > 0 && time - conversation.incompleteSince >= headersTimeout) socket.destroy();
      }
    }
  }

  /** Nothing has arrived on it, or its TLS handshake is not complete. Node counts such connections as busy. */
  #isSilent(socket: Answering): boolean {
    if (socket.bytesRead === 0) return true;
    if (!this.#isSecure() || !(socket instanceof net.Socket)) return false;
    const { TLSSocket } = process.getBuiltinModule('node:tls');
    return !(socket instanceof TLSSocket);
  }

  #cutAll(): void {
    for (const socket of this.#sockets.keys()) {
      if (!socket.destroyed) this.#cut++;
      socket.destroy();
    }
  }

  /** Keeps the process alive, which is the default. */
  ref(): this {
    this.server.ref();
    return this;
  }

  /** No longer keeps the process alive; its connections do. */
  unref(): this {
    this.server.unref();
    return this;
  }

  /** As `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Replaces a socket's `destroy`. */
function stay<T>(this: T): T {
  return this;
}

/** Servers by the loop of their sockets. */
const ON_LOOP = new WeakMap<Loop, Set<NodeServer>>();

/** Ends a server with its loop. Otherwise its sockets would only become silent. */
function endWith(loop: Loop, server: NodeServer): void {
  const servers = ON_LOOP.get(loop) ?? new Set();
  if (!ON_LOOP.has(loop)) {
    ON_LOOP.set(loop, servers);
    loop.onClose(() => {
      // `close()` of the loop is still in progress.
      setImmediate(() => {
        for (const one of servers) one.stop({ timeout: 0 }).catch(NOTHING);
      });
    });
  }
  servers.add(server);
  server.closed.then(() => servers.delete(server), NOTHING);
}

/** What `serveNode` does. */
export async function openNodeServer(
  server: StockServer | Http2Server | Http2SecureServer,
  options: ServeNodeOptions,
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
