/** The address of a peer in its cheapest form. */
import type { ErrorDetails } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { readSockaddr, SOCKADDR_MAX, type SocketAddress } from '../../sys/socket/sockaddr.js';

const bytes = Buffer.alloc(SOCKADDR_MAX);
const length = new Uint32Array(1);

/**
 * The peer's address in a string of its bytes: the cheapest form to keep for each connection. The kernel drops it when
 * the connection is reset, and an error should name the peer. '' if there is none. getpeername(2)
 */
export function peerNameOf(fd: number): string {
  length[0] = SOCKADDR_MAX;
  return libc().getpeername(fd, bytes, length) < 0 ? '' : bytes.toString('latin1', 0, length[0]);
}

/** The address in such a string; undefined for '', as the kernel names a Unix socket without a path by its family. */
export function addressOf(name: string): SocketAddress | undefined {
  if (name === '') return undefined;
  return readSockaddr(Buffer.from(name, 'latin1'), 0, name.length) ?? undefined;
}

/** The address for errors; nothing for a Unix socket without a path. */
export function detailsOf(name: string): ErrorDetails | undefined {
  const address = addressOf(name);
  return address === undefined || ('path' in address && address.path === '') ? undefined : address;
}
