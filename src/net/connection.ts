import { closeSocket } from '../loop/close.js';
import type { Loop } from '../loop/loop.js';
import { checkWait, type WaitOptions } from '../loop/waiter.js';
import { checkBytes, checkInt } from '../ring/check.js';
import { argTypeError, closedError, rangeError } from '../ring/errors.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import { SHUT_WR } from '../ring/sqe/sockets.js';
import { localAddress, remoteAddress } from './names.js';
import {
  IPPROTO_TCP,
  type KeepAlive,
  setIntOption,
  setKeepAlive,
  setResetOnClose,
  TCP_NODELAY,
} from './options.js';
import { type ChunkIteration, Receiver } from './receiver.js';
import { Sender } from './sender.js';

/** What `write` takes. */
export type WriteData = string | Uint8Array | readonly (string | Uint8Array)[];

/**
 * A stream connection, TCP or Unix. Reads and writes are awaited; iterating over it yields what arrives
 * and closes it at the end.
 */
export class Connection implements AsyncIterable<Buffer> {
  readonly #loop: Loop;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  #fd: number;
  #closing: Promise<void> | null = null;
  #shutdown: Promise<void> | null = null;
  #local: SocketAddress | undefined;
  #remote: SocketAddress | undefined;

  /** @internal Takes over a connected socket; use `connect` or `listen`. */
  constructor(loop: Loop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
    this.#receiver = new Receiver(loop, fd);
    this.#sender = new Sender(loop, fd);
  }

  /** The socket's descriptor, -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Whether `close()` or `reset()` has been called. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /** Bytes that have arrived here. */
  get bytesRead(): number {
    return this.#receiver.bytesRead;
  }

  /** Bytes that the kernel has taken. */
  get bytesWritten(): number {
    return this.#sender.bytesWritten;
  }

