/** A connection as a stream of Node's: `Connection.toDuplex`. */
import { AsyncResource } from 'node:async_hooks';
import { Duplex } from 'node:stream';
import { callBack, throwLater } from '../../loop/operation/uncaught.js';
import { clearTimeout, nextTick, setImmediate, startTimer } from '../../loop/real-timers.js';
import { checkDuration, checkFunction } from '../../sys/check/check.js';
import { optionNames } from '../../sys/check/options.js';
import { withCode } from '../../sys/errors/errors.js';
import type { InetAddress } from '../../sys/socket/sockaddr.js';
import type { ByteStream } from './byte-stream.js';
import type { Endpoint } from './endpoint.js';
import type { Socket } from './stream-socket.js';
import { meetWrappers, onWrapped, type WrapperHandle } from './tls-wrapper.js';

/** The maximum value of TCP_KEEPIDLE, in seconds. */
const KEEP_ALIVE_MAX = 32767;

/** Options of a connection's stream. */
export interface ToDuplexOptions {
  /**
   * Whether the stream stays writable after the peer has ended its side. By default false, as in net.Socket: the stream
   * then ends itself, once written data is sent.
   */
  allowHalfOpen?: boolean | undefined;
}

export const TO_DUPLEX_OPTIONS = optionNames<ToDuplexOptions>({ allowHalfOpen: true });

/** The connection below. */
interface Connected extends Socket, ByteStream {
  readonly bytesRead: number;
  readonly remains: Endpoint;
  ref(): void;
  unref(): void;
}

type Done = (error?: Error | null) => void;

/** Nothing needs an end once the peer has reset. */
function unlessReset(error: { code?: string }): void {
  if (error.code !== 'ENOTCONN') throw error;
}

const succeed = (_done: unknown): number => 0;

/**
 * A connection as a stream of Node's, with the methods of a `net.Socket` that `node:http` and `node:tls` use:
 * `server.emit('connection', duplex)`, `tls.connect({ socket: duplex })`, `new TLSSocket(duplex)`. Its listeners are
 * called in the async context in which it was created.
 */
export class ConnectionDuplex extends Duplex {
  /** Always false: the connection is established. */
  readonly connecting = false;
  /** Milliseconds without traffic after which 'timeout' is emitted; 0 disables it, which is the default. */
  timeout: number | undefined = undefined;
  readonly #connection: Connected;
  readonly #context = new AsyncResource('uasync.ConnectionDuplex');
  #timer: NodeJS.Timeout | undefined;
  /** What the connection had transferred at the last check of the timer. */
  #sent = 0;
  /** Bytes passed to the connection, and those of them whose write has not called back. */
  #dispatched = 0;
  #writing = 0;
  /** Whether it has been used: one that has not can be collected. */
  #used = false;
  #resetting = false;
  #peer: Partial<InetAddress> | undefined;

  constructor(connection: Connected, { allowHalfOpen = false }: ToDuplexOptions) {
    // 'close' is emitted here, because it reports whether there was an error.
    super({ allowHalfOpen: Boolean(allowHalfOpen), emitClose: false });
    this.#connection = connection;
    if (!allowHalfOpen) this.once('end', this.#onPeerEnded);
  }

  // --- Reading --------------------------------------------------------------------------------------

  override _read(): void {
    this.#connection.read().then(this.#onChunk, this.#onReadError);
  }

  readonly #onChunk = (chunk: Buffer | null): void => {
    this.#timer?.refresh();
    try {
      this.#context.runInAsyncScope(this.#push, this, chunk);
    } catch (thrown) {
      throwLater(thrown);
      // The stream has not requested more yet.
      this.read(0);
    }
  };

