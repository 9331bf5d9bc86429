/** uasync/ring: io_uring itself, with liburing's names. */

export * from '../sys/abi/flags.js';
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
} from '../sys/abi/sockets.js';
export { STATX } from '../sys/abi/structs.js';
export { UasyncError } from '../sys/errors/errors.js';
export { eventfd } from '../sys/libc/eventfd.js';
export { pinnedAddressOf as addressOf } from '../sys/memory/address.js';
export { AddressBuffer } from '../sys/socket/address-buffer.js';
export {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  type InetAddress,
  inetAddress,
  type SocketAddress,
  type UnixAddress,
} from '../sys/socket/sockaddr.js';
export { getpeername, getsockname } from '../sys/socket/socket-names.js';
export * from './abi/io-uring.js';
export type { Cqe, CqeSink } from './queue/cqe.js';
export { Slots } from './queue/slots.js';
export { BufRing, type BufRingOptions } from './registered/buf-ring.js';
export type { Restriction } from './registered/registrations.js';
export type { SyncCancelTarget } from './registered/sync-cancel.js';
export { WaitRegion } from './registered/wait-region.js';
export { Ring } from './ring.js';
export { type Probe, probe, type Query, query } from './setup/probe.js';
export type { RingOptions } from './setup/setup.js';
export type { Data, InPlace } from './sqe/core.js';
export type { Sqe } from './sqe/index.js';
export { Message, type MessageOptions, MSG_CMSG_CLOEXEC, type ReceivedMessage } from './sqe/message.js';
export type { OpenHow } from './sqe/paths.js';
export type { RawEntry } from './sqe/raw.js';
export { sendMessage } from './sqe/send-message.js';
export {
  FUTEX2_PRIVATE,
  FUTEX2_SIZE_U32,
  type FutexWaiter,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  SIGINFO_SIZE,
  WEXITED,
  WNOHANG,
} from './sqe/system.js';
