/** `listen`: makes or adopts a listening socket. */
import { isMainThread } from 'node:worker_threads';
import { throwIfAborted } from '../../loop/abort.js';
import { closeSocket } from '../../loop/close.js';
import { loop as currentLoop } from '../../loop/current.js';
import type { Loop } from '../../loop/loop.js';
import { checkInt, checkSignal } from '../../ring/check.js';
import { argTypeError, systemError } from '../../ring/errors.js';
import { libc } from '../../ring/libc.js';
import { checkAlone, checkOptions, optionNames } from '../../ring/options.js';
import {
  AF_INET6,
  AF_UNIX,
  familyOf,
  type InetAddress,
  sockaddrOf,
  type UnixAddress,
} from '../../ring/sockaddr.js';
import {
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  TCP_FASTOPEN,
  TCP_NODELAY,
} from '../../ring/socket-abi.js';
import { SOCK_NONBLOCK, SOCK_STREAM } from '../../ring/sqe/sockets.js';
import { localAddress } from '../address/addresses.js';
import { hostOf, type IPFamily, onAnyAddress, resolve, versionOf } from '../address/resolve.js';
import { UnixName } from '../address/unix-path.js';
import { adopt, checkNoFds, checkSocket, isListening } from '../socket/adopt.js';
import { closeOnDisconnect, clusterWorker, mayBeWorker, sharingPort } from '../socket/cluster.js';
import { openSocket } from '../socket/open-socket.js';
import { setOption } from '../socket/options.js';
import { claimPath, type SocketFile } from '../socket/socket-file.js';
import { Listener } from './listener.js';

/** Where and how to listen. */
export interface ListenOptions {
  /** TCP: the port, 0 to 65535; with 0 the system chooses one. */
  port?: number | undefined;
  /** TCP: a name or a numeric address; default '::', or '0.0.0.0' where there is no IPv6. */
  host?: string | undefined;
  /** TCP: the same as `host`, so that a socket's address can be passed. */
  address?: string | undefined;
  /** TCP: only an address of this family; without a host it listens for that alone. Default either. */
  family?: IPFamily | undefined;
  /** A Unix socket instead: its path, or an abstract name that begins with a NUL. */
  path?: string | undefined;
  /**
   * An inherited socket instead, TCP or Unix: bound, and perhaps listening, for example from systemd. The
   * listener owns it unless the call rejects. The file of a Unix socket stays when the listener closes.
   */
  fd?: number | undefined;
  /** How many connections may wait to be accepted; default 511, bounded by net.core.somaxconn. */
  backlog?: number | undefined;
  /**
   * Lets several sockets share the port, the kernel spreading connections among them; default false, and in a
   * worker of node:cluster true, unless the port is 0.
   */
  reusePort?: boolean | undefined;
  /** IPv6: refuses IPv4 connections on the same socket; default false. */
  ipv6Only?: boolean | undefined;
  /** Connections send small writes at once, TCP_NODELAY; default true. */
  noDelay?: boolean | undefined;
  /** The most connections at a time; further ones wait in the backlog. Default no limit. */
  maxConnections?: number | undefined;
  /** TCP: how many connections may bring data with their SYN and wait; default none. Fast Open, tcp(7) */
  fastOpen?: number | undefined;
  /**
   * Unix sockets: connections take descriptors that peers send, for `recvFds`; default false, and the kernel
   * closes them. Such a connection receives by one system call for each message, and nothing ahead.
   */
  receiveFds?: boolean | undefined;
  /** Aborting it rejects the call with an AbortError; an existing listener continues. */
  signal?: AbortSignal | undefined;
}

const LISTEN_OPTIONS = optionNames<ListenOptions>({
  port: true,
  host: true,
  address: true,
  family: true,
  path: true,
  fd: true,
  backlog: true,
  reusePort: true,
  ipv6Only: true,
  noDelay: true,
  maxConnections: true,
  fastOpen: true,
  receiveFds: true,
  signal: true,
});

/**
 * Listens for stream connections.
 * @throws (as a rejection) EADDRINUSE, EACCES and similar, with `address` and `port` or `path`; errors
 * of the name lookup; EBADF and ERR_INVALID_FD_TYPE for a wrong `fd`, which the caller still owns; AbortError;
 * TypeError and RangeError for wrong options.
 */
export function listen(options: ListenOptions & { path: string }): Promise<Listener<UnixAddress>>;
export function listen(
  options: ListenOptions & { path?: undefined; fd?: undefined },
): Promise<Listener<InetAddress>>;
export function listen(options: ListenOptions): Promise<Listener>;
export async function listen(options: ListenOptions): Promise<Listener> {
  checkOptions(options, LISTEN_OPTIONS);
  if (!mayBeWorker()) return start(options);
  const worker = await clusterWorker(currentLoop());
  if (worker === undefined) return start(options);
  const listener = await start(sharingPort(options));
  const { remains } = listener;
  remains.onClosed = closeOnDisconnect(worker, () => remains.close());
  return listener;
}

async function start(options: ListenOptions): Promise<Listener> {
  const backlog = checkSizes(options);
  if (options.fd !== undefined) return listenOn(options.fd, options, backlog);
  if (options.path !== undefined) {
    if (typeof options.path !== 'string') throw argTypeError('options.path', 'of type string', options.path);
    checkAlone(options, 'path', OF_TCP);
    return openPath(options.path, options, backlog);
  }
  checkPort(options);
  const fd = await openPort(options, backlog);
  const loop = currentLoop();
  try {
    return new Listener(loop, fd, { maxConnections: options.maxConnections });
  } catch (error) {
    await closeSocket(loop, fd);
    throw error;
  }
}

