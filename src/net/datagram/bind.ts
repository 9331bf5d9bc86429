/** `bind`: creates or adopts a datagram socket. */

import { closeSocket } from '../../loop/closing/close.js';
import { loop as currentLoop } from '../../loop/current.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import {
  IP_PKTINFO,
  IP_RECVTOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVPKTINFO,
  IPV6_RECVTCLASS,
  IPV6_V6ONLY,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOCK_DGRAM,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from '../../sys/abi/sockets.js';
import { checkInt, checkSignal } from '../../sys/check/check.js';
import { checkAlone, checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError, argValueError, closedError, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  familyOf,
  type InetAddress,
  type SocketAddress,
  sockaddrOf,
  type UnixAddress,
} from '../../sys/socket/sockaddr.js';
import { localAddress, remoteAddress } from '../address/addresses.js';
import { hostOf, onAnyAddress, resolve, versionOf } from '../address/resolve.js';
import { UnixName } from '../address/unix-path.js';
import { adopt, checkSocket } from '../socket/adopt.js';
import { closeOnDisconnect, clusterWorker, mayBeWorker, sharingPort } from '../socket/cluster.js';
import { openSocket } from '../socket/open-socket.js';
import { getIntOption, setOption } from '../socket/options.js';
import { claimPath, type SocketFile } from '../socket/socket-file.js';
import { DATAGRAM_MAX } from './buffers.js';
import { DatagramSocket } from './datagram-socket.js';
import type { SocketSetup } from './endpoint.js';

/** The address and the settings of a datagram socket. */
export interface BindOptions {
  /** UDP: the port; default 0: the system chooses one. */
  port?: number | undefined;
  /** UDP: a name or a numeric address; default '::', or '0.0.0.0' where there is no IPv6. */
  host?: string | undefined;
  /** UDP: the same as `host`, so that a socket's address can be passed. */
  address?: string | undefined;
  /**
   * A Unix socket instead: its path, an abstract name that begins with a NUL, or '' to let the kernel choose an
   * abstract name.
   */
  path?: string | undefined;
  /**
   * An inherited socket instead, UDP or Unix, bound or not, connected or not, for example from systemd. Unless the call
   * rejects, the DatagramSocket owns it. Closing it keeps the file of a Unix socket.
   */
  fd?: number | undefined;
  /** The family, if neither `host` nor `path` implies it; default IPv6 that accepts IPv4 too. */
  family?: 'IPv4' | 'IPv6' | 'Unix' | undefined;
  /** False does not bind the socket: the system gives it an address at the first send. Default true. */
  bound?: boolean | undefined;
  /** Lets several sockets share the address, as multicast receivers do. SO_REUSEADDR; default false. */
  reuseAddr?: boolean | undefined;
  /**
   * Lets several sockets share the port; the kernel distributes peers among them. SO_REUSEPORT; default false, and in a
   * worker of node:cluster true, unless the port is 0.
   */
  reusePort?: boolean | undefined;
  /** IPv6 only: no IPv4 on the same socket; default false. */
  ipv6Only?: boolean | undefined;
  /** Allows sending to broadcast addresses; default false. */
  broadcast?: boolean | undefined;
  /** The requested SO_RCVBUF, in bytes; default the system's. */
  recvBufferSize?: number | undefined;
  /** The requested SO_SNDBUF, in bytes; default the system's. */
  sendBufferSize?: number | undefined;
  /** How many received datagrams may queue; further ones are dropped and counted. Default 1024. */
  queueLimit?: number | undefined;
  /** The maximum number of bytes kept of a datagram, 1 to 65535; a longer one is `truncated`. Default 65535. */
  maxSize?: number | undefined;
  /** Reports each datagram's destination address and the interface that it arrived on. Default false. */
  packetInfo?: boolean | undefined;
  /** Reports each datagram's type of service and ECN bits. Default false. */
  receiveTos?: boolean | undefined;
  /** Datagrams of one sender may arrive as one, with a `segmentSize`. UDP_GRO, 5.0; default false. */
  gro?: boolean | undefined;
  /** Aborting it rejects the call with an AbortError. */
  signal?: AbortSignal | undefined;
}

