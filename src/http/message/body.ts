/** Bodies of requests and responses: creating and reading them. */

import nodeStream from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { isAnyArrayBuffer, isUint8Array } from 'node:util/types';
import { copyOfBytes, inOwnMemory } from '../../loop/memory/buffer-memory.js';
import { withCode } from '../../sys/errors/errors.js';
import { bytesIn } from '../../sys/memory/views.js';
import type { Head } from '../input/head.js';
import { IncomingBody } from '../input/incoming-body.js';
import { checkValue } from '../output/field-text.js';
import type { Outlet } from '../output/outlet.js';
import type { ResponseHead } from '../output/response-head.js';
import type { Transport } from '../transport/transport.js';
import { platform } from './platform.js';

/** Node's types declare it for Node's own streams only. */
const { isDisturbed } = nodeStream as unknown as { isDisturbed(stream: ReadableStream): boolean };

/** The bodies that the constructor of a Response accepts. */
export type BodyInit =
  | string
  | ArrayBufferView
  | ArrayBufferLike
  | Blob
  | URLSearchParams
  | FormData
  | ReadableStream
  | AsyncIterable<Uint8Array | string>
  | SpecialBody
  | null
  | undefined;

/** The destination of a special body. */
export interface SpecialTarget {
  readonly request: Head;
  readonly status: number;
  readonly statusText: string;
  /** The headers of the response: names and values alternate. */
  readonly list: readonly string[];
  readonly outlet: Outlet;
  readonly transport: Transport;
  /** Sends the head of the answer, for a body of `length` bytes. */
  begin(head: ResponseHead, length: number): void;
}

/** A body that answers by itself, from a source outside memory: a file. Iterating it reads it instead. */
export interface SpecialBody extends AsyncIterable<Uint8Array> {
  /** Distinguishes it from other bodies. */
  readonly isSpecialBody: true;
  /** Sends the answer. A rejection before `begin` is the handler's failure. */
  send(target: SpecialTarget): Promise<void>;
  /** It will not be sent. */
  discard(): void;
}

/** A body as it is stored. */
export type Source =
  | null
  | string
  | Uint8Array
  | Blob
  | ReadableStream
  | AsyncIterable<Uint8Array | string>
  | IncomingBody
  | SpecialBody;

function tagOf(value: object): unknown {
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
}

export function isStream(value: unknown): value is ReadableStream {
  return (
    typeof (value as ReadableStream).getReader === 'function' && tagOf(value as object) === 'ReadableStream'
  );
}

export function isBlob(value: unknown): value is Blob {
  const { stream } = value as Blob;
  return typeof stream === 'function' && /^(?:Blob|File)$/.test(String(tagOf(value as object)));
}

export function isSpecial(value: unknown): value is SpecialBody {
  return (value as Partial<SpecialBody>).isSpecialBody === true;
}

/** The special bodies that streams read. */
const origins = new WeakMap<ReadableStream, SpecialBody>();

/** The special body behind an unread stream, or the stream itself: frameworks reuse the body of another response. */
export function originOf(stream: ReadableStream): ReadableStream | SpecialBody {
  return origins.get(stream) ?? stream;
}

function isIterable(value: unknown): value is AsyncIterable<Uint8Array | string> {
  return typeof (value as AsyncIterable<unknown>)[Symbol.asyncIterator] === 'function';
}

export const TEXT = 'text/plain;charset=UTF-8';
/** A type without parameters. */
const SIMPLE_TYPE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FORM = 'application/x-www-form-urlencoded;charset=UTF-8';

/** The stored form of a body, and its default `Content-Type`. */
export function extract(body: unknown): { source: Source; type: string | null } {
  if (body === null || body === undefined) return { source: null, type: null };
  if (typeof body !== 'object') return { source: `${body}`, type: TEXT };
  if (isUint8Array(body)) return { source: body, type: null };
  if (ArrayBuffer.isView(body) || isAnyArrayBuffer(body)) return { source: bytesIn(body), type: null };
  if (isStream(body)) {
    if (body.locked || isDisturbed(body)) throw unusable();
    return { source: originOf(body), type: null };
  }
  // The type of another library's Blob can be any text.
  if (isBlob(body)) return { source: body, type: body.type === '' ? null : checkValue(body.type) };
  if (isSpecial(body)) return { source: body, type: null };
  const tag = tagOf(body);
  if (tag === 'URLSearchParams') return { source: String(body), type: FORM };
  if (tag === 'FormData') {
    const encoded = new (platform().Response)(body as FormData);
    return { source: encoded.body as ReadableStream, type: encoded.headers.get('content-type') };
  }
  if (isIterable(body)) return { source: body, type: null };
  return { source: String(body), type: TEXT };
}

export function unusable(): TypeError {
  return withCode(new TypeError('Body is unusable: Body has already been read'), 'ERR_INVALID_STATE');
}

/** Decodes text as `TextDecoder` does: without a byte order mark. */
function decode(bytes: Buffer): string {
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', marked ? 3 : 0);
}

