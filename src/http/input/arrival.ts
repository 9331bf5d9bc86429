import { allocatePooled } from '../../loop/memory/buffer-memory.js';
import { errorStatus, headStatus, sizeStatus } from './check-request.js';
import { Head } from './head.js';
import type { IncomingBody } from './incoming-body.js';
import type { Limits } from './limits.js';
import { INPUT_SIZE, input, Parser } from './llhttp.js';

/** How many bytes of pipelined requests are parsed at a time. */
const REST_PIECE = 4096;
/** How much of a refused request is examined to find the reason. */
const SHOWN_MAX = 256;

const CR = 0x0d;
const LF = 0x0a;

/** A copy of a part of `input`. */
function copyOf(from: number, to: number): Buffer {
  const bytes = allocatePooled(to - from);
  input().copy(bytes, 0, from, to);
  return bytes;
}

/** Receives requests. None of these methods calls user code. */
export interface ArrivalOwner {
  /** Whether a request may start: none is being served. */
  readonly canBegin: boolean;
  readonly closed: boolean;
  /** The first byte of a request has arrived. */
  onFirstByte(): void;
  /** A head is complete: returns the destination of the body, null if there is none, undefined if it is refused. */
  onHead(head: Head): IncomingBody | null | undefined;
  /** More of the body has arrived. */
  onProgress(): void;
  /** The request is complete. */
  onComplete(): void;
  /** A request is refused before a handler has seen it. */
  onRefused(status: number, code: string): void;
  /** The body of a request that is being served will not be complete. */
  onBroken(status: number, what: string, body: IncomingBody): void;
}

/** The data of a connection, as requests one after the other. */
export class Arrival {
  readonly #owner: ArrivalOwner;
  readonly #limits: Limits;
  /** The parser of the current request. */
  #parser: Parser | null = null;
  /** Its body, once its head is complete. */
  body: IncomingBody | null = null;
  /** Whether its head is complete. */
  #hasHead = false;
  /** The remaining bytes of a body whose head gives its length: they need no parser. */
  plain = 0;
  /** The length of that body. */
  #length = 0;
  /** Bytes after a request that is being served. */
  #rest: Buffer | null = null;
  /** Whether these are being parsed. */
  #goesOn = false;
  /** The head of the last request, if the next one may be the same. */
  #last: Head | null = null;

  constructor(owner: ArrivalOwner, limits: Limits) {
    this.#owner = owner;
    this.#limits = limits;
  }

  /** Whether more data can be parsed now. */
  get takes(): boolean {
    return this.#rest === null && this.#mayParse();
  }

