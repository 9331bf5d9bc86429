/** Socket options of datagrams, beside those of `options.ts`. */
import { libc } from '../ring/libc.js';
import { SOL_SOCKET } from './options.js';

// In Linux's numbers, the same on x64 and arm64
export const SO_BROADCAST = 6;
export const SO_MEMINFO = 55;
export const IP_TTL = 2;
export const IP_PKTINFO = 8;
export const IP_RECVTOS = 13;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_DROP_MEMBERSHIP = 36;
export const IP_ADD_SOURCE_MEMBERSHIP = 39;
export const IP_DROP_SOURCE_MEMBERSHIP = 40;
export const MCAST_JOIN_SOURCE_GROUP = 46;
export const MCAST_LEAVE_SOURCE_GROUP = 47;
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_IF = 17;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_JOIN_GROUP = 20;
export const IPV6_LEAVE_GROUP = 21;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_RECVTCLASS = 66;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103; // 4.18
export const UDP_GRO = 104; // 5.0

/** SK_MEMINFO_DROPS of linux/sock_diag.h */
const MEMINFO_DROPS = 8;

/** How many datagrams the kernel has dropped for want of room: what SO_RXQ_OVFL says, but only when asked. 4.12 */
export function kernelDrops(fd: number): number {
  const words = new Uint32Array(MEMINFO_DROPS + 1);
  const bytes = new Uint8Array(words.buffer);
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, bytes, new Uint32Array([bytes.length]));
  return failed < 0 ? 0 : words[MEMINFO_DROPS]!;
}
