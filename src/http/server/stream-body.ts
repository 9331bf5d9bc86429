/** Sends bodies that arrive in pieces. */
import type { ReadableStream } from 'node:stream/web';
import { copyPooled } from '../../loop/memory/buffer-memory.js';
import { clearImmediate, setImmediate } from '../../loop/real-timers.js';
import { UasyncError } from '../../sys/errors/errors.js';
import { chunkBytes, endSource, isBlob, isStream } from '../message/body.js';
import type { Outlet } from '../output/outlet.js';
import { CHUNKED, NO_LENGTH, type ResponseHead } from '../output/response-head.js';

/** A body that arrives in pieces. */
export type Stream = Blob | ReadableStream | AsyncIterable<Uint8Array | string>;

/** A body that ends within this size is sent at once, with its length. */
const GATHER_MAX = 64 * 1024;

export interface Pieces {
  /** Whether a piece may change once the next is asked for, as a leased chunk of a file does. */
  readonly lent: boolean;
  next(): Promise<{ done?: boolean | undefined; value?: unknown }>;
  cancel(reason: unknown): Promise<unknown>;
}

/** The pieces of a body. */
export function piecesOf(stream: Stream): Pieces {
  if (isBlob(stream)) return piecesOf(stream.stream() as ReadableStream);
  if (isStream(stream)) {
    const reader = stream.getReader();
    return { lent: false, next: () => reader.read(), cancel: reason => reader.cancel(reason) };
  }
  const iterator = stream[Symbol.asyncIterator]();
  const cancel = async (reason: unknown): Promise<unknown> => {
    endSource(stream);
    return iterator.return?.(reason);
  };
  return { lent: true, next: () => iterator.next(), cancel };
}

/** A body that is being sent. */
export class StreamSender {
  readonly #outlet: Outlet;
  readonly #head: ResponseHead;
  /** The declared number of bytes; -1 if unknown. */
  readonly #declared: number;
  /** Whether the peer supports chunks. */
  readonly #chunks: boolean;
  readonly #pieces: Pieces;
  readonly #onStart: () => string;
  /** The pieces before the head was sent. */
  #gathered: Uint8Array[] = [];
  #size = 0;
  #started = false;
  #chunked = false;
  #cancelled: Error | null = null;

  /** @param onStart called when the head is sent, for its `Connection` header. */
  constructor(
    outlet: Outlet,
    head: ResponseHead,
    declared: number,
    chunks: boolean,
    pieces: Pieces,
    onStart: () => string,
  ) {
    this.#outlet = outlet;
    this.#head = head;
    this.#declared = declared;
    this.#chunks = chunks;
    this.#pieces = pieces;
    this.#onStart = onStart;
  }

  /** The peer has disconnected. */
  cancel(reason: Error): void {
    if (this.#cancelled !== null) return;
    this.#cancelled = reason;
    this.#pieces.cancel(reason).catch(() => {});
  }

  /** Resolves when everything is passed to the transport. @throws (as a rejection) the failure of the body. */
  async send(): Promise<void> {
    const outlet = this.#outlet;
    const declared = this.#declared;
    // A body that is available already is sent with its length; for a late one the head is sent first.
    const late = setImmediate(() => this.#start(declared));
    try {
      for (;;) {
        const { done, value } = await this.#pieces.next();
        if (this.#cancelled !== null) throw this.#cancelled;
        if (done) break;
        const bytes = chunkBytes(value);
        if (bytes.length === 0) continue;
        // Text has been copied already.
        const lent = this.#pieces.lent && typeof value !== 'string';
        this.#size += bytes.length;
        if (declared >= 0 && this.#size > declared) throw wrongLength(declared);
        if (!this.#started && this.#size <= GATHER_MAX) {
          this.#gathered.push(lent ? copyPooled(bytes) : bytes);
          continue;
        }
        if (!this.#started) this.#start(declared);
        this.#piece(bytes);
        outlet.flush();
        if (outlet.isFull || (lent && outlet.holds(bytes))) await outlet.drained();
      }
      if (declared >= 0 && this.#size < declared) throw wrongLength(declared);
      if (!this.#started) this.#start(this.#size);
      else if (this.#chunked) outlet.text('0\r\n\r\n', 5);
    } catch (error) {
      if (this.#cancelled === null) this.#pieces.cancel(error).catch(() => {});
      throw error;
    } finally {
      clearImmediate(late);
    }
  }

  #start(length: number): void {
    if (this.#started || this.#cancelled !== null) return;
    this.#started = true;
    const outlet = this.#outlet;
    this.#chunked = length < 0 && this.#chunks;
    const unknown = this.#chunks ? CHUNKED : NO_LENGTH;
    outlet.head(this.#head.text(length >= 0 ? length : unknown, this.#onStart()));
    for (const bytes of this.#gathered) this.#piece(bytes);
    this.#gathered = [];
    outlet.flush();
  }

  #piece(bytes: Uint8Array): void {
    if (this.#chunked) this.#outlet.framed(`${bytes.length.toString(16)}\r\n`, bytes, '\r\n');
    else if (this.#pieces.lent) this.#outlet.framed('', bytes, '');
    else this.#outlet.data(bytes);
  }
}

function wrongLength(declared: number): UasyncError {
  const message = `The body does not have the ${declared} bytes that its Content-Length declares`;
  return new UasyncError('ERR_HTTP_CONTENT_LENGTH_MISMATCH', message);
}
