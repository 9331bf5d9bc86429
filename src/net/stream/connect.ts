/** `connect`: from options to a `Connection`. */
import type { LookupFunction } from 'node:net';
import { closeSocket } from '../../loop/closing/close.js';
import { loop as currentLoop } from '../../loop/current.js';
import type { Loop } from '../../loop/loop.js';
import { traced } from '../../loop/operation/traced.js';
import { AbortableOperation, AbortError } from '../../loop/waiting/abort.js';
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { EADDRNOTAVAIL } from '../../sys/abi/errno.js';
import {
  IPPROTO_TCP,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_FASTOPEN_CONNECT,
  TCP_NODELAY,
} from '../../sys/abi/sockets.js';
import { checkInt } from '../../sys/check/check.js';
import { checkAlone, optionNames } from '../../sys/check/options.js';
import {
  argTypeError,
  argValueError,
  systemError,
  timeoutError,
  type UasyncError,
} from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { isIP, isIPv6 } from '../../sys/socket/ip.js';
import {
  type InetAddress,
  inetAddress,
  type SocketAddress,
  sockaddrOf,
  type UnixAddress,
} from '../../sys/socket/sockaddr.js';
import { givenPath, placeOf } from '../address/addresses.js';
import { firstOf, interleave } from '../address/happy-eyeballs.js';
import { checkResolve, hostOf, type IPFamily, resolve } from '../address/resolve.js';
import { checkPath, UnixName } from '../address/unix-path.js';
import { checkNoFds } from '../socket/adopt.js';
import { CallLimit } from '../socket/call-limit.js';
import { connected, notConnected } from '../socket/diagnostics.js';
import { openSocket } from '../socket/open-socket.js';
import { setOption } from '../socket/options.js';
import { Connection } from './connection.js';

/** The destination and the settings of a connection. */
export interface ConnectOptions extends WaitOptions {
  /** TCP: the port, 0 to 65535. */
  port?: number | undefined;
  /** TCP: a name or a numeric address; default 'localhost'. */
  host?: string | undefined;
  /** TCP: the same as `host`, so that a socket's address can be passed: `connect(server.address)`. */
  address?: string | undefined;
  /** TCP: only addresses of this family; default either. */
  family?: IPFamily | undefined;
  /** TCP: flags of the name lookup, such as `dns.ADDRCONFIG`; default 0. getaddrinfo(3) */
  hints?: number | undefined;
  /** TCP: looks names up instead of `dns.lookup`, with the same arguments, as in `node:net`. */
  lookup?: LookupFunction | undefined;
  /** A Unix socket instead: its path, or an abstract name that begins with a NUL. */
  path?: string | undefined;
  /** Sends small writes at once, TCP_NODELAY; default true. */
  noDelay?: boolean | undefined;
  /** TCP: the numeric address to connect from; addresses of the other family are not tried. */
  localAddress?: string | undefined;
  /** TCP: the port to connect from. */
  localPort?: number | undefined;
  /**
   * TCP: sends the first write with the SYN if the peer supports it. If it has done so before, the connection is only
   * established with the first write or read. Fast Open, tcp(7)
   */
  fastOpen?: boolean | undefined;
  /**
   * Unix sockets: accepts descriptors that the peer sends, for `recvFds`; default false, and the kernel closes them.
   * Such a connection receives with one system call per message, and does not read ahead.
   */
  receiveFds?: boolean | undefined;
}

const CONNECT_OPTIONS = optionNames<ConnectOptions>({
  port: true,
  host: true,
  address: true,
  path: true,
  family: true,
  hints: true,
  lookup: true,
  localAddress: true,
  localPort: true,
  noDelay: true,
  fastOpen: true,
  receiveFds: true,
  signal: true,
  timeout: true,
});

/** Options with the address of a TCP connection, and for its lookup. */
const OF_TCP = ['port', 'host', 'address', 'family', 'hints', 'lookup', 'localAddress', 'localPort'] as const;

class ConnectOperation extends AbortableOperation<void> {
  #address: SocketAddress | null = null;

  override get kind(): string {
    return 'Connection';
  }

  override get syscall(): string {
    return 'connect';
  }

  override get label(): string {
    return `connect to ${placeOf(this.#address!)}`;
  }

  /** @param name the address for the kernel. */
  run(fd: number, name: SocketAddress, address: SocketAddress, signal: AbortSignal): Promise<void> {
    this.#address = address;
    this.loop.start(this).connect(fd, name);
    this.watch(signal);
    return this.promise();
  }

  /** The kernel tries one to a Unix server whose backlog is full again and again, and does not find it meanwhile. */
  override onAbort(): void {
    this.loop.cancelForSure(this);
  }

  complete(res: number): void {
    this.conclude(res, undefined);
  }

