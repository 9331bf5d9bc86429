import type { InspectOptionsStylized } from 'node:util';
import { isUint8Array } from 'node:util/types';
import type { Loop } from '../../loop/loop.js';
import { checkWait, unlessGivenUp, type WaitOptions } from '../../loop/waiter.js';
import { checkDuration, checkInt } from '../../ring/check.js';
import { argTypeError, closedError, errorFrom } from '../../ring/errors.js';
import { custom } from '../../ring/inspect.js';
import { checkOptions } from '../../ring/options.js';
import type { SocketAddress } from '../../ring/sockaddr.js';
import { closeWhenForgotten } from '../socket/forgotten.js';
import type { ReceivedFds } from '../socket/received-fds.js';
import { ChunkIterator } from './chunk-iterator.js';
import { connectionText } from './connection-text.js';
import type { Delimiter, ReadUntilOptions } from './delimiter.js';
import { ConnectionDuplex, TO_DUPLEX_OPTIONS, type ToDuplexOptions } from './duplex.js';
import { Endpoint } from './endpoint.js';
import { type LinesOptions, linesOf } from './lines.js';
import { type PipeToOptions, pipeTo } from './pipe-to.js';
import { peek, readExactly, readInto, readUntil, recvFds } from './read-calls.js';
import { sendFds } from './send-fds.js';
import { type SendFileOptions, sendFile } from './send-file.js';
import { Socket } from './stream-socket.js';
import { WebStreams } from './web-streams.js';
import { sendParts, writeParts } from './write-calls.js';
import type { WriteData, WritePart } from './write-data.js';

/**
 * A stream connection, TCP or Unix: `Address` says which. Reads and writes are awaited; iterating over it yields what arrives
 * and closes it at the end.
 */