/** As a Buffer, without a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes of a chunk of a stream or an iteration. */
export function chunkBytes(chunk: unknown): Uint8Array {
  if (isUint8Array(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (ArrayBuffer.isView(chunk) || isAnyArrayBuffer(chunk)) return bytesIn(chunk);
  throw withCode(new TypeError('A body yields bytes or text only'), 'ERR_INVALID_ARG_TYPE');
}

/**
 * Ends a stream of Node's that is not needed: ending its iteration does nothing before the first piece, and waits for
 * the next one after it.
 */
export function endSource(source: object): void {
  const { pipe, destroy } = source as Partial<NodeJS.ReadableStream & { destroy(): void }>;
  if (typeof pipe === 'function' && typeof destroy === 'function') destroy.call(source);
}

/** The pieces of a body, one after the other. */
async function* pieces(source: Exclude<Source, null>): AsyncGenerator<Uint8Array> {
  if (typeof source === 'string') yield Buffer.from(source);
  else if (isUint8Array(source)) yield source;
  else if (source instanceof IncomingBody) {
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) yield chunk;
  } else {
    const iterable = isBlob(source) ? (source.stream() as ReadableStream) : source;
    for await (const chunk of iterable) yield chunkBytes(chunk);
  }
}

/** A body that is read once, by one of these calls or as a stream. */
export class Body {
  #source: Source;
  #stream: ReadableStream | null = null;
  #used = false;

  constructor(source: Source) {
    this.#source = source;
    if (source !== null && typeof source === 'object' && isStream(source)) this.#stream = source;
  }

  /** Its source. */
  get source(): Source {
    return this.#source;
  }

  /** Whether it has been read, completely or in part. */
  get used(): boolean {
    return this.#used || (this.#stream !== null && isDisturbed(this.#stream));
  }

  /** Whether a reader has locked it. */
  get locked(): boolean {
    return this.#stream?.locked === true;
  }

  /** Takes the data to send, which uses up the body. */
  take(): Source {
    if (this.used || this.locked) throw unusable();
    if (this.#source === null) return null;
    this.#used = true;
    return this.#stream === null ? this.#source : originOf(this.#stream);
  }

  /** The body as a stream; null if there is none. */
  get stream(): ReadableStream | null {
    if (this.#stream !== null || this.#source === null) return this.#stream;
    this.#stream = this.#used ? usedStream() : streamOf(this.#source);
    return this.#stream;
  }

  /** A second body with the same content. */
  tee(): Body {
    if (this.used || this.locked) throw unusable();
    const source = this.#source;
    if (this.#stream === null && (source === null || typeof source === 'string' || isUint8Array(source))) {
      return new Body(source);
    }
    if (typeof source === 'object' && source !== null && isSpecial(source)) return new Body(source);
    if (this.#stream === null && isBlob(source)) return new Body(source);
    const [one, other] = this.stream!.tee();
    this.#stream = one;
    return new Body(other);
  }

  /** Reads all of it. */
  buffer(): Buffer | Promise<Buffer> {
    const source = this.take();
    if (source === null) return Buffer.alloc(0);
    if (typeof source === 'string') return Buffer.from(source);
    if (isUint8Array(source)) return asBuffer(source);
    if (source instanceof IncomingBody) return source.takeNow() ?? source.collect();
    return concat(source);
  }

  async text(): Promise<string> {
    const buffer = this.buffer();
    return decode(isUint8Array(buffer) ? buffer : await buffer);
  }

  /** The text in pieces, as they arrive. */
  textStream(): ReadableStream<string> {
    if (this.used || this.locked) throw unusable();
    const { ReadableStream, TextDecoderStream } = process.getBuiltinModule('node:stream/web');
    const { stream } = this;
    if (stream !== null) return stream.pipeThrough(new TextDecoderStream());
    return new ReadableStream({ start: controller => controller.close() });
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async bytes(): Promise<Uint8Array> {
    const isTheirs = isUint8Array(this.#source);
    const buffer = await this.buffer();
    return isTheirs ? new Uint8Array(buffer) : inOwnMemory(buffer);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer as ArrayBuffer;
  }

  async blob(type: string | null): Promise<Blob> {
    const bytes = await this.bytes();
    if (type === null || SIMPLE_TYPE.test(type)) return new Blob([bytes], { type: type ?? '' });
    // Its parameters, and what is no type, are the platform's to parse.
    const parsed = await new (platform().Response)(null, { headers: { 'content-type': type } }).blob();
    return new Blob([bytes], { type: parsed.type });
  }

  async formData(type: string | null): Promise<FormData> {
    const headers = { 'content-type': type ?? '' };
    return new (platform().Response)(await this.bytes(), { headers }).formData();
  }
}

async function concat(source: Exclude<Source, null>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of pieces(source)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The stream of a body that has been read already. */
function usedStream(): ReadableStream {
  const { ReadableStream } = process.getBuiltinModule('node:stream/web');
  const stream = new ReadableStream({ type: 'bytes', start: controller => controller.close() });
  const reader = stream.getReader();
  reader.read().catch(() => {});
  reader.releaseLock();
  return stream;
}

function streamOf(source: Exclude<Source, null>): ReadableStream {
  if (typeof source === 'object' && isBlob(source)) return source.stream() as ReadableStream;
  const iterator = pieces(source);
  const { ReadableStream } = process.getBuiltinModule('node:stream/web');
  const stream = new ReadableStream({
    type: 'bytes',
    pull: async controller => {
      let { value, done } = await iterator.next();
      while (!done && value.length === 0) ({ value, done } = await iterator.next());
      if (done) {
        controller.close();
        controller.byobRequest?.respond(0);
      } else {
        // The stream takes ownership of the memory.
        controller.enqueue(source instanceof IncomingBody ? inOwnMemory(value) : copyOfBytes(value));
      }
    },
    cancel: async reason => {
      if (source instanceof IncomingBody) source.drop();
      else if (typeof source === 'object') endSource(source);
      await iterator.return(reason);
    },
  });
  if (isSpecial(source)) origins.set(stream, source);
  return stream;
}
