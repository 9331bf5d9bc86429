/**
 * The only file that uses the parser. It is llhttp, which Node itself uses, in the WebAssembly build of undici. Node's
 * own copy is as fast, but `process.binding` does not have it any more in Node 24, and the remaining module is
 * deprecated (DEP0199). All lenient flags are off.
 */

import simdCode from 'undici/lib/llhttp/llhttp_simd-wasm.js';
import plainCode from 'undici/lib/llhttp/llhttp-wasm.js';
import { allocatePooled } from '../../loop/memory/buffer-memory.js';
import { UasyncError } from '../../sys/errors/errors.js';

/** The maximum number of bytes to parse at a time. */
export const INPUT_SIZE = 256 * 1024;

/** Results of `llhttp_execute`, and of the callbacks. */
const OK = 0;
const PAUSED = 21;
const PAUSED_UPGRADE = 22;
/** The parser type for requests. */
const REQUEST = 1;

/** The maximum framing of a chunked body in bytes: a constant, plus a constant per byte of the body. */
const FRAMING_MAX = 16 * 1024;
const FRAMING_SHARE = 16;
/** The maximum number of unused parsers to keep. */
const SPARE_MAX = 256;

interface Exports {
  memory: { buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_reset(parser: number): void;
  llhttp_execute(parser: number, at: number, length: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
  llhttp_errno_name(code: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_method_name(method: number): number;
}

type Imports = Record<string, Record<string, (parser: number, ...args: number[]) => number>>;

/** The used part of WebAssembly, which TypeScript declares for browsers only. */
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object, imports: Imports) => { exports: unknown };
  validate(code: Uint8Array): boolean;
};

/** A Buffer, with a method without an encoding parameter that Node's types lack. */
export interface Bytes extends Buffer {
  latin1Slice(start: number, end: number): string;
}

/** The parser that is running. Parsing is synchronous and calls no user code. */
let current: Parser;
/** The difference between the address of a byte of the head and its index in the head's text. */
let base = 0;

const IMPORTS: Imports = {
  env: {
    wasm_on_message_begin: () => OK,
    wasm_on_url: (_, at, length) => current.onUrl(at! - base, length!),
    wasm_on_status: () => OK,
    wasm_on_header_field: (_, at, length) => current.onField(at! - base, length!),
    wasm_on_header_value: (_, at, length) => current.onValue(at! - base, length!),
    wasm_on_headers_complete: (_, _status, upgrade, keepAlive) => current.onHeaders(upgrade!, keepAlive!),
    wasm_on_body: (_, at, length) => current.onBody(at!, length!),
    wasm_on_message_complete: () => current.onComplete(),
  },
};

/** The parser's code and memory, one per thread. */
class Machine {
  readonly exports: Exports;
  readonly #inputAt: number;
  #memory: Bytes;
  /** The memory for the bytes to parse: `INPUT_SIZE` bytes. */
  input: Bytes;
  readonly #methods: string[] = [];

  constructor() {
    if (typeof WebAssembly === 'undefined') {
      throw new UasyncError('ERR_UNSUPPORTED', 'HTTP needs WebAssembly, which --jitless turns off');
    }
    const code = WebAssembly.validate(simdCode) ? simdCode : plainCode;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), IMPORTS);
    this.exports = instance.exports as Exports;
    this.exports._initialize();
    this.#inputAt = this.exports.malloc(INPUT_SIZE);
    this.#memory = Buffer.from(this.exports.memory.buffer) as Bytes;
    this.input = this.#memory.subarray(this.#inputAt, this.#inputAt + INPUT_SIZE) as Bytes;
  }

  get inputAt(): number {
    return this.#inputAt;
  }

  /** Allocates a parser in this memory, which may grow for it: its buffer then changes. */
  allocate(): number {
    const parser = this.exports.llhttp_alloc(REQUEST);
    if (parser === 0) throw new UasyncError('ENOMEM', 'No memory is left for HTTP parsers');
    const { buffer } = this.exports.memory;
    if (buffer !== this.#memory.buffer) {
      this.#memory = Buffer.from(buffer) as Bytes;
      this.input = this.#memory.subarray(this.#inputAt, this.#inputAt + INPUT_SIZE) as Bytes;
    }
    return parser;
  }

  /** A copy of the bytes at an address. */
  copy(at: number, length: number): Buffer {
    const bytes = allocatePooled(length);
    this.#memory.copy(bytes, 0, at, at + length);
    return bytes;
  }

  /** A NUL-terminated text of the parser. */
  text(at: number): string {
    return this.#memory.latin1Slice(at, this.#memory.indexOf(0, at));
  }

  method(number: number): string {
    this.#methods[number] ??= this.text(this.exports.llhttp_method_name(number));
    return this.#methods[number];
  }
}

let made: Machine | undefined;

function machine(): Machine {
  made ??= new Machine();
  return made;
}

/** The memory for the bytes that `Parser.execute` parses. */
export function input(): Bytes {
  return machine().input;
}

const spare: Parser[] = [];

/** ' HTTP/1.0' */
const VERSION_LENGTH = 9;
/** A list of spans that has grown longer is not reused. */
const SPANS_KEPT_MAX = 1024;

const NONE = 0;
const FIELD = 1;
const VALUE = 2;

