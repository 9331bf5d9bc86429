/** The addresses of sockets: getsockname(2), getpeername(2), and as text. */

import { libc } from '../../sys/libc/libc.js';
import { AddressBuffer } from '../../sys/socket/address-buffer.js';
import type { SocketAddress, UnixAddress } from '../../sys/socket/sockaddr.js';
import { isFilePath } from './unix-path.js';

type NameCall = (fd: number, address: Uint8Array, length: Uint32Array) => number;

function nameOf(call: NameCall, fd: number): SocketAddress | undefined {
  const name = new AddressBuffer();
  if (call(fd, name.sockaddr, name.length) < 0) return undefined;
  return name.address ?? undefined;
}

/** A socket's own address, getsockname(2). */
export function localAddress(fd: number): SocketAddress | undefined {
  return nameOf(libc().getsockname, fd);
}

/** The peer's address, getpeername(2); undefined if the peer has disconnected. */
export function remoteAddress(fd: number): SocketAddress | undefined {
  return nameOf(libc().getpeername, fd);
}

/**
 * The address of a Unix socket with the path that the caller passed: the kernel may know a long one by another name.
 */
export function givenPath(path: string | undefined): UnixAddress | undefined {
  return path !== undefined && isFilePath(path) ? { path } : undefined;
}

/** An address as text, for a message. */
export function placeOf(address: SocketAddress): string {
  if ('path' in address) return JSON.stringify(address.path);
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}
