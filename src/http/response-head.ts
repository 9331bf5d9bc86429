import { STATUS_CODES } from 'node:http';
import { httpDate } from './date.js';

/** Lengths of a body that are no number of bytes. */
export const CHUNKED = -1;
export const NO_LENGTH = -2;

const statusLines: string[] = [];

function statusLine(status: number, reason: string): string {
  if (reason !== '') return `HTTP/1.1 ${status} ${reason}\r\n`;
  statusLines[status] ??= `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  return statusLines[status];
}

let date = '';
let dateLine = '';

/** The `Date` header, made anew once a second. */
function dateHeader(): string {
  const now = httpDate();
  if (now !== date) {
    date = now;
    dateLine = `date: ${now}\r\n`;
  }
  return dateLine;
}

/** The head of a response, but for what says how long its body is: that is the server's to say. */
export class ResponseHead {
  readonly status: number;
  readonly #reason: string;
  #fields = '';
  /** What the response says of its length: bytes, or -1. */
  declared = -1;
  /** Whether its connection ends with it. */
  close = false;
  #hasDate = false;

  /**
   * @param list names and values in turns, which have been checked.
   * @param type the `Content-Type`, if the list has none.
   */
  constructor(status: number, reason: string, list: readonly string[], type: string | null) {
    this.status = status;
    this.#reason = reason;
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i]!;
      if (!this.#isOurs(name, list[i + 1]!)) this.#fields += `${name}: ${list[i + 1]}\r\n`;
    }
    if (type !== null) this.#fields += `content-type: ${type}\r\n`;
  }

  /** Takes what is the connection's own, and not sent as it is. */
  #isOurs(name: string, value: string): boolean {
    switch (name.length) {
      case 4:
        if (name === 'date') this.#hasDate = true;
        return false;
      case 10:
        if (name === 'connection' && /\bclose\b/i.test(value)) this.close = true;
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

  /**
   * The text of it.
   * @param length bytes of the body, CHUNKED or NO_LENGTH.
   * @param connection what the `Connection` header says, '' for none.
   */
  text(length: number, connection: string): string {
    let text = statusLine(this.status, this.#reason) + this.#fields;
    if (!this.#hasDate) text += dateHeader();
    if (length >= 0) text += `content-length: ${length}\r\n`;
    else if (length === CHUNKED) text += 'transfer-encoding: chunked\r\n';
    return connection === '' ? `${text}\r\n` : `${text}connection: ${connection}\r\n\r\n`;
  }
}

/** The answer to a request that was refused. */
export function refusal(status: number): string {
  const body = `${STATUS_CODES[status]}\n`;
  const head = new ResponseHead(status, '', NOTHING, 'text/plain');
  return head.text(body.length, 'close') + body;
}

const NOTHING: readonly string[] = [];
