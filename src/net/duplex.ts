import { Duplex } from 'node:stream';
import { clearTimeout, setImmediate, setTimeout } from '../loop/real-timers.js';
import { checkDuration } from '../ring/check.js';
import { optionNames } from '../ring/options.js';
import type { InetAddress } from '../ring/sockaddr.js';
import type { Connection } from './connection.js';

/** What Node's timers hold, in milliseconds. */
const TIMER_MAX = 0x7fffffff;

/** What TCP_KEEPIDLE holds, in seconds. */
const KEEP_ALIVE_MAX = 32767;

/** What the stream of a connection is to be. */
export interface ToDuplexOptions {
  /**
   * Whether it can still be written to once the peer has ended its side; default false, as a net.Socket has it:
   * the stream then ends itself, once what has been written is sent.
   */
  allowHalfOpen?: boolean | undefined;
}

export const TO_DUPLEX_OPTIONS = optionNames<ToDuplexOptions>({ allowHalfOpen: true });

type Done = (error?: Error | null) => void;

/**
 * A connection as a stream of Node's, with what `node:http` and `node:tls` ask of a `net.Socket`:
 * `server.emit('connection', duplex)`, `tls.connect({ socket: duplex })`, `new TLSSocket(duplex)`.
 */
export class ConnectionDuplex extends Duplex {
  /** Never: there is a connection. */
  readonly connecting = false;
  /** Milliseconds without traffic after which 'timeout' is emitted; 0 is never. */
  timeout = 0;
  readonly #connection: Connection;
  #timer: NodeJS.Timeout | undefined;
  /** Whether it is to end itself, as its peer has. */
  #ending = false;
  #lastCheck = 0;

  constructor(connection: Connection, { allowHalfOpen = false }: ToDuplexOptions) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    if (allowHalfOpen) return;
    this.once('end', () => {
      this.#ending = true;
      this.#endSoon();
    });
  }

  /**
   * Ends unless more is written at once. A TLS socket over the stream hands it what was written piece by piece,
   * the next when the last has been sent: what Node would do, to end right away, would lose the rest.
   */
  #endSoon(): void {
    const check = ++this.#lastCheck;
    const end = (): void => {
      const quiet = check === this.#lastCheck && this.writableLength === 0;
      if (quiet && !this.writableEnded && !this.destroyed) this.end();
    };
    // Node's own stream under TLS takes an immediate to pass a write on.
    setImmediate(() => setImmediate(end));
  }

  override _read(): void {
    this.#connection.read().then(
      chunk => {
        this.#timer?.refresh();
        this.push(chunk);
      },
      error => {
        // Its own end is no news to it.
        if (!this.destroyed) this.destroy(error);
      },
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#settle(this.#connection.write(chunk), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#settle(this.#connection.write(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Done): void {
    this.#settle(this.#connection.shutdown(), done);
  }

  #settle(promise: Promise<void>, done: Done): void {
    promise.then(() => {
      this.#timer?.refresh();
      done();
      if (this.#ending) this.#endSoon();
    }, done);
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#timer);
    // What the kernel has not taken is dropped, as a net.Socket does.
    const end = this.writableFinished ? this.#connection.close() : this.#connection.abandon();
    end.then(
      () => done(error),
      failure => done(error ?? failure),
    );
  }

  // --- As a net.Socket ------------------------------------------------------------------------------

  get #local(): Partial<InetAddress> {
    return (this.#connection.localAddress ?? {}) as Partial<InetAddress>;
  }

  get #remote(): Partial<InetAddress> {
    return (this.#connection.remoteAddress ?? {}) as Partial<InetAddress>;
  }

  /** This end's numeric address; undefined for a Unix socket. */
  get localAddress(): string | undefined {
    return this.#local.address;
  }

  /** This end's port. */
  get localPort(): number | undefined {
    return this.#local.port;
  }

  /** 'IPv4' or 'IPv6' */
  get localFamily(): string | undefined {
    return this.#local.family;
  }

  /** The peer's numeric address; undefined for a Unix socket. */
  get remoteAddress(): string | undefined {
    return this.#remote.address;
  }

  /** The peer's port. */
  get remotePort(): number | undefined {
    return this.#remote.port;
  }

  /** 'IPv4' or 'IPv6' */
  get remoteFamily(): string | undefined {
    return this.#remote.family;
  }

  /** Bytes that have arrived. */
  get bytesRead(): number {
    return this.#connection.bytesRead;
  }

  /** Bytes that the kernel has taken. */
  get bytesWritten(): number {
    return this.#connection.bytesWritten;
  }

  /** This end's address. */
  address(): Partial<InetAddress> {
    return this.#local;
  }

  get #isTcp(): boolean {
    return this.localFamily !== undefined;
  }

  /** TCP_NODELAY, tcp(7); nothing on a Unix socket, as a net.Socket has it. */
  setNoDelay(enable = true): this {
    if (!this.#connection.closed && this.#isTcp) this.#connection.setNoDelay(enable);
    return this;
  }

  /** Closes at once: the peer sees a reset. */
  resetAndDestroy(): this {
    this.#connection.reset().catch(() => {});
    return this.destroy();
  }

  /** `delay` is in milliseconds, as a net.Socket has it; nothing on a Unix socket. */
  setKeepAlive(enable = false, delay = 0): this {
    const idle = Math.min(Math.floor(delay / 1000), KEEP_ALIVE_MAX);
    const options = idle > 0 ? { idle } : {};
    if (!this.#connection.closed && this.#isTcp) this.#connection.setKeepAlive(enable, options);
    return this;
  }

  /** Has 'timeout' emitted after `ms` milliseconds without traffic, and nothing else done; 0 is never. */
  setTimeout(ms: number, callback?: () => void): this {
    checkDuration('ms', ms);
    this.timeout = ms;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (ms > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.emit('timeout'), Math.min(ms, TIMER_MAX)).unref();
    }
    if (callback !== undefined) {
      if (ms > 0) this.once('timeout', callback);
      else this.removeListener('timeout', callback);
    }
    return this;
  }

  /** Pending reads and writes keep the process alive, which is the default. */
  ref(): this {
    this.#connection.ref();
    return this;
  }

  /** They no longer do. */
  unref(): this {
    this.#connection.unref();
    return this;
  }

  /** Sends what was written, then closes. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
}
