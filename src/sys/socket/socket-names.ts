import { checkFd } from '../check/check.js';
import { systemError } from '../errors/errors.js';
import { libc } from '../libc/libc.js';
import { AddressBuffer } from './address-buffer.js';
import type { SocketAddress } from './sockaddr.js';

function nameOf(call: 'getsockname' | 'getpeername', fd: number): SocketAddress | null {
  const into = new AddressBuffer();
  const failed = libc()[call](checkFd(fd), into.sockaddr, into.length);
  if (failed < 0) throw systemError(failed, call);
  return into.address;
}

/** A socket's own address, by a separate system call; null for families other than IP and Unix. getsockname(2) */
export function getsockname(fd: number): SocketAddress | null {
  return nameOf('getsockname', fd);
}

/** The address of a socket's peer, by a separate system call. getpeername(2) @throws UasyncError ENOTCONN */
export function getpeername(fd: number): SocketAddress | null {
  return nameOf('getpeername', fd);
}
