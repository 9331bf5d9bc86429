import type { ReadableStream } from 'node:stream/web';
import { isUint8Array } from 'node:util/types';
import { UasyncError, withCode } from '../../sys/errors/errors.js';
import type { Head } from '../input/head.js';
import type { IncomingBody } from '../input/incoming-body.js';
import { isBlob, isSpecial, originOf, type Source, type SpecialBody } from '../message/body.js';
import { headersOf } from '../message/fetched.js';
import { HttpRequest, type RequestOwner } from '../message/request.js';
import {
  HttpResponse,
  hasNoBody,
  headerList,
  impliedType,
  isOwnResponse,
  takeSource,
} from '../message/response.js';
import type { Answer, Handler, HttpOptions } from '../options.js';
import { checkReason } from '../output/field-text.js';
import type { Outlet } from '../output/outlet.js';
import { NO_LENGTH, ResponseHead } from '../output/response-head.js';
import type { Transport } from '../transport/transport.js';
import { GONE, isOfGonePeer } from './gone.js';
import { isObserved, ObservedAnswer, requestBegins, requestFailed } from './observe.js';
import { type InfoSource, RequestInfo } from './request-info.js';
import { type Pieces, piecesOf, type Stream, StreamSender } from './stream-body.js';

/** The connection of a request. */
export interface AnsweringOwner extends RequestOwner, InfoSource {
  readonly outlet: Outlet;
  readonly closed: boolean;
  readonly handler: Handler;
  readonly options: HttpOptions;
  /** Decides whether the connection ends with this answer. */
  isLast(head: Head): boolean;
  setLast(): void;
  answered(): void;
  cut(error: Error): void;
  readonly transport: Transport;
}

/** A request from the end of its head to the end of its answer. */
export class Answering {
  readonly #owner: AnsweringOwner;
  readonly head: Head;
  readonly request: HttpRequest;
  /** Set once the handler has been called. */
  info: RequestInfo | null = null;
  #stream: StreamSender | null = null;
  /** The sent status; 0 before. */
  status = 0;
  /** Whether the handler has given its answer, of which nothing may have been sent. */
  replied = false;
  /** Whether the whole answer has been passed to the transport. */
  done = false;
  /** Whether a handler's failure is being answered. */
  #failing = false;
  #upgraded = false;
  #observed: ObservedAnswer | null = null;

  constructor(owner: AnsweringOwner, head: Head, body: IncomingBody | null) {
    this.#owner = owner;
    this.head = head;
    this.request = new HttpRequest(head, body, owner);
  }

  /** Whether a part of the answer has been sent. */
  get started(): boolean {
    return this.status !== 0;
  }

