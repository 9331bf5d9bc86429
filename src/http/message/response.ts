import type { ReadableStream } from 'node:stream/web';
import { type InspectOptionsStylized, inspect } from 'node:util';
import { argTypeError, rangeError, withCode } from '../../sys/errors/errors.js';
import { custom } from '../../sys/inspect.js';
import { checkReason } from '../output/field-text.js';
import { Body, type BodyInit, extract, type Source, TEXT, unusable } from './body.js';
import { type HeadersSource, HttpHeaders } from './headers.js';
import { extendLater, platform } from './platform.js';

/** The properties of a response except its body. */
export interface ResponseInit {
  /** 200 to 599; default 200. */
  status?: number | undefined;
  /** The reason phrase; default the usual text. */
  statusText?: string | undefined;
  /** Pairs, an object or headers. */
  headers?: HeadersSource | HttpHeaders | undefined;
}

/** Statuses of responses that have no body: a peer would take it for the next response. */
export function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

let isOurs: (value: object) => boolean;
let sourceTaken: (response: HttpResponse) => Source;
let listOf: (response: HttpResponse) => readonly string[];
let typeOf: (response: HttpResponse) => string | null;

const NO_HEADERS: readonly string[] = [];

/**
 * A response with the interface of the platform's `Response`, of which it is an instance too, at a tenth of the cost:
 * the platform's objects are created only on demand. Bytes are not copied: they must not change until they are sent.
 */
export class HttpResponse {
  readonly #status: number;
  readonly #statusText: string;
  #headers: HttpHeaders | null;
  #source: Source;
  /** The default `Content-Type` of the body; it is added to the headers once they are accessed. */
  #implied: string | null;
  /** Created once the body is accessed. */
  #body: Body | null = null;
  /** Whether it was sent without being accessed. */
  #sent = false;