  #mayParse(): boolean {
    const { body } = this;
    return body === null ? this.#owner.canBegin : body.hasRoom && !this.#owner.closed;
  }

  /** Whether a request has started to arrive and is not complete. */
  get underWay(): boolean {
    return this.#parser !== null;
  }

  /** Whether that request is a HEAD, as far as it is known. */
  get isHead(): boolean {
    const parser = this.#parser;
    return parser !== null && parser.urlStart >= 0 && parser.method === 'HEAD';
  }

  /** Whether more has arrived than the request that is being served. */
  get hasRest(): boolean {
    return this.#rest !== null;
  }

  /** Received bytes of the body. */
  get received(): number {
    return this.#parser === null ? this.#length - this.plain : this.#parser.bodyLength;
  }

  /** Parses what is in `input`. */
  parse(length: number): void {
    const at = this.#consume(length);
    if (at < length && !this.#owner.closed) this.#rest = Buffer.from(input().subarray(at, length));
  }

  /** Parses data that has waited for the end of the last request, or for room. */
  goOn(): void {
    // The end of a request comes back to here: the loop that is under way goes on then.
    if (this.#goesOn) return;
    this.#goesOn = true;
    try {
      while (this.#rest !== null && this.#mayParse()) {
        const rest = this.#rest;
        if (this.plain > 0) {
          const piece = rest.subarray(0, this.plain);
          this.#rest = piece.length === rest.length ? null : rest.subarray(piece.length);
          this.takeBody(piece);
          continue;
        }
        const length = Math.min(rest.length, this.body === null ? REST_PIECE : INPUT_SIZE);
        input().set(rest.subarray(0, length));
        const at = this.#consume(length);
        // A refused request drops the rest.
        if (this.#rest !== null) this.#rest = at === rest.length ? null : rest.subarray(at);
      }
    } finally {
      this.#goesOn = false;
    }
  }

  /** Parses to the end of a request; returns the position. */
  #consume(to: number): number {
    let at = 0;
    while (at < to && this.#mayParse()) {
      if (this.plain > 0) {
        const end = Math.min(to, at + this.plain);
        this.takeBody(copyOf(at, end));
        at = end;
        continue;
      }
      const isFirst = this.#parser === null;
      if (isFirst) {
        // Empty lines before a request do not begin it: some peers send one after each body. RFC 9112, 2.2
        const first = input()[at];
        if (first === CR || first === LF) {
          at++;
          continue;
        }
        // Clients that poll, proxies and load generators repeat the same request: parsing it would give the same
        // result.
        const last = this.#last;
        if (last?.isAt(input(), at, to)) {
          at += last.length;
          if (!this.#repeat(last)) return to;
          continue;
        }
        this.#parser = Parser.acquire();
        this.#owner.onFirstByte();
      }
      const parser = this.#parser!;
      const start = at;
      at = parser.execute(start, to);
      if (at < 0) {
        this.#malformed(parser, input().toString('latin1', start, Math.min(to, start + SHOWN_MAX)));
        return to;
      }
      if (!this.#advance(parser, isFirst ? at - start : -1)) return to;
    }
    return at;
  }

  /** The last request was repeated. */
  #repeat(head: Head): boolean {
    const owner = this.#owner;
    owner.onFirstByte();
    if (owner.onHead(head) === undefined) return false;
    owner.onComplete();
    return !owner.closed;
  }

  /** Drops the head of the last request. */
  forget(): void {
    this.#last = null;
  }

  #malformed(parser: Parser, from: string): void {
    if (this.body !== null) this.break(400, `malformed (${parser.error})`);
    else {
      const status = errorStatus(parser, from);
      this.#owner.onRefused(status, parser.error);
      this.#release();
    }
  }

  /**
   * A part of a request has been parsed; false to stop parsing. @param length its bytes if it is the first, else -1.
   */
  #advance(parser: Parser, length: number): boolean {
    const owner = this.#owner;
    if (!this.#hasHead) {
      const status = sizeStatus(parser, this.#limits);
      if (status !== 0) return this.#refuse(status);
      if (!parser.headComplete) return true;
      const head = new Head(parser, parser.complete ? length : -1);
      const refusal = headStatus(head, this.#limits);
      if (refusal !== 0) return this.#refuse(refusal);
      const body = owner.onHead(head);
      if (body === undefined) return false;
      this.body = body;
      this.#hasHead = true;
      this.#length = Number.isSafeInteger(head.contentLength) ? Math.max(head.contentLength, 0) : 0;
      this.#last = head.length < 0 ? null : head;
    }
    const { body } = this;
    if (body !== null) {
      if (parser.body.length !== 0) for (const chunk of parser.takeBody()) body.push(chunk);
      if (parser.bodyLength > this.#limits.maxBodySize || parser.isBloated) {
        this.break(413, 'too large');
        return false;
      }
      owner.onProgress();
    }
    if (parser.complete) this.#complete(body);
    else if (body !== null && this.body === body && parser.bodyLength < this.#length) {
      this.plain = this.#length - parser.bodyLength;
      this.#release();
    }
    return !owner.closed;
  }

  #complete(body: IncomingBody | null): void {
    this.body = null;
    this.#release();
    body?.end();
    this.#owner.onComplete();
  }

  /** More of a body of known length, at most `plain` bytes. They are the body's from now on. */
  takeBody(bytes: Buffer): void {
    const body = this.body!;
    this.plain -= bytes.length;
    body.push(bytes);
    this.#owner.onProgress();
    if (this.plain === 0 && this.body === body) this.#complete(body);
  }

  #refuse(status: number): false {
    this.#owner.onRefused(status, 'ERR_HTTP_REQUEST');
    this.#release();
    return false;
  }

  /** Takes no more of the body. */
  break(status: number, what: string): void {
    const body = this.body!;
    this.body = null;
    this.plain = 0;
    this.#release();
    this.#rest = null;
    this.#owner.onBroken(status, what, body);
  }

  /** Takes nothing more; an incomplete body fails. */
  end(error: Error): void {
    this.#rest = null;
    this.plain = 0;
    this.#release();
    const { body } = this;
    this.body = null;
    body?.fail(error);
  }

  /** Data after the request. */
  takeRest(): Buffer {
    const rest = this.#rest ?? Buffer.alloc(0);
    this.#rest = null;
    return rest;
  }

  #release(): void {
    this.#parser?.release();
    this.#parser = null;
    this.#hasHead = false;
  }
}