const BIND_OPTIONS = optionNames<BindOptions>({
  port: true,
  host: true,
  address: true,
  path: true,
  fd: true,
  family: true,
  bound: true,
  reuseAddr: true,
  reusePort: true,
  ipv6Only: true,
  broadcast: true,
  recvBufferSize: true,
  sendBufferSize: true,
  queueLimit: true,
  maxSize: true,
  packetInfo: true,
  receiveTos: true,
  gro: true,
  signal: true,
});

const QUEUE_LIMIT = 1024;
const FAMILIES = new Map([
  ['IPv4', AF_INET],
  ['IPv6', AF_INET6],
  ['Unix', AF_UNIX],
]);

/**
 * A datagram socket, bound to an address: UDP, or Unix with `path`.
 * @throws (as a rejection) EADDRINUSE, EACCES and similar, with `address` and `port` or `path`;
 * errors of the name lookup; EBADF and ERR_INVALID_FD_TYPE for a wrong `fd`, which the caller still owns;
 * AbortError; TypeError and RangeError for wrong options.
 */
export function bind(
  options: BindOptions & ({ path: string } | { family: 'Unix' }),
): Promise<DatagramSocket<UnixAddress>>;
export function bind(
  options?: BindOptions & { path?: undefined; fd?: undefined; family?: 'IPv4' | 'IPv6' | undefined },
): Promise<DatagramSocket<InetAddress>>;
export function bind(options: BindOptions): Promise<DatagramSocket>;
export async function bind(options: BindOptions = {}): Promise<DatagramSocket> {
  checkBind(options);
  if (!mayBeWorker()) return start(options);
  const worker = await clusterWorker(currentLoop());
  if (worker === undefined) return start(options);
  const socket = await start(sharingPort(options));
  const { remains } = socket;
  remains.onClosed = closeOnDisconnect(worker, () => remains.close());
  return socket;
}

async function start(options: BindOptions): Promise<DatagramSocket> {
  const { path, family, port = 0, signal } = options;
  const host = hostOf(options);
  throwIfAborted(signal);
  if (options.fd !== undefined) return bindOn(options.fd, options);
  if (path !== undefined) {
    checkAlone(options, 'path', OF_UDP);
    return open(AF_UNIX, { path }, options);
  }
  if (host !== undefined) {
    const addresses = await resolve(host, port, { signal });
    const address = addresses.find(found => family === undefined || found.family === family);
    if (address === undefined) throw argValueError('options.host', `must have an address of ${family}`, host);
    return open(familyOf(address), address, options);
  }
  if (family === 'Unix') return open(AF_UNIX, { path: '' }, options);
  return onAnyAddress(versionOf(family), port, address => open(familyOf(address), address, options));
}

function checkBind(options: BindOptions): void {
  checkOptions(options, BIND_OPTIONS);
  checkSignal(options.signal);
  const string = (name: string, value: unknown): void => {
    if (value !== undefined && typeof value !== 'string') throw argTypeError(name, 'of type string', value);
  };
  string('options.path', options.path);
  const int = (name: string, value: number | undefined, min: number, max: number): void => {
    if (value !== undefined) checkInt(name, value, min, max);
  };
  int('options.port', options.port, 0, 65535);
  int('options.recvBufferSize', options.recvBufferSize, 1, 0x7fffffff);
  int('options.sendBufferSize', options.sendBufferSize, 1, 0x7fffffff);
  int('options.queueLimit', options.queueLimit, 1, 0x7fffffff);
  int('options.maxSize', options.maxSize, 1, DATAGRAM_MAX);
  if (options.family !== undefined && !FAMILIES.has(options.family)) {
    throw argValueError('options.family', "must be 'IPv4', 'IPv6' or 'Unix'", options.family);
  }
}

