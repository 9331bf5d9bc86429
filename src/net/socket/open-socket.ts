import { SOCK_CLOEXEC } from '../../sys/abi/sockets.js';
import { checkNet } from '../../sys/check/permission.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { familyOf, type SocketAddress } from '../../sys/socket/sockaddr.js';

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