  protected override error(res: number): UasyncError {
    return systemError(res, 'connect', this.#address!);
  }
}

/**
 * Connects a stream socket. If a name has several addresses, they are tried 250 ms apart, alternating IPv6 and IPv4,
 * and the first that answers wins (RFC 8305, Happy Eyeballs).
 * @throws (as a rejection) ECONNREFUSED, ETIMEDOUT, ENOENT and similar, with `address` and `port` or
 * `path`; errors of the name lookup; AbortError; TypeError and RangeError for wrong options.
 */
export function connect(options: ConnectOptions & { path: string }): Promise<Connection<UnixAddress>>;
export function connect(options: ConnectOptions & { path?: undefined }): Promise<Connection<InetAddress>>;
export function connect(options: ConnectOptions): Promise<Connection>;
export async function connect(options: ConnectOptions): Promise<Connection> {
  if (options === undefined) throw argTypeError('options', 'an object', options);
  checkWait(options, CONNECT_OPTIONS);
  const { path, port, timeout, signal } = options;
  if (path !== undefined && typeof path !== 'string')
    throw argTypeError('options.path', 'of type string', path);
  if (path !== undefined) {
    checkAlone(options, 'path', OF_TCP);
    checkPath(path);
  } else {
    checkNoFds(options);
    if (port === undefined) throw argTypeError('options.port', 'of type number', port);
    checkInt('options.port', port, 0, 65535);
    hostOf(options);
    checkResolve(options);
  }
  checkLocal(options);
  const loop = currentLoop();
  const limit = new ConnectLimit({ signal, timeout });
  let tried: InetAddress | undefined;
  try {
    if (path !== undefined) return await connectToPath(loop, path, options, limit);
    const { family, hints, lookup } = options;
    const host = hostOf(options) ?? 'localhost';
    const found = await resolve(host, port!, { family, hints, lookup, signal: limit.signal });
    const addresses = interleave(found.filter(address => isReachable(address, options)));
    tried = addresses[0];
    if (tried === undefined) throw systemError(EADDRNOTAVAIL, 'connect', found[0]);
    return await firstOf(
      addresses,
      (address, signal) => connectTo(loop, address, address, options, limit, signal),
      late => late.reset(),
    );
  } catch (error) {
    // Another address may have failed for another reason before the timeout.
    const failure =
      limit.cut || error instanceof AbortError
        ? limit.error(tried ?? (path === undefined ? undefined : { path }))
        : error;
    notConnected(failure);
    throw traced(failure);
  } finally {
    limit.end();
  }
}

function checkLocal({ localAddress, localPort }: ConnectOptions): void {
  checkInt('options.localPort', localPort ?? 0, 0, 65535);
  if (localAddress === undefined) return;
  if (typeof localAddress !== 'string') {
    throw argTypeError('options.localAddress', 'of type string', localAddress);
  }
  if (isIP(localAddress) === 0) {
    throw argValueError('options.localAddress', 'must be a numeric address', localAddress);
  }
}

/** Whether an address has the family of `localAddress`. */
function isReachable({ family }: InetAddress, { localAddress }: ConnectOptions): boolean {
  return localAddress === undefined || (family === 'IPv6') === isIPv6(localAddress);
}

async function connectToPath(
  loop: Loop,
  path: string,
  options: ConnectOptions,
  limit: ConnectLimit,
): Promise<Connection> {
  const name = new UnixName(path, 'connect');
  try {
    const connection = await connectTo(loop, { path }, name.address, options, limit, limit.signal);
    const address = givenPath(path);
    if (address !== undefined) connection.setRemoteAddress(address);
    if (options.receiveFds) connection.remains.receiveFds();
    return connection;
  } finally {
    name.close();
  }
}

/** @param name the address for the kernel. */
async function connectTo(
  loop: Loop,
  address: SocketAddress,
  name: SocketAddress,
  options: ConnectOptions,
  limit: ConnectLimit,
  signal: AbortSignal,
): Promise<Connection> {
  // Checked before there is a descriptor to lose.
  sockaddrOf(name);
  const both = signal === limit.signal ? signal : AbortSignal.any([signal, limit.signal]);
  if (both.aborted) throw limit.error(address);
  const fd = openSocket(SOCK_STREAM, 'connect', address);
  let connection: Connection;
  try {
    if (!('path' in address)) prepare(fd, options, address);
    await new ConnectOperation(loop).run(fd, name, address, both);
    // There may be no memory for its buffers, or no loop any more.
    connection = new Connection(loop, fd);
  } catch (error) {
    await closeSocket(loop, fd);
    throw error instanceof AbortError ? limit.error(address) : error;
  }
  connection.remains.direction = '->';
  connected(connection, address);
  if (options.fastOpen) connection.remains.sender.deferred = true;
  return connection;
}

function prepare(fd: number, options: ConnectOptions, { family }: InetAddress): void {
  if (options.noDelay !== false) setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.fastOpen) setOption(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  const { localAddress = family === 'IPv6' ? '::' : '0.0.0.0', localPort = 0 } = options;
  if (options.localAddress === undefined && localPort === 0) return;
  const local = inetAddress(localAddress, localPort);
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const failed = libc().bind(fd, sockaddrOf(local));
  if (failed < 0) throw systemError(failed, 'bind', local);
}

/** Combines the caller's signal and timeout into one signal. */
class ConnectLimit extends CallLimit {
  /** Whether it has ended an attempt, and not the attempt itself. */
  cut = false;
  readonly #controller = new AbortController();

  override onAbort(): void {
    this.#controller.abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The reason: the caller's abort, or the timeout. */
  error(address?: SocketAddress): UasyncError {
    this.cut = true;
    return this.reason('connect', address) ?? timeoutError('connect', address);
  }
}
