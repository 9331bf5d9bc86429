import { AbortableOperation, AbortError } from '../loop/abort.js';
import { closeSocket } from '../loop/close.js';
import { loop as currentLoop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import { checkWait, type WaitOptions } from '../loop/waiter.js';
import { checkInt } from '../ring/check.js';
import { ETIMEDOUT } from '../ring/errno.js';
import { argTypeError, systemError, type UasyncError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';
import { AF_UNIX, familyOf, SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../ring/sockaddr.js';
import { SOCK_CLOEXEC, SOCK_STREAM } from '../ring/sqe/sockets.js';
import { Connection } from './connection.js';
import { IPPROTO_TCP, setIntOption, TCP_NODELAY } from './options.js';
import { resolve } from './resolve.js';

/** Whom to connect to, and how. */
export interface ConnectOptions extends WaitOptions {
  /** TCP: the port. */
  port?: number;
  /** TCP: a name or a numeric address; default 'localhost'. */
  host?: string;
  /** A Unix socket instead: its path, or an abstract name that begins with a NUL. */
  path?: string;
  /** Sends small writes at once, TCP_NODELAY; default true. */
  noDelay?: boolean;
}

class ConnectOperation extends AbortableOperation<void> {
  #address: SocketAddress | null = null;

  override get syscall(): string {
    return 'connect';
  }

  run(fd: number, address: SocketAddress, signal: AbortSignal): Promise<void> {
    this.#address = address;
    this.loop.start(this).connect(fd, address);
    this.watch(signal);
    return this.promise();
  }

  complete(res: number): void {
    const error = this.settle(res);
    if (error === undefined) this.resolve();
    else this.reject(error);
  }

  protected override error(res: number): UasyncError {
    return systemError(res, 'connect', this.#address!);
  }
}

/**
 * Connects a stream socket. The addresses of a name are tried in order.
 * @throws (as a rejection) ECONNREFUSED, ETIMEDOUT, ENOENT and their like, with `address` and `port` or
 * `path`; errors of the name lookup; AbortError; TypeError and RangeError for wrong options.
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  if (typeof options !== 'object' || options === null) throw argTypeError('options', 'an object', options);
  checkWait(options);
  const { path, host = 'localhost', port, timeout, signal } = options;
  if (path !== undefined && typeof path !== 'string')
    throw argTypeError('options.path', 'of type string', path);
  if (path === undefined) {
    if (port === undefined) throw argTypeError('options.port', 'of type number', port);
    checkInt('options.port', port, 0, 65535);
    if (typeof host !== 'string') throw argTypeError('options.host', 'of type string', host);
  }
  const loop = currentLoop();
  const limit = new Limit(signal, timeout);
  try {
    const addresses = path === undefined ? await limit.race(resolve(host, port!)) : [{ path }];
    return await connectFirst(loop, addresses, options, limit);
  } finally {
    limit.end();
  }
}

async function connectFirst(
  loop: Loop,
  addresses: SocketAddress[],
  options: ConnectOptions,
  limit: Limit,
): Promise<Connection> {
  let first: unknown;
  for (const address of addresses) {
    if (limit.signal.aborted) throw limit.error(address);
    try {
      return await connectTo(loop, address, options, limit);
    } catch (error) {
      if (limit.signal.aborted) throw limit.error(address);
      first ??= error;
    }
  }
  throw first;
}

async function connectTo(
  loop: Loop,
  address: SocketAddress,
  options: ConnectOptions,
  limit: Limit,
): Promise<Connection> {
  // Checked before there is a descriptor to lose.
  writeSockaddr(Buffer.alloc(SOCKADDR_MAX), 0, address);
  const domain = familyOf(address);
  const fd = libc().socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, 'connect', address);
  try {
    if (domain !== AF_UNIX && options.noDelay !== false) setIntOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    await new ConnectOperation(loop).run(fd, address, limit.signal);
  } catch (error) {
    await closeSocket(loop, fd);
    throw error instanceof AbortError ? limit.error(address) : error;
  }
  return new Connection(loop, fd);
}

/** The caller's signal and timeout as one signal. */
class Limit {
  readonly #user: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #abort = (): void => this.#controller.abort();

  constructor(signal: AbortSignal | undefined, timeout: number | undefined) {
    this.#user = signal;
    signal?.addEventListener('abort', this.#abort);
    if (timeout !== undefined) this.#timer = setTimeout(this.#abort, Math.min(timeout, 0x7fffffff));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it struck: the caller's abort, or the time. */
  error(address?: SocketAddress): UasyncError {
    if (this.#user?.aborted) return new AbortError(this.#user);
    return systemError(ETIMEDOUT, 'connect', address);
  }

  /** A promise that cannot be cancelled, but no longer waited for. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => reject(this.error()), { once: true });
      promise.then(resolve, reject);
    });
  }

  end(): void {
    this.#user?.removeEventListener('abort', this.#abort);
    clearTimeout(this.#timer);
  }
}
