import { setImmediate } from '../../loop/real-timers.js';
import { UasyncError } from '../../sys/errors/errors.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { Arrival, type ArrivalOwner } from '../input/arrival.js';
import type { Head } from '../input/head.js';
import { type BodySource, IncomingBody } from '../input/incoming-body.js';
import { authorityIn, requestUrl } from '../input/target.js';
import type { HttpRequest } from '../message/request.js';
import type { Handler, HttpOptions } from '../options.js';
import { Outlet } from '../output/outlet.js';
import { refusal, serverOptions } from '../output/response-head.js';
import type { Transport, TransportOwner } from '../transport/transport.js';
import type { Upgraded } from '../transport/upgrade.js';
import { Answering, type AnsweringOwner } from './answering.js';
import type { ConnectionOwner } from './connection-owner.js';
import { GONE } from './gone.js';
import { requestRefused } from './observe.js';
import { HEAD, IDLE, type Phase, Progress, SERVING } from './phase.js';
import type { RequestInfo } from './request-info.js';

/** The unread rest of a body is skipped, up to this size. */
const SKIP_MAX = 256 * 1024;

/** After this many pipelined requests Node's event loop gets a turn. */
const BURST_MAX = 64;

const LATE = new UasyncError(
  'ETIMEDOUT',
  'The peer takes nothing of its answer, or sends nothing of its body',
);
const NOTHING = (): void => {};

/** One peer: its requests are parsed, served and answered one after the other. */
export class HttpConnection implements TransportOwner, ArrivalOwner, BodySource, AnsweringOwner {
  readonly server: ConnectionOwner<HttpConnection>;
  readonly transport: Transport;
  readonly outlet: Outlet;
  readonly #arrival: Arrival;
  /** The request that is being served. */
  #answering: Answering | null = null;
  #abort: AbortController | null = null;
  /** The abandoned, unanswered request. */
  #givenUp: HttpRequest | null = null;
  /** Whether the peer waits for `100 Continue`. */
  #expectsContinue = false;
  /** How much of the body had arrived when the answer was complete. */
  #skipFrom = 0;
  #count = 0;
  /** The number of requests answered since others had their turn. */
  #burst = 0;
  phase: Phase = HEAD;
  /** When the phase and the request started, by the server's clock. */
  since: number;
  begun = 0;
  readonly #progress = new Progress();
  #last = false;
  /** Whether the peer has ended its side and everything has been received; whether it has ended at all. */
  #ended = false;
  #hasEnded = false;
  #watched = false;
  #closed = false;
  #cut = false;
  #upgraded = false;

  constructor(server: ConnectionOwner<HttpConnection>, makeTransport: (owner: HttpConnection) => Transport) {
    this.server = server;
    this.since = server.time;
    this.transport = makeTransport(this);
    this.outlet = new Outlet(this.transport);
    this.#arrival = new Arrival(this, server.limits);
  }

  // --- Arrival ------------------------------------------------------------------------------------

  get takes(): boolean {
    return this.#arrival.takes;
  }

  parse(length: number): void {
    try {
      this.#arrival.parse(length);
    } catch (error) {
      // For example, no memory for a parser. This must not end the whole process.
      this.cut(error as Error);
    }
  }

  get plain(): number {
    return this.#arrival.plain;
  }

  takeBody(bytes: Buffer): void {
    this.#arrival.takeBody(bytes);
  }

  get canBegin(): boolean {
    return this.#answering === null && !this.#last && !this.#closed && !this.#upgraded;
  }

  onFirstByte(): void {
    this.#enter(HEAD);
    this.begun = this.since;
  }

  onHead(head: Head): IncomingBody | null | undefined {
    const { server } = this;
    if (head.method === 'OPTIONS' && head.target === '*') return this.#refuse(204, '');
    if (head.url === '') {
      const host = head.host ?? authorityIn(head.target) ?? server.authority;
      const url = requestUrl(this.transport.secure ? 'https:' : 'http:', host, head.target);
      if (url === null) return this.#refuse(400, 'ERR_INVALID_URL');
      head.url = url;
    }
    this.#enter(SERVING);
    this.#expectsContinue = head.hasBody && head.expect !== undefined && head.version === 11;
    const body = head.hasBody ? new IncomingBody(this) : null;
    this.#answering = new Answering(this, head, body);
    this.#last = !head.keepAlive || ++this.#count >= server.limits.maxRequestsPerConnection;
    server.ready(this);
    return body;
  }

