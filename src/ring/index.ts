/** uasync/ring: io_uring itself, with liburing's names. */
export * from './abi.js';
export { pinnedAddressOf as addressOf } from './address.js';
export { AddressBuffer } from './address-buffer.js';
export { BufRing, type BufRingOptions } from './buf-ring.js';
export type { Cqe, CqeSink } from './cqe.js';
export { UasyncError } from './errors.js';
export { eventfd } from './eventfd.js';
export * from './flags.js';
export { Message, type MessageOptions, MSG_CMSG_CLOEXEC, type ReceivedMessage } from './message.js';
export { type Probe, probe, type Query, query } from './probe.js';
export type { Restriction } from './registrations.js';
export { Ring } from './ring.js';
export { sendMessage } from './send-message.js';
export type { RingOptions } from './setup.js';
export { Slots } from './slots.js';
export {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  type InetAddress,
  inetAddress,
  type SocketAddress,
  type UnixAddress,
} from './sockaddr.js';
export { getpeername, getsockname } from './socket-names.js';
export type { Data, InPlace } from './sqe/core.js';
export type { Sqe } from './sqe/index.js';
export {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  type OpenHow,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_DIOALIGN,
} from './sqe/paths.js';
export type { RawEntry } from './sqe/raw.js';
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
export { STATX } from './structs.js';
export type { SyncCancelTarget } from './sync-cancel.js';
export { WaitRegion } from './wait-region.js';
