/** Socket options of UDP, IP and IPv6, by setsockopt(2). */
import { systemError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';
import { SOL_SOCKET } from './options.js';

// In Linux's numbers, the same on x64 and arm64
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_MEMINFO = 55;
export const IPPROTO_IP = 0;
export const IP_TOS = 1;
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
export const IPV6_TCLASS = 67;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103; // 4.18
export const UDP_GRO = 104; // 5.0

/** What an option holds: an int, or a struct's bytes. */
export type OptionValue = number | Uint8Array;

/** Sets an option; an error names `syscall`. */
export function setSocketOption(
  fd: number,
  level: number,
  name: number,
  value: OptionValue,
  syscall: string,
): void {
  let bytes = value;
  if (typeof bytes === 'number') {
    const int = Buffer.alloc(4);
    int.writeInt32LE(bytes);
    bytes = int;
  }
  const failed = libc().setsockopt(fd, level, name, bytes);
  if (failed < 0) throw systemError(failed, syscall);
}

/** Reads an option of type int. */
export function getIntOption(fd: number, level: number, name: number, syscall: string): number {
  const bytes = Buffer.alloc(4);
  const failed = libc().getsockopt(fd, level, name, bytes, new Uint32Array([4]));
  if (failed < 0) throw systemError(failed, syscall);
  return bytes.readInt32LE(0);
}

/** SK_MEMINFO_DROPS of linux/sock_diag.h */
const MEMINFO_DROPS = 8;

/** How many datagrams the kernel has dropped for want of room: what SO_RXQ_OVFL says, but only when asked. 4.12 */
export function kernelDrops(fd: number): number {
  const words = new Uint32Array(MEMINFO_DROPS + 1);
  const bytes = new Uint8Array(words.buffer);
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, bytes, new Uint32Array([bytes.length]));
  return failed < 0 ? 0 : words[MEMINFO_DROPS]!;
}