  onProgress(): void {
    // The rest of a body that was answered without reading it.
    if (this.#answering?.done && this.#arrival.received - this.#skipFrom > SKIP_MAX) this.#finish();
  }

  onComplete(): void {
    if (this.#answering?.done) this.#next();
  }

  onBroken(status: number, what: string, body: IncomingBody): void {
    this.#last = true;
    const error = new UasyncError('ERR_HTTP_BODY', `The body of the request is ${what}`);
    body.fail(Object.assign(error, { status }));
    if (this.#answering?.done) this.#finish();
  }

  onRefused(status: number, code: string): void {
    this.#refuse(status, code);
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.since = this.server.time;
  }

  // --- Serving ------------------------------------------------------------------------------------

  /** Calls the handler, in a context of the server. */
  readonly run = (): void => {
    if (!this.#closed) this.#answering?.call();
  };

  /** Whether this request is the last one, from what is known when its answer starts. */
  isLast(head: Head): boolean {
    const { body } = this.#arrival;
    // An unread small body is skipped. A peer that waits for `100 Continue` may send the body or not.
    const unread = body !== null && !body.wanted && (this.#expectsContinue || head.contentLength > SKIP_MAX);
    this.#last ||= unread || this.server.stopping || (this.#ended && !this.#arrival.hasRest);
    return this.#last;
  }

  /** Makes this answer the last one. */
  setLast(): void {
    this.#last = true;
  }

  get closed(): boolean {
    return this.#closed || this.#upgraded;
  }

  /** The answer has been passed to the transport. */
  answered(): void {
    const body = this.#arrival.body;
    if (this.#closed) return;
    this.server.noteAnswered();
    if (body === null) this.#next();
    else if (this.#last || this.#expectsContinue) this.#finish();
    else {
      this.#skipFrom = this.#arrival.received;
      this.outlet.flush();
      body.fail(new UasyncError('ERR_CLOSED', 'The request has been answered'));
      body.drop();
    }
  }

  #next(): void {
    this.#answering = null;
    this.#abort = null;
    this.#expectsContinue = false;
    if (this.#last || this.server.stopping) {
      this.#finish();
      return;
    }
    if (this.outlet.isFull) this.outlet.drained().then(this.#goOn, NOTHING);
    else if (++this.#burst < BURST_MAX || !this.#arrival.hasRest) this.#goOn();
    else {
      this.outlet.flush();
      setImmediate(this.#goOn);
    }
  }

  /** Continues with the next request, if it has arrived. */
  readonly #goOn = (): void => {
    if (this.#burst >= BURST_MAX) this.#burst = 0;
    if (this.#closed || this.#answering !== null) return;
    this.#enter(IDLE);
    this.#arrival.goOn();
    if (this.#ended) this.#endInput();
    if (this.#closed) return;
    if (this.#answering === null) this.outlet.flush();
    // The rest of a body, too, may wait there.
    if (this.#arrival.takes) this.transport.resume();
  };

  // --- The body -----------------------------------------------------------------------------------

  onWanted(): void {
    if (!this.#expectsContinue || this.#closed || this.#answering?.started) return;
    this.#expectsContinue = false;
    this.outlet.head('HTTP/1.1 100 Continue\r\n\r\n');
    this.outlet.flush();
  }

  onRoom(): void {
    if (this.#closed) return;
    this.#arrival.goOn();
    if (this.#ended) this.#endInput();
    this.transport.resume();
  }

  // --- Refusals, and the end ----------------------------------------------------------------------

  /** Answers a request without a handler, and closes. */
  #refuse(status: number, code: string): undefined {
    this.server.noteRefused();
    requestRefused(() => this.remoteAddress, status, code);
    this.outlet.head(status === 204 ? serverOptions() : refusal(status, this.#arrival.isHead));
    this.#finish();
    return undefined;
  }

  /** The time limit of its phase has passed. */
  timeOut(): void {
    if (this.#closed || (this.phase === IDLE && this.transport.bufferedAmount > 0)) this.cut(LATE);
    else if (this.phase === IDLE) this.#finish();
    else if (this.phase === HEAD) {
      if (!this.#arrival.underWay) this.#finish();
      else this.#refuse(408, 'ERR_HTTP_REQUEST_TIMEOUT');
    } else if (this.#arrival.body !== null && !this.#answering?.started) this.#arrival.break(408, 'late');
    else this.cut(LATE);
  }

  /** Whether it has waited too long, while it serves, for the peer to send its body or take its answer. */
  isStuck(time: number, limit: number): boolean {
    const body = this.#arrival.body;
    const waits =
      this.#ended ||
      this.#hasEnded ||
      (body !== null && (body.awaited || this.#answering?.done === true)) ||
      this.transport.bufferedAmount > 0;
    return this.#progress.isStuck(waits, this.transport.moved, time, limit);
  }

  /** It has been idle for a while: drops everything that only makes its next request cheaper. */
  rest(): void {
    this.#arrival.forget();
  }

  /** Whether more bytes of the request's body are expected. */
  get receivesBody(): boolean {
    return this.#arrival.body !== null;
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#closed || this.#upgraded) return;
    this.#endInput();
    this.#abort?.abort(GONE);
    // It may still take its answer, or be gone: sending will show.
    if (this.#answering !== null) this.watch();
  }

  /** Everything from the peer has been received: what is incomplete after parsing will never be complete. */
  #endInput(): void {
    if (this.#arrival.hasRest) return;
    if (this.#answering === null) {
      if (this.#arrival.underWay) this.#refuse(400, 'HPE_INVALID_EOF_STATE');
      else this.#finish();
    } else if (this.#answering?.done) this.#finish();
    else if (this.#arrival.body !== null) this.#arrival.break(400, 'incomplete');
  }

  /** From now on a disconnect of the peer is detected, although nothing is received. */
  watch(): void {
    if (this.#watched || this.#closed || this.#upgraded) return;
    this.#watched = true;
    const { connection } = this.transport;
    connection.whenEnded().then(() => {
      this.#hasEnded = true;
      this.#abort?.abort(GONE);
    }, NOTHING);
    connection.whenClosed().then(() => this.onFailure(GONE), NOTHING);
  }

  onFailure(error: Error): void {
    // Closing ends receiving, too.
    if (!this.#closed) this.cut(error);
  }

  /** Closes it at once. */
  cut(error: Error): void {
    if (this.#cut || this.#upgraded) return;
    this.#cut = true;
    this.server.noteCut();
    if (!this.#closed) this.#over(error);
    this.transport
      .reset()
      .catch(NOTHING)
      .then(() => this.server.gone(this), NOTHING);
  }

  /** Sends the rest, then closes. */
  #finish(): void {
    if (this.#closed) return;
    this.outlet.flush();
    this.#over(new UasyncError('ERR_CLOSED', 'The connection is closed'));
    this.transport
      .close()
      .catch(NOTHING)
      .then(() => this.server.gone(this), NOTHING);
  }

  #over(error: Error): void {
    this.#closed = true;
    const answering = this.#answering;
    this.#arrival.end(error);
    if (answering === null) return;
    this.#answering = null;
    // An answered request is not aborted.
    if (answering.done) return;
    this.#givenUp = answering.request;
    answering.cancel(error);
    this.#abort?.abort(error);
  }

  /** The server stops: an idle connection ends, unless bytes are `waiting`, which may be a request. False then. */
  stop(waiting: boolean): boolean {
    if (this.#answering !== null || (this.phase === HEAD && this.#arrival.underWay)) return true;
    if (!waiting) this.#finish();
    return !waiting;
  }

  // --- For the answer -----------------------------------------------------------------------------

  get handler(): Handler {
    return this.server.handler;
  }

  get options(): HttpOptions {
    return this.server.options;
  }

  // --- For the request ----------------------------------------------------------------------------

  signalOf(request: HttpRequest): AbortSignal {
    const isGivenUp = request === this.#givenUp;
    if (request !== this.#answering?.request && !isGivenUp) return new AbortController().signal;
    this.#abort ??= new AbortController();
    if (isGivenUp || this.#ended || this.#hasEnded) this.#abort.abort(GONE);
    return this.#abort.signal;
  }

  get remoteAddress(): SocketAddress | undefined {
    return this.transport.remoteAddress;
  }

  get localAddress(): SocketAddress | undefined {
    return this.transport.connection.localAddress;
  }

  get secure(): boolean {
    return this.transport.secure;
  }

  async upgrade(info: RequestInfo): Promise<Upgraded> {
    const answering = this.#answering;
    const usable = info === answering?.info && !this.closed && !this.#ended;
    if (!usable || answering.replied || !answering.head.upgrade || this.#arrival.body !== null) {
      throw new UasyncError('ERR_INVALID_STATE', 'The connection cannot be upgraded for this request');
    }
    this.#upgraded = true;
    answering.upgraded();
    const head = this.#arrival.takeRest();
    this.outlet.flush();
    this.server.upgraded(this);
    return this.transport.release(head);
  }
}