/** Checks what all kinds have in common; returns the backlog. */
function checkSizes(options: ListenOptions): number {
  const backlog = checkInt('options.backlog', options.backlog ?? 511, 0, 0x7fffffff);
  checkInt('options.maxConnections', options.maxConnections ?? 1, 1, 0x7fffffff);
  throwIfAborted(checkSignal(options.signal));
  checkInt('options.fastOpen', options.fastOpen ?? 0, 0, 0x7fffffff);
  return backlog;
}

function checkPort(options: ListenOptions): void {
  checkNoFds(options);
  const { port } = options;
  if (port === undefined) throw argTypeError('options.port', 'of type number', port);
  checkInt('options.port', port, 0, 65535);
  versionOf(options.family);
  hostOf(options);
}

/** @internal Checks the options of TCP; returns the backlog. */
export function checkListen(options: ListenOptions): number {
  checkOptions(options, LISTEN_OPTIONS);
  const backlog = checkSizes(options);
  checkPort(options);
  return backlog;
}

/** @internal A TCP socket that listens, which accepts no connections yet. The options have been checked. */
export async function openPort(options: ListenOptions, backlog: number): Promise<number> {
  const { family, signal } = options;
  const port = options.port!;
  const host = hostOf(options);
  if (host !== undefined) {
    const [address] = await resolve(host, port, { signal, family });
    return open(address!, options, backlog);
  }
  return onAnyAddress(versionOf(family), port, address => open(address, options, backlog));
}

/** What says where a TCP socket listens. */
const OF_TCP = ['port', 'host', 'address'] as const;
/** What an adopted socket has settled already. */
const OF_THE_SOCKET = ['port', 'host', 'address', 'family', 'path', 'reusePort', 'ipv6Only'] as const;

/** Takes over a socket. */
function listenOn(fd: number, options: ListenOptions, backlog: number): Listener {
  checkAlone(options, 'fd', OF_THE_SOCKET);
  const domain = checkSocket(fd, SOCK_STREAM);
  if (domain !== AF_UNIX) checkNoFds(options);
  const loop = currentLoop();
  if (options.backlog !== undefined || !isListening(fd)) {
    const failed = libc().listen(fd, backlog);
    if (failed < 0) throw systemError(failed, 'listen', localAddress(fd));
  }
  return adopt(fd, () => {
    if (domain !== AF_UNIX) setConnectionOptions(fd, options);
    const { maxConnections, receiveFds } = options;
    return new Listener(loop, fd, { maxConnections, receiveFds });
  });
}

async function openPath(path: string, options: ListenOptions, backlog: number): Promise<Listener> {
  const loop = currentLoop();
  // Checked before there is a descriptor to lose.
  const name = new UnixName(path, 'listen');
  let fd = -1;
  let file: SocketFile | null = null;
  try {
    fd = openSocket(SOCK_STREAM, 'listen', { path });
    const bindAndListen = (sockaddr: Uint8Array): number => {
      const failed = libc().bind(fd, sockaddr);
      return failed < 0 ? failed : libc().listen(fd, backlog);
    };
    file = await claimPath(name, bindAndListen, 'listen');
    const { maxConnections, receiveFds } = options;
    return new Listener(loop, fd, { file, path, maxConnections, receiveFds });
  } catch (error) {
    file?.remove();
    if (fd >= 0) await closeSocket(loop, fd);
    throw error;
  } finally {
    name.close();
  }
}

async function open(address: InetAddress, options: ListenOptions, backlog: number): Promise<number> {
  const loop = currentLoop();
  const domain = familyOf(address);
  // Checked before there is a descriptor to lose.
  const sockaddr = sockaddrOf(address);
  // See Acceptor.
  const fd = openSocket(isMainThread ? SOCK_STREAM : SOCK_STREAM | SOCK_NONBLOCK, 'listen', address);
  try {
    setTcpOptions(fd, domain, options);
    await bindAndListen(loop, fd, address, sockaddr, backlog);
    return fd;
  } catch (error) {
    await closeSocket(loop, fd);
    throw error;
  }
}

function setTcpOptions(fd: number, domain: number, options: ListenOptions): void {
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reusePort) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (domain === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
  setConnectionOptions(fd, options);
}

/** Accepted sockets inherit them. */
function setConnectionOptions(fd: number, options: ListenOptions): void {
  if (options.noDelay !== false) setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.fastOpen) setOption(fd, IPPROTO_TCP, TCP_FASTOPEN, options.fastOpen);
}

/** By operations where the kernel has them (6.11), else by system calls. */
async function bindAndListen(
  loop: Loop,
  fd: number,
  address: InetAddress,
  sockaddr: Buffer,
  backlog: number,
): Promise<void> {
  let failed = 0;
  if (loop.supports('bind') && loop.supports('listen') && loop.canChain(2)) {
    // Cut, the chain would listen before it is bound.
    loop.reserve(2);
    const bound = loop.submit(sqe => sqe.bind(fd, address).link());
    const listening = loop.submit(sqe => sqe.listen(fd, backlog));
    for (const result of await Promise.allSettled([bound, listening])) {
      if (result.status === 'fulfilled') continue;
      // Not the kernel's: the loop was closed.
      if (result.reason.errno === undefined) throw result.reason;
      failed = result.reason.errno;
      break;
    }
  } else {
    failed = libc().bind(fd, sockaddr);
    if (failed >= 0) failed = libc().listen(fd, backlog);
  }
  if (failed < 0) throw systemError(failed, 'listen', address);
}
