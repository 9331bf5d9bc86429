import type { InspectOptionsStylized } from 'node:util';
import { isUint8Array } from 'node:util/types';
import type { Loop } from '../../loop/loop.js';
import { checkWait, unlessGivenUp, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkDuration, checkInt } from '../../sys/check/check.js';
import { checkOptions } from '../../sys/check/options.js';
import { argTypeError, closedError, errorFrom } from '../../sys/errors/errors.js';
import { custom } from '../../sys/inspect.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
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
 * A stream connection, TCP or Unix, according to `Address`. Reads and writes are awaited; iterating over it yields
 * received data, and closes it at the end.
 */
export class Connection<Address extends SocketAddress = SocketAddress>
  extends Socket<Address>
  implements AsyncIterable<Buffer>
{
  readonly #endpoint: Endpoint;
  #streams: WebStreams | null = null;

  /** @internal Takes ownership of a connected socket; use `connect` or `listen`. */
  constructor(loop: Loop, fd: number, onClosed?: () => void) {
    super();
    this.#endpoint = new Endpoint(loop, fd, onClosed);
    closeWhenForgotten(this, this.#endpoint);
  }

  /** @internal The socket without its public object: a reference to it does not keep this object alive. */
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
   * Whether `close()` or `reset()` has been called, or the connection has closed by itself: once the end of the peer's
   * data has been read and `shutdown()` is done, or when a read has found that the connection has failed.
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

  /** As `read`, but into `buffer`, of at least one byte: resolves to the number of bytes, 0 at the end. */
  readInto(buffer: Uint8Array, options?: WaitOptions): Promise<number> {
    return readInto(this, this.#endpoint.receiver, buffer, options);
  }

  /**
   * Exactly `count` bytes, in a Buffer of their own.
   * @throws (as a rejection) ERR_STREAM_PREMATURE_CLOSE if the peer ends before that. The bytes so far stay unread,
   * also after an abort or a timeout.
   */
  readExactly(count: number, options?: WaitOptions): Promise<Buffer> {
    return readExactly(this, this.#endpoint.receiver, count, options);
  }

  /**
   * Reads up to and including `delimiter`: text, bytes, or one byte.
   * @throws (as a rejection) ERR_DELIMITER_NOT_FOUND if it is not among the first `max` bytes, and
   * ERR_STREAM_PREMATURE_CLOSE if the peer ends without it. The bytes stay unread.
   */
  readUntil(delimiter: Delimiter, options: ReadUntilOptions = {}): Promise<Buffer> {
    return readUntil(this, this.#endpoint.receiver, delimiter, options);
  }

  /**
   * The next `count` bytes, which stay unread: fewer if the peer has ended, null if there are none. Do not modify them.
   * @param count 1 to 16777216.
   * @throws (as a rejection) the errors of `read`.
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

  /** Yields chunks until the peer ends its side. Leaving the loop in any way closes the connection. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new ChunkIterator(this, this.#endpoint.receiver);
  }

  /**
   * Yields the received data as lines of text, without their ends: '\n' or '\r\n'. The last one needs no end. It reads
   * more than a line at a time; leaving the loop in any way closes the connection.
   * @throws (as a rejection) ERR_LINE_TOO_LONG for a line of more than `max` bytes, and the errors of `read`.
   */
  lines(options?: LinesOptions): AsyncGenerator<string, void, undefined> {
    return linesOf(this, options);
  }

  // --- Writing ------------------------------------------------------------------------------------

  /**
   * Sends data; resolves when the kernel has taken every byte. Writes are sent in call order, and queued ones together.
   * A buffer must not change until its write has resolved. A call that gives up only stops waiting: its bytes are still
   * sent, unless the connection is reset, and the buffer must not change until then (`drained()`) either. If the signal
   * is already aborted, nothing is sent.
   * @throws (as a rejection) EPIPE, ECONNRESET and similar, ERR_CLOSED, AbortError, ETIMEDOUT, TypeError.
   */
  write(data: WriteData, options?: WaitOptions): Promise<void> {
    if (options !== undefined) return this.#within(options, () => this.write(data));
    if (typeof data === 'string' || (isUint8Array(data) && data.length !== 0))
      return this.#endpoint.sender.write(data);
    return writeParts(this.#endpoint.sender, data);
  }

  /** Waits for work that continues without the caller, within the caller's limits. */
  async #within(options: WaitOptions, start: () => Promise<void>): Promise<void> {
    checkWait(options);
    return unlessGivenUp(start(), 'write', options, this.#endpoint.referenced);
  }

  /** As `write` of an array: the parts are sent together. */
  async writev(parts: readonly WritePart[], options?: WaitOptions): Promise<void> {
    if (!Array.isArray(parts)) throw argTypeError('parts', 'an array', parts);
    return this.write(parts, options);
  }

  /**
   * Sends data without waiting: check `bufferedAmount`, and await `drained()` from time to time. The data must not change
   * before that. The next `drained()`, `write` or `read` reports a failure.
   * @throws UasyncError ERR_CLOSED, TypeError.
   */
  send(data: WriteData): void {
    sendParts(this.#endpoint.sender, data);
  }

  /**
   * Resolves when the kernel has taken everything written so far.
   * @throws (as a rejection) EPIPE, ECONNRESET and similar if it could not; AbortError, ETIMEDOUT.
   */
  async drained(options?: WaitOptions): Promise<void> {
    checkWait(options);
    await this.#endpoint.drain(options);
    if (this.#endpoint.sender.error !== null) throw errorFrom(this.#endpoint.sender.error);
  }

  /**
   * Unix sockets: sends data with open descriptors, of which the peer gets copies (`recvFds`). Resolves when the kernel
   * has taken every byte; the descriptors may then be closed here. SCM_RIGHTS, unix(7)
   * @param fds 1 to 253 descriptors, or objects with one: a FileHandle, a Connection, a Listener.
   * @param data at least one byte, because descriptors are only sent along with bytes.
   * @throws (as a rejection) as `write`; EBADF for one that is not open; ERR_INVALID_STATE for a TCP connection.
   */
  async sendFds(
    fds: readonly ({ readonly fd: number } | number)[],
    data: WritePart,
    options?: WaitOptions,
  ): Promise<void> {
    await sendFds(this.#endpoint, this.localAddress, fds, data, options);
  }

  /**
   * As `read`, with the descriptors that came with the bytes, on a connection made with `receiveFds`. Descriptors that
   * are not taken are closed: by a `read` or another call that takes the last of their bytes, and by `close()`.
   * @throws (as a rejection) as `read`; ERR_INVALID_STATE without `receiveFds`.
   */
  recvFds(options?: WaitOptions): Promise<ReceivedFds | null> {
    return recvFds(this, this.#endpoint.receiver, options);
  }

  /**
   * Sends a part of a file after earlier writes, without passing it through JavaScript. Resolves to the number of
   * bytes. If it fails or is aborted after some of them were sent, nothing more can be written.
   * @param file a FileHandle, of this package or of Node's, or a descriptor.
   * @throws (as a rejection) EBADF, EIO and similar of the file; the errors of `write`.
   */
  async sendFile(file: { readonly fd: number } | number, options: SendFileOptions = {}): Promise<number> {
    return sendFile(this.#endpoint, file, options);
  }

  /**
   * Moves all received data to another connection, whose sending side then ends too; with `length`, that many bytes.
   * Resolves to the number of bytes moved, which is smaller if the peer ends before. Neither connection is closed.
   * After an abort, bytes that have been read are still written.
   * @throws (as a rejection) the errors of `read` on this connection, and of `write` on the other.
   */
  async pipeTo(other: Connection, options: PipeToOptions = {}): Promise<number> {
    if (!(other instanceof Connection)) throw argTypeError('other', 'an instance of Connection', other);
    return pipeTo(this, other, options);
  }

  /**
   * Sends written data, then ends this side: the peer reads the end. A second call waits for the first.
   * @throws (as a rejection) ENOTCONN if the peer has reset; EPIPE, ECONNRESET and similar of earlier writes; ERR_CLOSED,
   * AbortError, ETIMEDOUT.
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
   * Resolves when the peer has ended its side, normally or by a reset, or when the connection is closed: nothing more
   * will arrive. It reads nothing: bytes that arrived before the end can still be read.
   * @throws (as a rejection) AbortError, ETIMEDOUT.
   */
  async whenEnded(options?: WaitOptions): Promise<void> {
    checkWait(options);
    await this.#endpoint.peerEnded(options);
  }

  /**
   * Resolves when the connection has ended: reset or failed, ended by both sides, or closed here. A peer that has only
   * ended its side may still receive: see `whenEnded`.
   * @throws (as a rejection) AbortError, ETIMEDOUT.
   */
  async whenClosed(options?: WaitOptions): Promise<void> {
    checkWait(options);
    await this.#endpoint.over(options);
  }

  /**
   * Aborted when the connection has ended, as with `whenClosed`: for work whose result is then no longer needed. Its
   * reason is the error, ECONNRESET or ERR_CLOSED.
   */
  get signal(): AbortSignal {
    return this.#endpoint.signal;
  }

  // --- As streams ---------------------------------------------------------------------------------

  /** The received data as a web stream. The connection is closed once this and `writable` have ended. */
  get readable(): WebStreams['readable'] {
    this.#streams ??= new WebStreams(this);
    return this.#streams.readable;
  }

  /** The data to send as a web stream. */
  get writable(): WebStreams['writable'] {
    this.#streams ??= new WebStreams(this);
    return this.#streams.writable;
  }

  /**
   * The connection as a stream of Node's, which owns it from now on: for `node:http` by `server.emit('connection',
   * duplex)`, for `node:tls` by `tls.connect({ socket: duplex })`. When the peer ends its side the stream ends too, and
   * is destroyed, unless `allowHalfOpen` is set.
   */
  toDuplex(options: ToDuplexOptions = {}): ConnectionDuplex {
    checkOptions(options, TO_DUPLEX_OPTIONS);
    return new ConnectionDuplex(this, options);
  }

  // --- Time and life ------------------------------------------------------------------------------

  /**
   * Sends data of at least `from` bytes without a copy in the kernel (MSG_ZEROCOPY). This takes less CPU on a network
   * card, from about 16 KiB on, and gains nothing on the loopback. null disables it, which is the default.
   */
  setZeroCopy(from: number | null): this {
    if (from !== null) checkInt('from', from, 1, 0x7fffffff);
    if (this.#endpoint.closed) throw closedError('The connection');
    this.#endpoint.sender.zeroCopyFrom = from ?? Number.POSITIVE_INFINITY;
    return this;
  }

  /**
   * Makes waiting reads and writes reject with ETIMEDOUT when no byte has been transferred for `ms` milliseconds, up to
   * a tenth longer; 0, the default, disables it. After a write has timed out no more can be written.
   */
  setTimeout(ms: number): this {
    checkDuration('ms', ms);
    if (this.#endpoint.closed) throw closedError('The connection');
    this.#endpoint.setTimeout(ms);
    return this;
  }

  /**
   * The connection keeps the process alive from its first read to its end, and so do pending calls, which is the
   * default.
   */
  ref(): this {
    this.#endpoint.setReferenced(true);
    return this;
  }

  /** Neither the connection nor its pending calls keep the process alive any more. */
  unref(): this {
    this.#endpoint.setReferenced(false);
    return this;
  }

  // --- The end ------------------------------------------------------------------------------------

  /**
   * Sends written data, then the end, then closes. Data that the peer still sends, or has sent and was not read, is
   * dropped: up to 16 MiB in up to 30 seconds, or in the time of `setLinger`. Waiting reads reject with ERR_CLOSED.
   * Resolves when the descriptor is free; a second call waits for the first. A peer that does not read delays the
   * close: a call that gives up, also because its signal is already aborted, only stops waiting, and `reset()` closes
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
      // No call waits for it, but if it stayed open it would be lost.
      if ((error as { code?: string }).code === 'ABORT_ERR') this.#endpoint.close().catch(NOTHING);
      throw error;
    }
    return unlessGivenUp(this.#endpoint.close(), 'write', options, this.#endpoint.referenced);
  }

  /** Closes at once: drops unsent data, rejects its writes, and the peer sees a reset (RST). */
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
