import { systemError } from '../../ring/errors.js';
import { libc } from '../../ring/libc.js';
import { checkNet } from '../../ring/permission.js';
import { familyOf, type SocketAddress } from '../../ring/sockaddr.js';
import { SOCK_CLOEXEC } from '../../ring/sqe/sockets.js';

/**
 * The descriptor of a new socket, to be closed by `closeSocket`; it goes with its thread from now on.
 * socket(2)
 * @param type SOCK_STREAM or SOCK_DGRAM, with SOCK_NONBLOCK if need be.
 * @param syscall the name in errors, with `address` as the destination.
 */
export function openSocket(type: number, syscall: string, address: SocketAddress): number {
  checkNet(syscall, address);
  const fd = libc().socket(familyOf(address), type | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, syscall, address);
  return fd;
}
