import { httpDate } from './date.js';
import { REASONS } from './reasons.js';

/** Special lengths of a body. */
export const CHUNKED = -1;
export const NO_LENGTH = -2;

const statusLines: string[] = [];

function statusLine(status: number, reason: string): string {
  if (reason !== '') return `HTTP/1.1 ${status} ${reason}\r\n`;
  statusLines[status] ??= `HTTP/1.1 ${status} ${REASONS[status] ?? 'Unknown'}\r\n`;
  return statusLines[status];
}

/** The head of a response, except for the headers of the body's length, which the server decides. */
export class ResponseHead {
  readonly status: number;
  readonly #reason: string;
  /** Its names and values. */
  readonly #list: readonly string[];
  readonly #type: string | null;
  #fields = '';
  /** The length that the response declares: bytes, or -1. */
  declared = -1;
  /** Whether its connection ends with it. */
  close = false;
  /** The other options of its `Connection` header. */
  #options = '';
  #hasDate = false;
  /** Everything except its end and the date. */
  #top = '';
  #date = '';

  /**
   * @param list checked names and values, alternating.
   * @param type the `Content-Type`, if the list has none.
   */
  constructor(status: number, reason: string, list: readonly string[], type: string | null) {
    this.status = status;
    this.#reason = reason;
    // Its owner may change it.
    this.#list = list.length === 0 ? NOTHING : list.slice();
    this.#type = type;
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i]!;
      if (!this.#isOurs(name, list[i + 1]!)) this.#fields += `${name}: ${list[i + 1]}\r\n`;
    }
    if (type !== null) this.#fields += `content-type: ${type}\r\n`;
  }

  /** The head of such a response: mostly the same as the last one. Do not modify. */
  static of(status: number, reason: string, list: readonly string[], type: string | null): ResponseHead {
    if (last?.isOf(status, reason, list, type)) return last;
    last = new ResponseHead(status, reason, list, type);
    return last;
  }

  /** Whether it was made from these. */
  isOf(status: number, reason: string, list: readonly string[], type: string | null): boolean {
    const own = this.#list;
    if (status !== this.status || reason !== this.#reason || type !== this.#type) return false;
    if (list.length !== own.length) return false;
    for (let i = 0; i < own.length; i++) if (list[i] !== own[i]) return false;
    return true;
  }

  /** Handles headers of the connection, which are not sent unchanged. */
  #isOurs(name: string, value: string): boolean {
    switch (name.length) {
      case 4:
        if (name === 'date') this.#hasDate = true;
        return false;
      case 10:
        if (name === 'connection') this.#connect(value);
        return name === 'connection' || name === 'keep-alive';
      case 14:
        if (name !== 'content-length') return false;
        this.declared = /^\d{1,15}$/.test(value) ? Number(value) : -1;
        return true;
      case 17:
        return name === 'transfer-encoding';
      default:
        return false;
    }
  }

  /** Whether the connection persists is the server's decision. Other options belong to headers such as `Upgrade`. */
  #connect(value: string): void {
    for (const option of value.split(',')) {
      const name = option.trim();
      if (/^close$/i.test(name)) this.close = true;
      else if (name !== '' && !/^keep-alive$/i.test(name)) this.#options += `, ${name}`;
    }
  }

  /**
   * Its text.
   * @param length the size of the body in bytes, CHUNKED or NO_LENGTH.
   * @param connection the value of the `Connection` header, '' for none.
   */
  text(length: number, connection: string): string {
    const date = this.#hasDate ? '' : httpDate();
    if (date !== this.#date || this.#top === '') {
      this.#top = statusLine(this.status, this.#reason) + this.#fields;
      if (date !== '') this.#top += `date: ${date}\r\n`;
      this.#date = date;
    }
    const top = this.#top;
    const options = connection === '' ? this.#options.slice(2) : connection + this.#options;
    const end = options === '' ? '\r\n' : `connection: ${options}\r\n\r\n`;
    if (length >= 0) return `${top}content-length: ${length}\r\n${end}`;
    return length === CHUNKED ? `${top}transfer-encoding: chunked\r\n${end}` : top + end;
  }
}

let last: ResponseHead | null = null;

/** The answer to a request that was refused. @param isHead whether the request was HEAD: RFC 9110, 9.3.2 */
export function refusal(status: number, isHead: boolean): string {
  const body = `${REASONS[status]}\n`;
  const head = new ResponseHead(status, '', NOTHING, 'text/plain');
  return head.text(body.length, 'close') + (isHead ? '' : body);
}

/** The answer to `OPTIONS *`. */
export function serverOptions(): string {
  return new ResponseHead(204, '', ['allow', '*'], null).text(NO_LENGTH, 'close');
}

const NOTHING: readonly string[] = [];