  static {
    isOurs = value => #status in value;
    sourceTaken = response => {
      if (response.#body !== null) return response.#body.take();
      if (response.#source === null) return null;
      if (response.#sent) throw unusable();
      response.#sent = true;
      return response.#source;
    };
    listOf = response => (response.#headers === null ? NO_HEADERS : response.#headers.list);
    typeOf = response => response.#implied;
  }

  /**
   * A response with a body.
   * @throws RangeError for an invalid status; TypeError for headers that cannot be sent.
   */
  constructor(body?: BodyInit, init?: ResponseInit) {
    let headers: HttpHeaders | null = null;
    let status = 200;
    let statusText = '';
    if (isGiven(init)) {
      if (init.status !== undefined) status = checkStatus(init.status);
      if (init.statusText !== undefined) statusText = checkReason(init.statusText);
      if (init.headers !== undefined) headers = new HttpHeaders(init.headers as HeadersSource);
    }
    this.#status = status;
    this.#statusText = statusText;
    let type: string | null = TEXT;
    // The most common case.
    if (typeof body === 'string') this.#source = body;
    else ({ source: this.#source, type } = extract(body));
    this.#implied = headers?.includes('content-type') ? null : type;
    if (this.#source !== null && hasNoBody(status)) {
      throw withCode(new TypeError(`A response with status ${status} has no body`), 'ERR_INVALID_ARG_VALUE');
    }
    this.#headers = headers;
  }

  /** @internal Whether it is a Response: one of ours, or of the platform's. */
  static [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    // biome-ignore-start lint/complexity/noThisInStatic: a class that extends this one inherits it
    if (this === HttpResponse && isOurs(value)) return true;
    const { prototype } = this === HttpResponse ? platform().Response : this;
    // biome-ignore-end lint/complexity/noThisInStatic: likewise
    return Object.prototype.isPrototypeOf.call(prototype, value);
  }

  /** A response of JSON. */
  static json(data: unknown, init?: ResponseInit): HttpResponse {
    const text = JSON.stringify(data);
    if (text === undefined) {
      throw withCode(new TypeError('Value is not JSON serializable'), 'ERR_INVALID_ARG_VALUE');
    }
    // Not by a spread: another response, too, can be given, whose properties are not its own.
    const { status, statusText, headers: given }: ResponseInit = isGiven(init) ? init : {};
    const headers = new HttpHeaders(given as HeadersSource | undefined);
    if (!headers.has('content-type')) headers.append('content-type', 'application/json');
    return new HttpResponse(text, { status, statusText, headers });
  }

  /** A response that redirects the peer, with status 301, 302, 303, 307 or 308. */
  static redirect(url: string | URL, status = 302): HttpResponse {
    const number = toShort(status);
    if (!REDIRECTS.has(number)) throw rangeError('status', 'one of 301, 302, 303, 307, 308', status);
    return new HttpResponse(null, { status: number, headers: { location: new URL(url).href } });
  }

  /** The platform's: a network error, which no server can send. */
  static error(): Response {
    return platform().Response.error();
  }

  /** 200 to 599. */
  get status(): number {
    return this.#status;
  }

  /** The reason phrase; '' for the usual text. */
  get statusText(): string {
    return this.#statusText;
  }

  /** Whether the status is 200 to 299. */
  get ok(): boolean {
    return this.#status >= 200 && this.#status < 300;
  }

  /** The headers, which may be changed until it is sent. */
  get headers(): Headers {
    this.#headers ??= new HttpHeaders();
    if (this.#implied !== null) {
      this.#headers.append('content-type', this.#implied);
      this.#implied = null;
    }
    return this.#headers as unknown as Headers;
  }

  /** 'default' */
  get type(): 'default' {
    return 'default';
  }

  /** '' */
  get url(): string {
    return '';
  }

  /** false */
  get redirected(): boolean {
    return false;
  }

  #read(): Body {
    if (this.#body === null) {
      this.#body = new Body(this.#source);
      if (this.#sent) this.#body.take();
    }
    return this.#body;
  }

  #type(): string | null {
    return this.#implied ?? (this.#headers === null ? null : this.#headers.get('content-type'));
  }

  /** The body as a stream; null if there is none. */
  get body(): Response['body'] {
    return this.#source === null ? null : (this.#read().stream as Response['body']);
  }

  /** Whether the body has been read, or sent. */
  get bodyUsed(): boolean {
    return this.#sent || this.#body?.used === true;
  }

  /** The body as text. */
  async text(): Promise<string> {
    return this.#read().text();
  }

  /** The body as text in pieces, as they arrive. */
  textStream(): ReadableStream<string> {
    return this.#read().textStream();
  }

  /** The body parsed as JSON. */
  async json(): Promise<unknown> {
    return this.#read().json();
  }

  /** The body as bytes. */
  async bytes(): Promise<Uint8Array> {
    return this.#read().bytes();
  }

  /** The body as an ArrayBuffer. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read().arrayBuffer();
  }

  /** The body as a Blob of its `Content-Type`. */
  async blob(): Promise<Blob> {
    return this.#read().blob(this.#type());
  }

  /** The body as a form. */
  async formData(): Promise<FormData> {
    return this.#read().formData(this.#type());
  }

  /** A second response with the same content. */
  clone(): HttpResponse {
    const body = this.#read().tee();
    const clone = new HttpResponse(null, { status: this.#status, statusText: this.#statusText });
    clone.#headers = this.#headers === null ? null : this.#headers.copy();
    clone.#source = this.#source === null ? null : body.source;
    clone.#body = body;
    clone.#implied = this.#implied;
    return clone;
  }

  /** @internal */
  get [Symbol.toStringTag](): string {
    return 'Response';
  }

  /** @internal What `util.inspect` shows. Showing the body would make it a stream. */
  [custom](_depth: number, options: InspectOptionsStylized): string {
    const { status, statusText, headers, bodyUsed, ok, redirected, type, url } = this;
    return `Response ${inspect({ status, statusText, headers, bodyUsed, ok, redirected, type, url }, options)}`;
  }
}

extendLater(HttpResponse, 'Response');
Object.defineProperty(HttpResponse, 'name', { value: 'Response' });

function isGiven<T>(init: T | null | undefined): init is T {
  if (init === undefined || init === null) return false;
  if (typeof init === 'object' || typeof init === 'function') return true;
  throw argTypeError('init', 'of type object', init);
}

/** A number as the web's interfaces take it: as `unsigned short`. */
function toShort(value: number): number {
  return Number(value) & 0xffff;
}

function checkStatus(status: number): number {
  const number = toShort(status);
  if (number < 200 || number > 599) {
    throw rangeError('init["status"]', '>= 200 && <= 599', status);
  }
  return number;
}

/** Whether it is a response of ours. */
export function isOwnResponse(value: object): value is HttpResponse {
  return isOurs(value);
}

/** Takes the body of a response of ours, which uses it up. @throws TypeError if it was used before. */
export function takeSource(response: HttpResponse): Source {
  return sourceTaken(response);
}

/** Its headers, names and values alternating, without `impliedType`. */
export function headerList(response: HttpResponse): readonly string[] {
  return listOf(response);
}

/** The default `Content-Type` of its body, which is not among its headers. */
export function impliedType(response: HttpResponse): string | null {
  return typeOf(response);
}
