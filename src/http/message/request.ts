import type { ReadableStream } from 'node:stream/web';
import { inspect } from 'node:util';
import type { Head } from '../input/head.js';
import type { IncomingBody } from '../input/incoming-body.js';
import { Body } from './body.js';
import { HttpHeaders } from './headers.js';
import { extendLater, platform } from './platform.js';

/** The receiver of a request. */
export interface RequestOwner {
  /** The signal that is aborted when the peer has disconnected before the request was answered. */
  signalOf(request: HttpRequest): AbortSignal;
}

let isOurs: (value: object) => boolean;

/**
 * The request that a handler gets. It has the interface of the platform's `Request`, of which it is an instance too,
 * and creates each part on first use.
 */
export class HttpRequest {
  readonly #head: Head;
  readonly #owner: RequestOwner;
  /** The request that this one is a clone of, or this one itself. */
  #first: HttpRequest = this;
  readonly #incoming: IncomingBody | null;
  #headers: HttpHeaders | null = null;
  #body: Body | null = null;

  static {
    isOurs = value => #head in value;
  }

  constructor(head: Head, incoming: IncomingBody | null, owner: RequestOwner) {
    this.#head = head;
    this.#incoming = incoming;
    this.#owner = owner;
  }

  get method(): string {
    return this.#head.method;
  }

  get url(): string {
    return this.#head.url;
  }

  get headers(): Headers {
    this.#headers ??= HttpHeaders.of(this.#head);
    return this.#headers as unknown as Headers;
  }

  /** Aborted when the peer has disconnected before it was answered. */
  get signal(): AbortSignal {
    return this.#owner.signalOf(this.#first);
  }

  get destination(): Request['destination'] {
    return '';
  }

  get referrer(): string {
    return 'about:client';
  }

  get referrerPolicy(): Request['referrerPolicy'] {
    return '';
  }

  get mode(): Request['mode'] {
    return 'cors';
  }

  get credentials(): Request['credentials'] {
    return 'same-origin';
  }

  get cache(): Request['cache'] {
    return 'default';
  }

  get redirect(): Request['redirect'] {
    return 'follow';
  }

  get integrity(): string {
    return '';
  }

  get keepalive(): boolean {
    return false;
  }

  get isReloadNavigation(): boolean {
    return false;
  }

  get isHistoryNavigation(): boolean {
    return false;
  }

  get duplex(): 'half' {
    return 'half';
  }

  #read(): Body {
    this.#body ??= new Body(this.#incoming);
    return this.#body;
  }

  #type(): string | null {
    return this.headers.get('content-type');
  }

  get body(): Request['body'] {
    return this.#incoming === null ? null : (this.#read().stream as Request['body']);
  }

  get bodyUsed(): boolean {
    return this.#body?.used === true;
  }

  async text(): Promise<string> {
    return this.#read().text();
  }

  textStream(): ReadableStream<string> {
    return this.#read().textStream();
  }

  async json(): Promise<unknown> {
    return this.#read().json();
  }

  async bytes(): Promise<Uint8Array> {
    return this.#read().bytes();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read().arrayBuffer();
  }

  async blob(): Promise<Blob> {
    return this.#read().blob(this.#type());
  }

  async formData(): Promise<FormData> {
    return this.#read().formData(this.#type());
  }

  /** A second request with the same content. */
  clone(): HttpRequest {
    const body = this.#read().tee();
    const clone = new HttpRequest(this.#head, this.#incoming, this.#owner);
    clone.#first = this.#first;
    clone.#headers = this.#headers === null ? null : this.#headers.copy();
    clone.#body = body;
    return clone;
  }

  get [Symbol.toStringTag](): string {
    return 'Request';
  }

  /** @internal What `util.inspect` shows. */
  [inspect.custom](): object {
    const { method, url, headers } = this;
    return { method, url, headers };
  }
}

extendLater(HttpRequest, 'Request');
// Only the server can make one of ours: `new request.constructor(url)` makes one of the platform's.
Object.defineProperty(HttpRequest.prototype, 'constructor', { get: () => platform().Request });
Object.defineProperty(HttpRequest, 'name', { value: 'Request' });

/** Whether it is a request that a handler has received. */
export function isOwnRequest(value: unknown): value is HttpRequest {
  return typeof value === 'object' && value !== null && isOurs(value);
}
