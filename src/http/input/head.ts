import type { Bytes, Parser } from './llhttp.js';

/** Letters differ from lower case in this bit. */
const LOWER = 0x20;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;

/** Whether the name at `start` of `text` equals `name`, which is in lower case and has the same length. */
function isNamed(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    let code = text.charCodeAt(start + i);
    if (code >= UPPER_A && code <= UPPER_Z) code |= LOWER;
    if (code !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** The only expectation that can be met. */
export const CONTINUE = '100-continue';

const BLANK = 0x20;
const LETTER_H = 0x48;
const ZERO = 0x30;

function areSingleSpaced(text: string, start: number, end: number): boolean {
  return (
    text.charCodeAt(start - 1) === BLANK &&
    text.charCodeAt(start - 2) !== BLANK &&
    text.charCodeAt(end) === BLANK &&
    text.charCodeAt(end + 1) === LETTER_H
  );
}

/** The HTTP version after the target, as ' HTTP/1.1', times ten. The parser has checked it; blanks may precede it. */
function versionAt(text: string, end: number): number {
  let at = end;
  while (text.charCodeAt(at) === BLANK) at++;
  return (text.charCodeAt(at + 5) - ZERO) * 10 + text.charCodeAt(at + 7) - ZERO;
}

/** The separator between the values of several headers with this lower-case name. RFC 9113, 8.2.3 */
export function separatorOf(name: string): string {
  return name === 'cookie' ? '; ' : ', ';
}

/** The end of a head: the end of its last line, and the empty line. */
const LINE_ENDS = [0x0d, 0x0a, 0x0d, 0x0a];
/** The number of characters that a loop compares faster than a call. */
const NEAR_MAX = 128;

/** The head of a request: its original text, and the positions of names and values. */
export class Head {
  readonly method: string;
  /** The request target: '/path?query', or another form of RFC 9112, 3.2. */
  readonly target: string;
  /** 10 or 11 for HTTP/1.0 and 1.1. */
  readonly version: number;
  /** Whether a single blank is on each side of the target: the parser accepts more. */
  readonly isSingleSpaced: boolean;
  /** Whether the peer would send more requests. */
  readonly keepAlive: boolean;
  /** Whether it requests another protocol. */
  readonly upgrade: boolean;
  readonly #text: string;
  readonly #spans: readonly number[];
  /** The size of the request if its bytes are a request without a body, and nothing else; -1 if not, or if unknown. */
  readonly length: number;
  /** Its URL; '' until that is computed. */
  url = '';
  /** The first of each of these, and their number. */
  host: string | undefined = undefined;
  hosts = 0;
  contentLength = -1;
  transferEncoding: string | undefined = undefined;
  transferEncodings = 0;
  expect: string | undefined = undefined;

  /** @param length the size of the whole request; -1 if it is not complete, or has arrived in pieces. */
  constructor(parser: Parser, length: number) {
    this.method = parser.method;
    this.#text = parser.text;
    this.#spans = parser.takeSpans();
    this.target = parser.text.slice(parser.urlStart, parser.urlEnd);
    this.version = versionAt(parser.text, parser.urlEnd);
    this.isSingleSpaced = areSingleSpaced(parser.text, parser.urlStart, parser.urlEnd);
    // RFC 9110, 7.8
    this.upgrade = parser.upgrade && this.version === 11;
    for (let i = 0; i < this.#spans.length; i += 4) this.#note(i);
    // For HTTP/1.0 the parser prefers `keep-alive` if a peer says both. RFC 9112, 9.3
    this.keepAlive = parser.keepAlive && (this.version !== 10 || !/\bclose\b/i.test(this.get('connection')!));
    // Only the empty line may follow the text.
    this.length =
      length === this.#text.length + LINE_ENDS.length && !parser.upgrade && !this.hasBody ? length : -1;
  }

  /** Whether the request at `start` of `bytes` is the same one again, byte for byte. */
  isAt(bytes: Bytes, start: number, to: number): boolean {
    const text = this.#text;
    const end = start + text.length;
    if (this.length < 0 || end + LINE_ENDS.length > to) return false;
    for (let i = 0; i < LINE_ENDS.length; i++) if (bytes[end + i] !== LINE_ENDS[i]) return false;
    const near = Math.min(text.length, NEAR_MAX);
    for (let i = 0; i < near; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
    return near === text.length || bytes.latin1Slice(start, end) === text;
  }

  /** Records the headers that decide how the request is read. */
  #note(at: number): void {
    const text = this.#text;
    const start = this.#spans[at]!;
    switch (this.#spans[at + 1]! - start) {
      case 4:
        if (isNamed(text, start, 'host') && this.hosts++ === 0) this.host = this.#value(at);
        break;
      case 6:
        // Of several, one that is refused counts.
        if (isNamed(text, start, 'expect') && (this.expect ?? CONTINUE) === CONTINUE) {
          this.expect = this.#value(at).toLowerCase();
        }
        break;
      case 14:
        if (isNamed(text, start, 'content-length')) this.contentLength = Number(this.#value(at));
        break;
      case 17:
        if (isNamed(text, start, 'transfer-encoding') && this.transferEncodings++ === 0) {
          this.transferEncoding = this.#value(at).toLowerCase();
        }
    }
  }

  /** The number of headers. */
  get count(): number {
    return this.#spans.length >> 2;
  }

  /** Whether a body follows, or may follow. */
  get hasBody(): boolean {
    return this.contentLength > 0 || this.transferEncodings !== 0;
  }

  /** The name of header `index`, in lower case. */
  name(index: number): string {
    const at = index << 2;
    return this.#text.slice(this.#spans[at], this.#spans[at + 1]).toLowerCase();
  }

  value(index: number): string {
    return this.#value(index << 2);
  }

  #value(at: number): string {
    const start = this.#spans[at + 2]!;
    let end = this.#spans[at + 3]!;
    for (; end > start; end--) {
      const last = this.#text.charCodeAt(end - 1);
      if (last !== 0x20 && last !== 0x09) break;
    }
    return this.#text.slice(start, end);
  }

  /** The combined values of the headers with this lower-case name; null if there is none. */
  get(name: string): string | null {
    let found: string | null = null;
    for (let i = 0; i < this.#spans.length; i += 4) {
      const start = this.#spans[i]!;
      if (this.#spans[i + 1]! - start !== name.length || !isNamed(this.#text, start, name)) continue;
      const value = this.#value(i);
      found = found === null ? value : found + separatorOf(name) + value;
    }
    return found;
  }
}