  /** Calls the handler. */
  call(): void {
    const owner = this.#owner;
    const info = new RequestInfo(owner);
    this.info = info;
    requestBegins(this.request, info);
    if (isObserved(owner.options.accessLog)) {
      this.#observed = new ObservedAnswer(this.request, owner.remoteAddress, owner.outlet.bytes);
    }
    try {
      const answer = owner.handler(this.request as unknown as Request, info);
      if (isThenable(answer)) {
        // Earlier answers must not wait for it.
        owner.outlet.flush();
        this.#settle(answer, answer => this.#answer(answer));
      } else this.#answer(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Takes a promise's result, and the first one of a thenable that settles more than once. */
  #settle<T>(promise: PromiseLike<T>, use: (value: T) => void): void {
    Promise.resolve(promise).then(use, error => this.#fail(error));
  }

  #answer(answer: unknown): void {
    if (this.#owner.closed) {
      discard(answer);
      return;
    }
    this.replied = true;
    try {
      if (this.#send(answer)) this.#finished();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Sends the answer; returns whether that was done at once. */
  #send(answer: unknown): boolean {
    if (typeof answer !== 'object' || answer === null) throw noResponse(answer);
    let head: ResponseHead;
    let source: Source;
    if (isOwnResponse(answer)) {
      source = takeSource(answer);
      if (typeof source === 'object' && source !== null && isSpecial(source))
        return this.#sendSpecial(answer.status, answer.statusText, headerList(answer), source);
      head = ResponseHead.of(answer.status, answer.statusText, headerList(answer), impliedType(answer));
    } else {
      const { body, status, reason, list } = takeForeign(answer as Response);
      source = body;
      // Other libraries allow one, which is not sent, as in Node.
      if (source !== null && hasNoBody(status)) {
        drop(source);
        source = null;
      }
      if (source !== null && isSpecial(source)) return this.#sendSpecial(status, reason, list, source);
      head = ResponseHead.of(status, reason, list, null);
    }
    if (head.close) this.#owner.setLast();
    if (source !== null && typeof source === 'object' && !isUint8Array(source))
      return this.#sendLater(head, source as Stream);
    const connection = this.connection();
    const { outlet } = this.#owner;
    const { status } = head;
    this.status = status;
    const isHead = this.head.method === 'HEAD';
    if (source === null) {
      let length = 0;
      // RFC 9110, 8.6: a 204 has no length.
      if (status === 204) length = NO_LENGTH;
      else if (status === 304 || isHead) length = head.declared >= 0 ? head.declared : NO_LENGTH;
      outlet.head(head.text(length, connection));
    } else if (typeof source === 'string') {
      const length = Buffer.byteLength(source);
      outlet.head(head.text(length, connection));
      if (!isHead) outlet.text(source, length);
    } else {
      outlet.head(head.text(source.length, connection));
      if (!isHead && source.length !== 0) outlet.data(source);
    }
    return true;
  }

  /** The value of the `Connection` header. */
  connection(): string {
    if (this.#owner.isLast(this.head)) return 'close';
    return this.head.version === 10 ? 'keep-alive' : '';
  }

  #sendSpecial(status: number, statusText: string, list: readonly string[], source: SpecialBody): false {
    const { outlet, transport } = this.#owner;
    const target = {
      request: this.head,
      status,
      statusText,
      list,
      outlet,
      transport,
      begin: (head: ResponseHead, length: number) => {
        if (this.#owner.closed) throw new UasyncError('ERR_CLOSED', 'The connection is closed');
        if (head.close) this.#owner.setLast();
        const connection = this.connection();
        this.status = head.status;
        outlet.head(head.text(length, connection));
      },
    };
    this.#await(source.send(target));
    return false;
  }

  #sendLater(head: ResponseHead, source: Stream): boolean {
    // The length of a Blob is known, whatever the response declares.
    const declared = isBlob(source) ? source.size : head.declared;
    if (this.head.method === 'HEAD') {
      drop(source);
      this.status = head.status;
      this.#owner.outlet.head(head.text(declared >= 0 ? declared : NO_LENGTH, this.connection()));
      return true;
    }
    this.#stream = this.#sender(head, declared, piecesOf(source));
    this.#await(this.#stream.send());
    return false;
  }

  /** Waits until everything is sent. */
  #await(sent: Promise<void>): void {
    sent.then(
      () => this.#finished(),
      error => this.#fail(error),
    );
  }

  #sender(head: ResponseHead, declared: number, pieces: Pieces): StreamSender {
    const chunks = this.head.version === 11;
    // The body ends with the connection.
    if (!chunks && declared < 0) this.#owner.setLast();
    return new StreamSender(this.#owner.outlet, head, declared, chunks, pieces, () => {
      this.status = head.status;
      return this.connection();
    });
  }