export class Connection<Address extends SocketAddress = SocketAddress>
  extends Socket<Address>
  implements AsyncIterable<Buffer>
{
  readonly #endpoint: Endpoint;
  #streams: WebStreams | null = null;

  /** @internal Takes over a connected socket; use `connect` or `listen`. */
  constructor(loop: Loop, fd: number, onClosed?: () => void) {
    super();
    this.#endpoint = new Endpoint(loop, fd, onClosed);
    closeWhenForgotten(this, this.#endpoint);
  }

  /** @internal The socket by itself: a reference to it does not keep this object alive. */
  get remains(): Endpoint {
    return this.#endpoint;
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return connectionText(this, this.#endpoint, depth, options);
  }

  /** The socket's descriptor, -1 once closed. */
  get fd(): number {
    return this.#endpoint.fd;
  }

  /**
   * Whether `close()` or `reset()` has been called, or the connection has closed by itself: once the end of what
   * the peer sends has been read and `shutdown()` is done, or when a read has found that the connection has failed.
   */
  get closed(): boolean {
    return this.#endpoint.closed;
  }

  /** Bytes received. */
  get bytesRead(): number {
    return this.#endpoint.bytesRead;
  }

  /** Bytes accepted by the kernel. */
  get bytesWritten(): number {
    return this.#endpoint.bytesWritten;
  }

  /** Bytes written that the kernel has not accepted yet. */
  get bufferedAmount(): number {
    return this.#endpoint.bufferedAmount;
  }

  // --- Reading ------------------------------------------------------------------------------------

  /**
   * The bytes that have arrived, at least one; null when the peer has ended its side. Concurrent reads are served in
   * call order.
   * @throws (as a rejection) ECONNRESET and similar, ERR_CLOSED, AbortError, ETIMEDOUT.
   */
  read(options?: WaitOptions): Promise<Buffer | null> {
    // Not an async function: its promise would be a second one for each read.
    try {
      checkWait(options);
      const { receiver } = this.#endpoint;
      const reader = receiver.newReader();
      reader.user = this;
      return receiver.start(reader, options) as Promise<Buffer | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `read`, but into `buffer`: resolves to the number of bytes, 0 at the end. */
  readInto(buffer: Uint8Array, options?: WaitOptions): Promise<number> {
    return readInto(this, this.#endpoint.receiver, buffer, options);
  }

  /**
   * Exactly `count` bytes, in a Buffer of their own.
   * @throws (as a rejection) ERR_STREAM_PREMATURE_CLOSE when the peer ends before: what came stays unread.
   * After an abort or a timeout it stays unread too.
   */
  readExactly(count: number, options?: WaitOptions): Promise<Buffer> {
    return readExactly(this, this.#endpoint.receiver, count, options);
  }

  /**
   * The bytes up to `delimiter`, which is their end: text, bytes, or one byte.
   * @throws (as a rejection) ERR_DELIMITER_NOT_FOUND when it is not among the first `max` bytes, and
   * ERR_STREAM_PREMATURE_CLOSE when the peer ends without it: what came stays unread.
   */
  readUntil(delimiter: Delimiter, options: ReadUntilOptions = {}): Promise<Buffer> {
    return readUntil(this, this.#endpoint.receiver, delimiter, options);
  }

  /**
   * The next `count` bytes, which stay unread: fewer when the peer has ended, null when there are none.
   * Do not change them.
   * @param count 1 to 16777216.
   */
  peek(count = 1, options?: WaitOptions): Promise<Buffer | null> {
    return peek(this, this.#endpoint.receiver, count, options);
  }

  /** Puts a copy of bytes back, to be read before all others. */
  unread(bytes: Uint8Array): void {
    if (!isUint8Array(bytes)) throw argTypeError('bytes', 'an instance of Uint8Array', bytes);
    if (this.#endpoint.closed) throw closedError('The connection');
    this.#endpoint.receiver.unread(Buffer.from(bytes));
  }

  /** Yields chunks until the peer ends its side. Leaving the loop, in whatever way, closes the connection. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new ChunkIterator(this, this.#endpoint.receiver);
  }

  /**
   * What arrives as lines of text, without their ends: '\n' or '\r\n'. The last one needs no end. More than a line
   * is read at a time: leaving the loop, in whatever way, closes the connection, as iterating over it does.
   * @throws (as a rejection) ERR_LINE_TOO_LONG for a line of more than `max` bytes, and what `read` throws.
   */
  lines(options?: LinesOptions): AsyncGenerator<string, void, undefined> {
    return linesOf(this, options);
  }

  // --- Writing ------------------------------------------------------------------------------------

  /**
   * Sends data; resolves when the kernel has taken every byte. Writes go out in the order of the calls,
   * and those that queue go together. A buffer must not change until its write has resolved. A call that
   * gives up is no longer waited for: its bytes still go, unless the connection is reset, and until then
   * (`drained()`) the buffer must not change either. With a signal that is aborted already nothing is sent.
   * @throws (as a rejection) EPIPE, ECONNRESET and similar, ERR_CLOSED, AbortError, ETIMEDOUT, TypeError.
   */
  write(data: WriteData, options?: WaitOptions): Promise<void> {
    if (options !== undefined) return this.#within(options, () => this.write(data));
    if (typeof data === 'string' || (isUint8Array(data) && data.length !== 0))
      return this.#endpoint.sender.write(data);
    return writeParts(this.#endpoint.sender, data);
  }

  /** Waits for what goes on by itself, as long as the caller wants. */
  async #within(options: WaitOptions, start: () => Promise<void>): Promise<void> {
    checkWait(options);
    return unlessGivenUp(start(), 'write', options);
  }

  /** As `write` of an array: the parts leave together. */
  async writev(parts: readonly WritePart[], options?: WaitOptions): Promise<void> {
    if (!Array.isArray(parts)) throw argTypeError('parts', 'an array', parts);
    return this.write(parts, options);
  }

  /**
   * Sends data without waiting: look at `bufferedAmount`, and await `drained()` now and then. A
   * failure is that of the next `drained()`, `write` or `read`.
   * @throws UasyncError ERR_CLOSED, TypeError.
   */
  send(data: WriteData): void {
    sendParts(this.#endpoint.sender, data);
  }

  /**
   * Resolves when the kernel has taken all that was written so far.
   * @throws (as a rejection) EPIPE, ECONNRESET and similar if it could not; AbortError, ETIMEDOUT.
   */
  async drained(options?: WaitOptions): Promise<void> {
    checkWait(options);
    await this.#endpoint.drain(options);
    if (this.#endpoint.sender.error !== null) throw errorFrom(this.#endpoint.sender.error);
  }

  /**
   * Unix sockets: sends data with open descriptors, which the peer gets copies of (`recvFds`). Resolves when the
   * kernel has taken every byte; the descriptors may then be closed here. SCM_RIGHTS, unix(7)
   * @param fds 1 to 253 descriptors, or what has one: a FileHandle, a Connection, a Listener.
   * @param data at least one byte, as descriptors go with bytes only.
   * @throws (as a rejection) as `write`; EBADF for one that is not open; ERR_INVALID_STATE where it is TCP.
   */
  async sendFds(
    fds: readonly ({ readonly fd: number } | number)[],
    data: WritePart,
    options?: WaitOptions,
  ): Promise<void> {
    await sendFds(this.#endpoint, this.localAddress, fds, data, options);
  }

  /**
   * As `read`, with the descriptors that came with the bytes; on a connection that was made with `receiveFds`.
   * Those that are not taken are closed: by a `read`, or another call, that takes the last of their bytes, and by
   * `close()`.
   * @throws (as a rejection) as `read`; ERR_INVALID_STATE where it takes none.
   */
  recvFds(options?: WaitOptions): Promise<ReceivedFds | null> {
    return recvFds(this, this.#endpoint.receiver, options);
  }

  /**
   * Sends part of a file after what was written before, without its passing through JavaScript. Resolves
   * to the number of bytes. If it fails or is aborted with part of them sent, nothing more can be written.
   * @param file a FileHandle, of this package or of Node's, or a descriptor.
   */
  async sendFile(file: { readonly fd: number } | number, options: SendFileOptions = {}): Promise<number> {
    return sendFile(this.#endpoint, file, options);
  }

  /**
   * Moves all that arrives here to another connection, whose sending side then ends too; with `length`, that
   * many bytes. Resolves to the number moved, which is smaller if the peer ends before. Neither connection is
   * closed. After an abort what has been read is still written.
   */
  async pipeTo(other: Connection, options: PipeToOptions = {}): Promise<number> {
    if (!(other instanceof Connection)) throw argTypeError('other', 'an instance of Connection', other);
    return pipeTo(this, other, options);
  }

  /**
   * Sends what was written, then ends this side: the peer reads the end. A second call waits for the first.
   * @throws (as a rejection) EPIPE, ECONNRESET and similar, ERR_CLOSED, AbortError, ETIMEDOUT.
   */
  async shutdown(options?: WaitOptions): Promise<void> {
    if (options !== undefined) return this.#within(options, () => this.shutdown());
    try {
      await this.#endpoint.shutdown();
    } catch (error) {
      throw errorFrom(error as Error);
    }
  }

  // --- The peer -----------------------------------------------------------------------------------

  /**
   * Resolves when the peer has ended its side, by its end or by a reset, or when the connection is closed: nothing
   * more will come. Nothing is read for that: bytes that came before the end are there still.
   * @throws (as a rejection) AbortError, ETIMEDOUT.
   */
  async whenEnded(options?: WaitOptions): Promise<void> {
    checkWait(options);
    await this.#endpoint.peerEnded(options);
  }

  /**
   * Resolves when the connection is over: reset or failed, ended by both sides, or closed here. A peer that has
   * only ended its side may still receive: see `whenEnded`.
   * @throws (as a rejection) AbortError, ETIMEDOUT.
   */
  async whenClosed(options?: WaitOptions): Promise<void> {
    checkWait(options);
    await this.#endpoint.over(options);
  }

  /**
   * Aborted when the connection is over, as `whenClosed` has it: for work whose result is no longer wanted. Its
   * reason is the error, ECONNRESET or ERR_CLOSED.
   */
  get signal(): AbortSignal {
    return this.#endpoint.signal;
  }

  // --- As streams ---------------------------------------------------------------------------------

  /** What arrives, as a web stream. Once it and `writable` have ended the connection is closed. */
  get readable(): WebStreams['readable'] {
    this.#streams ??= new WebStreams(this);
    return this.#streams.readable;
  }

  /** What is sent, as a web stream. */
  get writable(): WebStreams['writable'] {
    this.#streams ??= new WebStreams(this);
    return this.#streams.writable;
  }

  /**
   * The connection as a stream of Node's, which has it from now on: for `node:http` by
   * `server.emit('connection', duplex)`, for `node:tls` by `tls.connect({ socket: duplex })`. When the peer
   * ends its side the stream ends too, and is destroyed, unless `allowHalfOpen` is set.
   */
  toDuplex(options: ToDuplexOptions = {}): ConnectionDuplex {
    checkOptions(options, TO_DUPLEX_OPTIONS);
    return new ConnectionDuplex(this, options);
  }

  // --- Time and life ------------------------------------------------------------------------------

  /**
   * Has sends of `from` bytes and more leave without the kernel's copy of them (MSG_ZEROCOPY): less CPU on
   * a network card, from some 16 KiB on; no gain on the loopback. null is never, as at first.
   */
  setZeroCopy(from: number | null): this {
    if (from !== null) checkInt('from', from, 1, 0x7fffffff);
    if (this.#endpoint.closed) throw closedError('The connection');
    this.#endpoint.sender.zeroCopyFrom = from ?? Number.POSITIVE_INFINITY;
    return this;
  }

  /**
   * Has reads and writes that wait reject with ETIMEDOUT when no byte has moved for `ms` milliseconds; 0
   * is never, as at first. It takes up to a tenth longer. Bytes of a write
   * count when up to 256 KiB of it have been taken. After a write was given up no more can be written.
   */
  setTimeout(ms: number): this {
    checkDuration('ms', ms);
    if (this.#endpoint.closed) throw closedError('The connection');
    this.#endpoint.setTimeout(ms);
    return this;
  }

  /** Its pending reads and writes keep the process alive, which is the default. */
  ref(): this {
    this.#endpoint.setReferenced(true);
    return this;
  }

  /** Its pending reads and writes no longer keep the process alive. */
  unref(): this {
    this.#endpoint.setReferenced(false);
    return this;
  }

  // --- The end ------------------------------------------------------------------------------------

  /**
   * Sends what was written, then the end, then closes, whatever the peer is still sending or has sent unread:
   * that is dropped, up to 16 MiB in up to 30 seconds, or as many as `setLinger` was given. Reads that wait
   * reject with ERR_CLOSED. Resolves when the descriptor is free; a second call waits for the first. A peer that
   * does not read holds it up: a call that gives up, also by a signal that is aborted already, is no longer waited for, and `reset()` closes
   * at once.
   * @throws (as a rejection) AbortError, ETIMEDOUT.
   */
  close(options?: WaitOptions): Promise<void> {
    return options === undefined ? this.#endpoint.close() : this.#closeWithin(options);
  }

  async #closeWithin(options: WaitOptions): Promise<void> {
    try {
      checkWait(options);
    } catch (error) {
      // No call waits for it, but left open it would be lost.
      if ((error as { code?: string }).code === 'ABORT_ERR') this.#endpoint.close().catch(NOTHING);
      throw error;
    }
    return unlessGivenUp(this.#endpoint.close(), 'write', options);
  }

  /** Closes at once: what is unsent is dropped, its writes reject, and the peer sees a reset (RST). */
  reset(): Promise<void> {
    return this.#endpoint.reset();
  }

  /** @internal */
  protected override peerAddress(): SocketAddress | undefined {
    return this.#endpoint.address;
  }

  /** @internal */
  protected override lingerChanged(seconds: number | null): void {
    this.#endpoint.linger = seconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const NOTHING = (): void => {};
