/** uasync/ring: io_uring itself, with liburing's names. */
export * from './abi.js';
export { BufRing, type BufRingOptions } from './buf-ring.js';
export type { Cqe } from './cqe.js';
export { UasyncError } from './errors.js';
export { type Probe, probe } from './probe.js';
export { Ring } from './ring.js';
export type { RingOptions } from './setup.js';
export {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  type InetAddress,
  inetAddress,
  type SocketAddress,
  type UnixAddress,
} from './sockaddr.js';
export {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from './sqe/files.js';
export type { Sqe } from './sqe/index.js';
export {
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from './sqe/sockets.js';
export { STATX } from './structs.js';