  #finished(): void {
    if (this.done) return;
    this.done = true;
    this.#observe(this.status);
    this.#owner.answered();
  }

  #observe(status: number): void {
    const { options, outlet } = this.#owner;
    this.#observed?.ended(options.accessLog, status, outlet.bytes);
    this.#observed = null;
  }

  /** The connection was upgraded to another protocol. */
  upgraded(): void {
    this.#upgraded = true;
    this.#observe(101);
  }

  /** The peer has disconnected. */
  cancel(error: Error): void {
    this.#stream?.cancel(error);
    this.#observe(0);
  }

  // --- Failures -----------------------------------------------------------------------------------

  /** The handler has given up as the request's signal was aborted. A peer that is only half-closed still reads. */
  #givenUp(): void {
    if (this.started) this.#owner.cut(GONE);
    else this.#answer(plain(500));
  }

  #fail(error: unknown): void {
    const owner = this.#owner;
    const { onError } = owner.options;
    // An upgraded connection gets no answer.
    const started = this.started || this.#upgraded;
    // A peer that has disconnected causes most failures at that point.
    if (owner.closed && !this.#upgraded) return;
    if (isOfGonePeer(error) && !this.#upgraded) {
      this.#givenUp();
      return;
    }
    requestFailed(this.request, error);
    if (this.started)
      owner.cut(new UasyncError('ERR_HTTP_ANSWER', 'The answer has failed halfway', { cause: error }));
    if (this.#failing) {
      printError(error);
      if (!started) this.#answer(plain(500));
      return;
    }
    this.#failing = true;
    const status = refusedStatus(error);
    if (status !== 0 && status !== 404) owner.setLast();
    if (onError === undefined) {
      if (status === 0) printError(error);
      if (!started) this.#answer(plain(status === 0 ? 500 : status));
      return;
    }
    try {
      const answer = onError(error, this.request as unknown as Request);
      const use = (answer: Answer | undefined): void => {
        if (started || owner.closed) discard(answer);
        else this.#answer(answer ?? plain(status === 0 ? 500 : status));
      };
      if (isThenable(answer)) this.#settle(answer, use);
      else use(answer as Answer | undefined);
    } catch (failure) {
      this.#fail(failure);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<Answer> {
  if (typeof value === 'object' && value !== null && isOwnResponse(value)) return false;
  return typeof (value as Partial<PromiseLike<Answer>> | undefined)?.then === 'function';
}

/** Prints an error as an uncaught one would be. */
function printError(error: unknown): void {
  console.error(error);
}

function plain(status: number): HttpResponse {
  return new HttpResponse(`${STATUS_TEXTS[status] ?? 'Error'}\n`, { status });
}

const STATUS_TEXTS: Record<number, string> = {
  400: 'Bad Request',
  404: 'Not Found',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  500: 'Internal Server Error',
};

/** The status for a failure after the request's body was refused, or for a missing file; else 0. */
function refusedStatus(error: unknown): number {
  const { code, status } = (error ?? {}) as { code?: unknown; status?: unknown };
  const isOurs = code === 'ERR_HTTP_BODY' || code === 'ERR_HTTP_FILE';
  return isOurs && typeof status === 'number' ? status : 0;
}

function noResponse(value: unknown): TypeError {
  return withCode(
    new TypeError(
      `A handler must return a Response, and has returned ${value === null ? 'null' : `a value of type ${typeof value}`}`,
    ),
    'ERR_INVALID_RETURN_VALUE',
  );
}

/** A body that is not sent. */
function drop(source: Stream | SpecialBody): void {
  if (isSpecial(source)) source.discard();
  else
    piecesOf(source)
      .cancel(undefined)
      .catch(() => {});
}

interface Foreign {
  readonly body: ReadableStream | SpecialBody | null;
  readonly status: number;
  readonly reason: string;
  /** Its headers: names and values alternate. */
  readonly list: readonly string[];
}

/** The parts of a Response of the platform, or of another library. */
function takeForeign(response: Response): Foreign {
  const { status, headers, bodyUsed } = response;
  if (typeof status !== 'number' || typeof headers !== 'object') throw noResponse(response);
  const body = response.body as ReadableStream | null;
  if (bodyUsed || body?.locked) {
    throw withCode(new TypeError('The body of the Response has been read already'), 'ERR_INVALID_STATE');
  }
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) throw noResponse(response);
  return {
    body: body === null ? null : originOf(body),
    status,
    reason: checkReason(response.statusText),
    list: headersOf(response),
  };
}

/** The peer has disconnected: cancels the body. */
function discard(answer: unknown): void {
  try {
    if (isOwnResponse(answer as object)) {
      const source = takeSource(answer as HttpResponse);
      if (source === null || typeof source === 'string' || isUint8Array(source)) return;
      drop(source as Stream | SpecialBody);
      return;
    }
    const { body } = answer as Response;
    if (body !== null && !body.locked) body.cancel().catch(() => {});
  } catch {
    // It is not a Response.
  }
}