  /** This end's address, getsockname(2); undefined if it was not asked for before the close. */
  get localAddress(): SocketAddress | undefined {
    if (this.#local === undefined && this.#fd >= 0) this.#local = localAddress(this.#fd);
    return this.#local;
  }

  /** The peer's address, getpeername(2); undefined if the peer had gone when it was first asked for. */
  get remoteAddress(): SocketAddress | undefined {
    if (this.#remote === undefined && this.#fd >= 0) this.#remote = remoteAddress(this.#fd);
    return this.#remote;
  }

  // --- Reading ------------------------------------------------------------------------------------

  /**
   * The bytes that have arrived, as they came, at least one; null when the peer has ended its side.
   * Several reads may wait: they are served in order.
   * @throws (as a rejection) ECONNRESET and its like, ERR_CLOSED, AbortError, ETIMEDOUT.
   */
  async read(options?: WaitOptions): Promise<Buffer | null> {
    checkWait(options);
    return this.#receiver.read(null, options) as Promise<Buffer | null>;
  }

  /** As `read`, but into `buffer`: resolves to the number of bytes, 0 at the end. */
  async readInto(buffer: Uint8Array, options?: WaitOptions): Promise<number> {
    checkBytes('buffer', buffer);
    if (!(buffer instanceof Uint8Array)) throw argTypeError('buffer', 'an instance of Uint8Array', buffer);
    if (buffer.length === 0) throw rangeError('buffer.length', '>= 1', buffer.length);
    checkWait(options);
    return this.#receiver.read(buffer, options) as Promise<number>;
  }

  /** Yields chunks until the peer ends its side. Leaving the loop, in whatever way, closes the connection. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new ChunkIterator(this, this.#receiver);
  }

  // --- Writing ------------------------------------------------------------------------------------

  /**
   * Sends data; resolves when the kernel has taken every byte. Writes go out in the order of the calls,
   * and those that queue go together. A buffer must not change until its write has resolved.
   * @throws (as a rejection) EPIPE, ECONNRESET and their like, ERR_CLOSED, TypeError.
   */
  write(data: WriteData): Promise<void> {
    if (this.#closing !== null || this.#shutdown !== null)
      return Promise.reject(closedError('The connection'));
    if (typeof data === 'string' || data instanceof Uint8Array) return this.#sender.write(data);
    return this.#writeAll(data);
  }

  async #writeAll(parts: readonly (string | Uint8Array)[]): Promise<void> {
    if (!Array.isArray(parts))
      throw argTypeError('data', 'of type string, Uint8Array or an array of them', parts);
    for (const part of parts) {
      if (typeof part !== 'string' && !(part instanceof Uint8Array)) {
        throw argTypeError('data', 'of type string, Uint8Array or an array of them', part);
      }
    }
    await Promise.all(parts.map(part => this.#sender.write(part)));
  }

  /** Sends what was written, then ends this side: the peer reads the end. A second call does nothing. */
  shutdown(): Promise<void> {
    if (this.#closing !== null) return Promise.reject(closedError('The connection'));
    this.#shutdown ??= this.#drain().then(async () => {
      await this.#loop.submit(sqe => sqe.shutdown(this.#fd, SHUT_WR));
    });
    return this.#shutdown;
  }

  #drain(): Promise<void> {
    return new Promise(resolve => this.#sender.whenDrained(resolve));
  }

  // --- Options ------------------------------------------------------------------------------------

  #checkOpen(): void {
    if (this.#fd < 0 || this.#closing !== null) throw closedError('The connection');
  }

  /** Sends small writes at once rather than waiting for more, TCP_NODELAY. On by default. */
  setNoDelay(enable = true): this {
    this.#checkOpen();
    setIntOption(this.#fd, IPPROTO_TCP, TCP_NODELAY, enable ? 1 : 0);
    return this;
  }

  /** Probes a silent peer, SO_KEEPALIVE; times are in seconds. */
  setKeepAlive(enable = true, options: KeepAlive = {}): this {
    this.#checkOpen();
    if (options.idle !== undefined) checkInt('options.idle', options.idle, 1, 32767);
    if (options.interval !== undefined) checkInt('options.interval', options.interval, 1, 32767);
    if (options.count !== undefined) checkInt('options.count', options.count, 1, 127);
    setKeepAlive(this.#fd, enable, options);
    return this;
  }

  /** Whether its pending reads and writes keep the process alive; they do by default. */
  ref(): this {
    return this.#setReferenced(true);
  }

  /** Its pending reads and writes no longer keep the process alive. */
  unref(): this {
    return this.#setReferenced(false);
  }

  #setReferenced(referenced: boolean): this {
    this.#loop.setReferenced(this.#receiver, referenced);
    this.#loop.setReferenced(this.#sender, referenced);
    return this;
  }

  // --- The end ------------------------------------------------------------------------------------

  /**
   * Sends what was written, then closes. Reads that wait reject with ERR_CLOSED. Resolves when the
   * descriptor is free; a second call waits for the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#finish(false);
    return this.#closing;
  }

  /** Closes at once: what is unsent is dropped, its writes reject, and the peer sees a reset (RST). */
  reset(): Promise<void> {
    if (this.#closing === null) {
      this.#closing = this.#finish(true);
    } else if (this.#fd >= 0) {
      this.#abort();
    }
    return this.#closing;
  }

  #abort(): void {
    // A Unix socket has no such option, and needs none.
    try {
      setResetOnClose(this.#fd);
    } finally {
      this.#sender.abort();
    }
  }

  async #finish(reset: boolean): Promise<void> {
    if (this.#loop.closed) {
      const fd = this.#fd;
      this.#fd = -1;
      return closeSocket(this.#loop, fd);
    }
    const stopped = new Promise<void>(resolve => this.#receiver.stop(resolve));
    if (reset) this.#abort();
    await this.#drain();
    await stopped;
    const fd = this.#fd;
    this.#fd = -1;
    await closeSocket(this.#loop, fd);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** `for await` over a connection, without a generator's extra promises. */
class ChunkIterator implements AsyncIterator<Buffer, undefined>, ChunkIteration {
  readonly #connection: Connection;
  readonly #receiver: Receiver;
  #done = false;

  constructor(connection: Connection, receiver: Receiver) {
    this.#connection = connection;
    this.#receiver = receiver;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#done) return Promise.resolve({ value: undefined, done: true });
    return this.#receiver.read(null, undefined, this) as Promise<IteratorResult<Buffer, undefined>>;
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#done = true;
    await this.#connection.close();
    return { value: undefined, done: true };
  }
}
