/** The kernel's count of the datagrams that it has dropped: SO_MEMINFO, socket(7). */

import { SO_MEMINFO, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { libc } from '../../sys/libc/libc.js';

/** SK_MEMINFO_DROPS of linux/sock_diag.h */
const MEMINFO_DROPS = 8;

/** How many datagrams the kernel has dropped for lack of room: the value of SO_RXQ_OVFL, on request only. 4.12 */
export function kernelDrops(fd: number): number {
  const words = new Uint32Array(MEMINFO_DROPS + 1);
  const bytes = new Uint8Array(words.buffer);
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, bytes, new Uint32Array([bytes.length]));
  return failed < 0 ? 0 : words[MEMINFO_DROPS]!;
}
