/** Creates or adopts listening sockets, and passes them to the code that accepts their connections. */
import type { Worker } from 'node:cluster';
import { closeSocket } from '../../loop/closing/close.js';
import { loop as currentLoop } from '../../loop/current.js';
import type { Loop } from '../../loop/loop.js';
import {
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_FASTOPEN,
  TCP_NODELAY,
} from '../../sys/abi/sockets.js';
import { checkAlone } from '../../sys/check/options.js';
import { argTypeError, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { isMainThread } from '../../sys/main-thread.js';
import { AF_INET6, AF_UNIX, familyOf, type InetAddress, sockaddrOf } from '../../sys/socket/sockaddr.js';
import { localAddress } from '../address/addresses.js';
import { hostOf, onAnyAddress, resolve, versionOf } from '../address/resolve.js';
import { checkPath, UnixName } from '../address/unix-path.js';
import { adopt, checkNoFds, checkSocket, isListening } from '../socket/adopt.js';
import { clusterWorker, mayBeWorker, sharingPort } from '../socket/cluster.js';
import { openSocket } from '../socket/open-socket.js';
import { setOption } from '../socket/options.js';
import { claimPath, type SocketFile } from '../socket/socket-file.js';
import { checkPort, checkSizes, type ListenOptions } from './options.js';

/** A listening socket, before its connections are accepted. */
export interface ListeningSocket {
  /** The loop it was created for. */
  readonly loop: Loop;
  readonly fd: number;
  /** A Unix socket's path, as the caller passed it. */
  readonly path?: string;
  /** The socket file, to be removed before the socket is closed. */
  readonly file?: SocketFile | null;
}

/**
 * Takes ownership of a socket. @param worker this process as a worker of node:cluster, which closes its sockets when it
 * is disconnected.
 */
type Use<T> = (socket: ListeningSocket, worker: Worker | undefined) => T;

/**
 * Creates or adopts a socket according to the options, and passes it to `use`. If that throws, the socket is closed, or
 * belongs to the caller again.
 * @throws (as a rejection) as `listen`, except for unknown options.
 */
export async function openListening<T>(options: ListenOptions, use: Use<T>): Promise<T> {
  if (!mayBeWorker()) return open(options, use, undefined);
  const worker = await clusterWorker(currentLoop());
  return open(worker === undefined ? options : sharingPort(options), use, worker);
}

async function open<T>(options: ListenOptions, use: Use<T>, worker: Worker | undefined): Promise<T> {
  const backlog = checkSizes(options);
  if (options.fd !== undefined) {
    const { fd } = options;
    return inherit(fd, options, backlog, loop => use({ loop, fd }, worker));
  }
  if (options.path !== undefined) {
    if (typeof options.path !== 'string') throw argTypeError('options.path', 'of type string', options.path);
    checkAlone(options, 'path', OF_TCP);
    checkPath(options.path);
    return openPath(options.path, backlog, socket => use(socket, worker));
  }
  checkPort(options);
  const fd = await openPort(options, backlog);
  const loop = currentLoop();
  try {
    return use({ loop, fd }, worker);
  } catch (error) {
    await closeSocket(loop, fd);
    throw error;
  }
}

/** @internal A listening TCP socket, before its connections are accepted. The options are checked. */
export async function openPort(options: ListenOptions, backlog: number): Promise<number> {
  const { family, signal } = options;
  const port = options.port!;
  const host = hostOf(options);
  if (host !== undefined) {
    const [address] = await resolve(host, port, { signal, family });
    return openAt(address!, options, backlog);
  }
  return onAnyAddress(versionOf(family), port, address => openAt(address, options, backlog));
}

/** Options with the address of a TCP listener. */
const OF_TCP = ['port', 'host', 'address'] as const;
/** Options that an adopted socket has fixed already. */
const OF_THE_SOCKET = ['port', 'host', 'address', 'family', 'path', 'reusePort', 'ipv6Only'] as const;

/** Takes ownership of a socket. */
function inherit<T>(fd: number, options: ListenOptions, backlog: number, use: (loop: Loop) => T): T {
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
    return use(loop);
  });
}

async function openPath<T>(path: string, backlog: number, use: (socket: ListeningSocket) => T): Promise<T> {
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
    return use({ loop, fd, path, file });
  } catch (error) {
    file?.remove();
    if (fd >= 0) await closeSocket(loop, fd);
    throw error;
  } finally {
    name.close();
  }
}

async function openAt(address: InetAddress, options: ListenOptions, backlog: number): Promise<number> {
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

/** Uses operations if the kernel has them (6.11), else system calls. A socket that is not bound must not listen. */
async function bindAndListen(
  loop: Loop,
  fd: number,
  address: InetAddress,
  sockaddr: Buffer,
  backlog: number,
): Promise<void> {
  let failed = 0;
  if (loop.supports('bind') && loop.supports('listen')) {
    try {
      await loop.submit(sqe => sqe.bind(fd, address));
      await loop.submit(sqe => sqe.listen(fd, backlog));
    } catch (error) {
      // Not an error of the kernel: the loop was closed.
      if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
      failed = (error as NodeJS.ErrnoException).errno!;
    }
  } else {
    failed = libc().bind(fd, sockaddr);
    if (failed >= 0) failed = libc().listen(fd, backlog);
  }
  if (failed < 0) throw systemError(failed, 'listen', address);
}
