import { systemError } from '../../ring/errors.js';
import { libc } from '../../ring/libc.js';
import { checkNet } from '../../ring/permission.js';
import { familyOf, type SocketAddress } from '../../ring/sockaddr.js';
import { SOCK_CLOEXEC } from '../../ring/sqe/sockets.js';

/**
 * Opens a socket, to be closed by `closeSocket`. From now on it is closed when its thread ends. socket(2)
 * @param type SOCK_STREAM or SOCK_DGRAM, possibly with SOCK_NONBLOCK.
 * @param syscall the name in errors, with `address` as the destination.
 */
export function openSocket(type: number, syscall: string, address: SocketAddress): number {
  checkNet(syscall, address);
  const fd = libc().socket(familyOf(address), type | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, syscall, address);
  return fd;
}