async function open(domain: number, address: SocketAddress, options: BindOptions): Promise<DatagramSocket> {
  const loop = currentLoop();
  // Checked before there is a descriptor to lose.
  const name = 'path' in address ? new UnixName(address.path, 'bind') : null;
  const sockaddr = name?.sockaddr ?? sockaddrOf(address);
  let fd = -1;
  let file: SocketFile | null = null;
  try {
    fd = openSocket(SOCK_DGRAM, 'bind', address);
    setOptions(fd, domain, options);
    const bound = options.bound !== false;
    if (bound && name !== null) file = await claimPath(name, at => libc().bind(fd, at), 'bind');
    else if (bound) bindTo(fd, address, sockaddr);
    // The loop was closed while the path was claimed.
    if (loop.closing) throw closedError('The loop');
    return new DatagramSocket(loop, fd, {
      ...setupOf(domain, options),
      ipv6Only: Boolean(options.ipv6Only),
      bound,
      peer: undefined,
      path: bound ? options.path : undefined,
      file,
    });
  } catch (error) {
    file?.remove();
    if (fd >= 0) await closeSocket(loop, fd);
    throw error;
  } finally {
    name?.close();
  }
}

/** Options with the address of a UDP socket. */
const OF_UDP = ['port', 'host', 'address'] as const;
/** Options that an adopted socket has fixed already. */
const OF_THE_SOCKET = [
  'port',
  'host',
  'address',
  'path',
  'family',
  'bound',
  'reuseAddr',
  'reusePort',
  'ipv6Only',
] as const;

/** Takes ownership of a socket. */
function bindOn(fd: number, options: BindOptions): DatagramSocket {
  checkAlone(options, 'fd', OF_THE_SOCKET);
  const domain = checkSocket(fd, SOCK_DGRAM);
  const loop = currentLoop();
  const local = localAddress(fd)!;
  return adopt(fd, () => {
    const ipv6Only = domain === AF_INET6 && getIntOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 'bind') !== 0;
    setOptions(fd, domain, { ...options, ipv6Only });
    return new DatagramSocket(loop, fd, {
      ...setupOf(domain, options),
      ipv6Only,
      bound: 'path' in local ? local.path !== '' : local.port !== 0,
      peer: remoteAddress(fd),
      path: undefined,
      file: null,
    });
  });
}

type CommonSetup = Pick<SocketSetup, 'domain' | 'queueLimit' | 'maxSize' | 'ancillary'>;

function setupOf(domain: number, options: BindOptions): CommonSetup {
  return {
    domain,
    queueLimit: options.queueLimit ?? QUEUE_LIMIT,
    maxSize: options.maxSize ?? DATAGRAM_MAX,
    ancillary: domain !== AF_UNIX && Boolean(options.packetInfo || options.receiveTos || options.gro),
  };
}

function bindTo(fd: number, address: SocketAddress, sockaddr: Uint8Array): void {
  const failed = libc().bind(fd, sockaddr);
  if (failed < 0) throw systemError(failed, 'bind', address);
}

function setOptions(fd: number, domain: number, options: BindOptions): void {
  const set = (level: number, name: number, value: number): void => setOption(fd, level, name, value, 'bind');
  if (options.recvBufferSize !== undefined) set(SOL_SOCKET, SO_RCVBUF, options.recvBufferSize);
  if (options.sendBufferSize !== undefined) set(SOL_SOCKET, SO_SNDBUF, options.sendBufferSize);
  if (domain === AF_UNIX) return;
  if (options.reuseAddr) set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reusePort) set(SOL_SOCKET, SO_REUSEPORT, 1);
  if (options.broadcast) set(SOL_SOCKET, SO_BROADCAST, 1);
  if (options.gro) set(SOL_UDP, UDP_GRO, 1);
  if (domain === AF_INET6) {
    // An adopted socket is bound, and can no longer change this.
    if (options.fd === undefined) set(IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6Only ? 1 : 0);
    if (options.packetInfo) set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (options.receiveTos) set(IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  } else if (options.packetInfo) {
    set(IPPROTO_IP, IP_PKTINFO, 1);
  }
  // IPv4 datagrams on an IPv6 socket report it with IPv4's option.
  if (options.receiveTos && !options.ipv6Only) set(IPPROTO_IP, IP_RECVTOS, 1);
}