/** Parses one request at a time: `acquire` it for its first byte, `release` it when it is complete. */
export class Parser {
  readonly #address: number;
  /** The original head, one character per byte, at least to the end of its last header. */
  text = '';
  /**
   * The positions of names and values in it: start and end of a name, start and end of its value, and so on. The first
   * `spansEnd` are valid; the rest belongs to earlier requests.
   */
  #spans: number[] = [];
  spansEnd = 0;
  urlStart = -1;
  urlEnd = -1;
  /** The kind of the last span, which may be incomplete. */
  #last: typeof NONE | typeof FIELD | typeof VALUE = NONE;
  /** Whether the head is complete, and whether the request is. */
  headComplete = false;
  complete = false;
  keepAlive = false;
  upgrade = false;
  /** The received parts of the body since the last call. */
  body: Buffer[] = [];
  bodyLength = 0;
  /** Bytes after the head that are not part of the body: sizes and extensions of chunks, trailers. */
  #framing = 0;
  /** The name of an error, 'HPE_…', and its reason. */
  error = '';
  reason = '';

  private constructor() {
    this.#address = machine().allocate();
  }

  static acquire(): Parser {
    const parser = spare.pop() ?? new Parser();
    machine().exports.llhttp_reset(parser.#address);
    return parser;
  }

  release(): void {
    this.text = '';
    // A peer that sent many headers leaves no memory behind.
    if (this.spansEnd > SPANS_KEPT_MAX) this.#spans = [];
    this.spansEnd = 0;
    this.urlStart = -1;
    this.urlEnd = -1;
    this.#last = NONE;
    this.headComplete = false;
    this.complete = false;
    if (this.body.length !== 0) this.body = [];
    this.bodyLength = 0;
    this.#framing = 0;
    this.error = '';
    this.reason = '';
    if (spare.length < SPARE_MAX) spare.push(this);
    else machine().exports.llhttp_free(this.#address);
  }

  get method(): string {
    return machine().method(machine().exports.llhttp_get_method(this.#address));
  }

  /**
   * Whether the framing is far larger than the body: extensions of chunks and trailers have no limit of their own. A
   * body that arrives byte by byte, each in a chunk, has five for each.
   */
  get isBloated(): boolean {
    return this.#framing > FRAMING_MAX + FRAMING_SHARE * this.bodyLength;
  }

  /**
   * Parses bytes of `input`; returns the position where it has stopped: at the end of the request, or at `to`. -1: an
   * error.
   */
  execute(from: number, to: number): number {
    const { exports, inputAt, input } = machine();
    const before = this.text.length;
    const hadHead = this.headComplete;
    const bodyBefore = this.bodyLength;
    base = inputAt + from - before;
    current = this;
    const code = exports.llhttp_execute(this.#address, inputAt + from, to - from);
    if (!hadHead) {
      const end = this.headComplete ? this.#headEnd() : before + to - from;
      if (end > before) this.text += input.latin1Slice(from, from + end - before);
    }
    let stopped = to;
    if (code === PAUSED || code === PAUSED_UPGRADE) {
      stopped = exports.llhttp_get_error_pos(this.#address) - inputAt;
    }
    if (this.headComplete) {
      const begin = hadHead ? from : Math.max(from + this.#headEnd() - before, from);
      this.#framing += stopped - begin - (this.bodyLength - bodyBefore);
    }
    if (code === OK || (this.complete && (code === PAUSED || code === PAUSED_UPGRADE))) return stopped;
    this.error = machine().text(exports.llhttp_errno_name(code));
    const reason = exports.llhttp_get_error_reason(this.#address);
    this.reason = reason === 0 ? '' : machine().text(reason);
    return -1;
  }

  #headEnd(): number {
    return this.spansEnd === 0 ? this.urlEnd + VERSION_LENGTH : this.#spans[this.spansEnd - 1]!;
  }

  /** The spans, for a caller that needs them for longer than this parser does. */
  takeSpans(): number[] {
    return this.#spans.slice(0, this.spansEnd);
  }

  #span(from: number, to: number): void {
    this.#spans[this.spansEnd++] = from;
    this.#spans[this.spansEnd++] = to;
  }

  onUrl(at: number, length: number): number {
    if (this.urlStart < 0) this.urlStart = at;
    this.urlEnd = at + length;
    return OK;
  }

  onField(at: number, length: number): number {
    // Trailers are dropped.
    if (this.headComplete) return OK;
    const spans = this.#spans;
    const end = this.spansEnd - 1;
    if (this.#last === FIELD && spans[end] === at) spans[end] = at + length;
    else {
      if (this.#last === FIELD) this.#span(spans[end]!, spans[end]!);
      this.#span(at, at + length);
      this.#last = FIELD;
    }
    return OK;
  }

  onValue(at: number, length: number): number {
    if (this.headComplete) return OK;
    const spans = this.#spans;
    const end = this.spansEnd - 1;
    if (this.#last === VALUE && spans[end] === at) spans[end] = at + length;
    else if (this.#last === FIELD) {
      this.#span(at, at + length);
      this.#last = VALUE;
    }
    return OK;
  }

  onHeaders(upgrade: number, keepAlive: number): number {
    // The last header has an empty value.
    if (this.#last === FIELD) {
      const end = this.#spans[this.spansEnd - 1]!;
      this.#span(end, end);
    }
    this.headComplete = true;
    this.upgrade = upgrade === 1;
    this.keepAlive = keepAlive === 1;
    return OK;
  }

  onBody(at: number, length: number): number {
    this.bodyLength += length;
    this.body.push(machine().copy(at, length));
    return OK;
  }

  onComplete(): number {
    this.complete = true;
    return PAUSED;
  }

  /** The received parts of the body since the last call. */
  takeBody(): Buffer[] {
    const { body } = this;
    this.body = [];
    return body;
  }
}