  #push(chunk: Buffer | null): void {
    this.push(chunk);
    // The end is emitted by a read.
    if (chunk === null) this.read(0);
  }

  readonly #onReadError = (error: Error): void => {
    // It knows about its own end.
    if (!this.destroyed) this.#context.runInAsyncScope(this.destroy, this, error);
  };

  /** A TLS socket on top of a stream pauses it first. */
  override pause(): this {
    if (this.listenerCount('data') === 0) meetWrappers();
    return super.pause();
  }

  // --- Writing --------------------------------------------------------------------------------------

  readonly #onPeerEnded = (): void => {
    // Unless it is under a TLS socket, which makes it half-open.
    if (!this.allowHalfOpen) this.write = this.#writeAfterEnd;
  };

  /** The peer ended the stream: "write after end" would blame the caller. */
  readonly #writeAfterEnd = (...args: unknown[]): boolean => {
    if (!this.writableEnded) return (super.write as (...args: unknown[]) => boolean).apply(this, args);
    const error = withCode(new Error('This socket has been ended by the other party'), 'EPIPE');
    const done = args.find(arg => typeof arg === 'function') as Done | undefined;
    if (done !== undefined) nextTick(done, error);
    this.destroy(error);
    return false;
  };

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#dispatch(chunk.length);
    this.#settle(this.#connection.write(chunk), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#dispatch(chunks.reduce((sum, { chunk }) => sum + chunk.length, 0));
    this.#settle(this.#connection.write(chunks.map(({ chunk }) => chunk)), done);
  }

  /** Detects the peer's end even if the stream is never read, as net.Socket does. */
  #watchEnd(): void {
    if (this.#used) return;
    this.#used = true;
    this.read(0);
  }

  #dispatch(length: number): void {
    this.#watchEnd();
    this.#timer?.refresh();
    this.#dispatched += length;
    this.#writing = length;
  }

  override _final(done: Done): void {
    this.#watchEnd();
    this.#settle(this.#connection.shutdown().catch(unlessReset), done);
  }

  #settle(promise: Promise<void>, done: Done): void {
    promise.then(
      () => {
        this.#timer?.refresh();
        this.#writing = 0;
        callBack(done);
      },
      error => callBack(done, error),
    );
  }

  // --- The end --------------------------------------------------------------------------------------

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#timer);
    const connection = this.#connection;
    const hadError = error !== null;
    const emitClose = (): void => void this.#context.runInAsyncScope(this.emit, this, 'close', hadError);
    // After 'error', which the stream emits in the next tick, and as late as with libuv.
    const closed = (): void => void setImmediate(emitClose);
    // Drops what the kernel has not taken, as a net.Socket does.
    if (this.#resetting) connection.reset().then(closed, closed);
    else if (this.writableFinished) connection.close().then(closed, closed);
    else connection.remains.abandon().then(closed, closed);
    done(error);
  }

  /** Sends written data, then closes. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Closes at once: the peer sees a reset. */
  resetAndDestroy(): this {
    this.#resetting = true;
    if (this.destroyed) this.#connection.reset().catch(() => {});
    return this.destroy();
  }

  // --- As a net.Socket ------------------------------------------------------------------------------

  /** 'open', 'readOnly' or 'writeOnly' when one side has ended, 'closed' when both have. */
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** Whether it is not connected: false until it is destroyed. */
  get pending(): boolean {
    return this.destroyed;
  }

  #local(): Partial<InetAddress> {
    return ((this.destroyed ? undefined : this.#connection.localAddress) ?? {}) as Partial<InetAddress>;
  }

  #remote(): Partial<InetAddress> {
    if (!this.destroyed) this.#peer ??= this.#connection.remoteAddress as Partial<InetAddress> | undefined;
    return this.#peer ?? {};
  }

  /** This end's numeric address; undefined for a Unix socket, and once destroyed. */
  get localAddress(): string | undefined {
    return this.#local().address;
  }

  /** This end's port. */
  get localPort(): number | undefined {
    return this.#local().port;
  }

  /** 'IPv4' or 'IPv6' */
  get localFamily(): string | undefined {
    return this.#local().family;
  }

  /** The peer's numeric address; undefined for a Unix socket, and once destroyed unless it was read before. */
  get remoteAddress(): string | undefined {
    return this.#remote().address;
  }

  /** The peer's port. */
  get remotePort(): number | undefined {
    return this.#remote().port;
  }

  /** 'IPv4' or 'IPv6' */
  get remoteFamily(): string | undefined {
    return this.#remote().family;
  }

  /** Bytes received. */
  get bytesRead(): number {
    return this.#connection.bytesRead;
  }

  /** Bytes written, including those that wait to be sent. */
  get bytesWritten(): number {
    return this.#dispatched + Math.max(0, this.writableLength - this.#writing);
  }

  /** This end's address. */
  address(): Partial<InetAddress> {
    const { address, family, port } = this.#local();
    return address === undefined ? {} : ({ address, family, port } as Partial<InetAddress>);
  }

  #isTcp(): boolean {
    return !this.#connection.closed && this.localFamily !== undefined;
  }

  /** TCP_NODELAY, tcp(7); as in a net.Socket, it has no effect on a Unix socket. */
  setNoDelay(enable = true): this {
    if (this.#isTcp()) this.#connection.setNoDelay(Boolean(enable));
    return this;
  }

  /** As in a net.Socket, `delay` is in milliseconds, and it has no effect on a Unix socket. */
  setKeepAlive(enable = false, delay = 0): this {
    const idle = Math.min(Math.floor(delay / 1000), KEEP_ALIVE_MAX);
    if (this.#isTcp()) this.#connection.setKeepAlive(Boolean(enable), idle > 0 ? { idle } : {});
    return this;
  }

  /** Emits 'timeout' after `ms` milliseconds without traffic, and does nothing else; 0 disables it. */
  setTimeout(ms: number, callback?: () => void): this {
    if (this.destroyed) return this;
    checkDuration('ms', ms);
    if (callback !== undefined) checkFunction('callback', callback);
    this.timeout = ms;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sent = this.#connection.remains.moved;
    if (ms > 0) this.#timer = startTimer(() => this.#onTimeout(), ms).unref();
    if (callback !== undefined) {
      if (ms > 0) this.once('timeout', callback);
      else this.removeListener('timeout', callback);
    }
    return this;
  }

  #onTimeout(): void {
    // A large write makes progress, although it has not called back.
    const sent = this.#connection.remains.moved;
    if (this.#writing !== 0 && sent !== this.#sent) this.#timer?.refresh();
    else this.emit('timeout');
    this.#sent = sent;
  }

  /** Pending reads and writes keep the process alive, which is the default. */
  ref(): this {
    this.#connection.ref();
    return this;
  }

  /** Pending reads and writes no longer keep the process alive. */
  unref(): this {
    this.#connection.unref();
    return this;
  }

  /** @internal A TLS socket wraps it, uses it like a net.Socket, and ends it when the TLS session ends. */
  [onWrapped](handle: WrapperHandle): void {
    handle.getpeername = out => succeed(Object.assign(out, this.#remote()));
    handle.getsockname = out => succeed(Object.assign(out, this.address()));
    handle.setNoDelay = enable => succeed(this.setNoDelay(enable));
    handle.setKeepAlive = (enable, delay) => succeed(this.setKeepAlive(enable, delay * 1000));
    handle.ref = () => void this.ref();
    handle.unref = () => void this.unref();
    // The TLS socket takes it over first.
    nextTick(() => {
      this.allowHalfOpen = true;
    });
  }
}
