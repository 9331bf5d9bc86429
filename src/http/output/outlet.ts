import type { OpenFile } from '../transport/open-file.js';
import { COPIED_MAX, type Data, type Transport } from '../transport/transport.js';
import { isLatin1Seen } from './field-text.js';

/** The maximum size of text that is collected before it is sent. */
const GATHER_MAX = 64 * 1024;
/** While the peer has not taken this many bytes its next answer waits. */
const HIGH_WATER = 64 * 1024;

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const BEYOND_ASCII = /[^\x00-\x7f]/;

/** The output of a connection: collects small answers, and sends them in one write. */
export class Outlet {
  readonly #transport: Transport;
  #text = '';
  /** Bytes sent, or collected for sending. */
  bytes = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The head of a response, which is latin1. */
  head(text: string): void {
    if (isLatin1Seen() && BEYOND_ASCII.test(text)) this.data(Buffer.from(text, 'latin1'));
    else this.#gather(text, text.length);
  }

  /** Text with `length` bytes in UTF-8. */
  text(text: string, length: number): void {
    this.#gather(text, length);
  }

  #gather(text: string, length: number): void {
    this.bytes += length;
    this.#text = this.#text === '' ? text : this.#text + text;
    if (this.#text.length > GATHER_MAX) this.flush();
  }

  /** Bytes, which must not change until they are sent. */
  data(bytes: Uint8Array): void {
    if (this.#text !== '') {
      this.framed('', bytes, '');
      return;
    }
    this.bytes += bytes.length;
    this.#transport.post(bytes);
  }

  /** Bytes between two pieces of ASCII text, as a chunk is. More than COPIED_MAX must not change until they are sent. */
  framed(before: string, bytes: Uint8Array, after: string): void {
    this.bytes += before.length + bytes.length + after.length;
    const text = this.#text + before;
    this.#text = '';
    this.#transport.postJoined(text, bytes, after);
  }

  /** A small part of a file, if it is cached; returns whether it was sent. */
  file(file: OpenFile, offset: number, length: number): boolean {
    if (!this.#transport.postFile(this.#text, file, offset, length)) return false;
    this.#text = '';
    this.bytes += length;
    return true;
  }

  /** A part of a file, as far as it can be sent at once: returns how many bytes were. */
  fileNow(file: OpenFile, offset: number, length: number): number {
    const sent = this.#transport.sendFileNow(this.#text, file, offset, length);
    if (sent < 0) return 0;
    this.#text = '';
    this.bytes += sent;
    return sent;
  }

  flush(): void {
    if (this.#text === '') return;
    const text: Data = this.#text;
    this.#text = '';
    this.#transport.post(text);
  }

  /** Whether bytes that were just passed to `framed` may still be read from where they are. */
  holds(bytes: Uint8Array): boolean {
    return bytes.length > COPIED_MAX && this.#transport.bufferedAmount > 0;
  }

  /** Whether the peer takes less than it is sent. */
  get isFull(): boolean {
    return this.#transport.bufferedAmount > HIGH_WATER;
  }

  /** Resolves when the peer has taken everything; rejects if it never will. */
  drained(): Promise<void> {
    this.flush();
    return this.#transport.drained();
  }
}
