/** Sockets that come from elsewhere: inherited from a parent, or received over a Unix socket. */

import { disown, own } from '../../loop/closing/owned-descriptors.js';
import { ENOTSOCK } from '../../sys/abi/errno.js';
import {
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../sys/abi/sockets.js';
import { checkFd } from '../../sys/check/check.js';
import { argValueError, type UasyncError, withCode } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { AF_INET, AF_INET6, AF_UNIX } from '../../sys/socket/sockaddr.js';
import { getIntOption } from './options.js';

const KINDS = new Map([
  [SOCK_STREAM, 'stream'],
  [SOCK_DGRAM, 'datagram'],
]);
const DOMAINS = new Set([AF_UNIX, AF_INET, AF_INET6]);

/** Node's error for a descriptor of the wrong kind. */
function kindError(found: string, expected: string): TypeError {
  return withCode(new TypeError(`Unsupported fd type: ${found}, not ${expected}`), 'ERR_INVALID_FD_TYPE');
}

/**
 * Checks that a descriptor is a socket of this type, TCP, UDP or Unix; returns its AF.
 * @param type SOCK_STREAM or SOCK_DGRAM.
 * @throws UasyncError EBADF; TypeError ERR_INVALID_FD_TYPE, or another for a wrong `fd`.
 */
export function checkSocket(fd: number, type: number): number {
  checkFd(fd);
  const expected = `a ${KINDS.get(type)} socket`;
  let found: number;
  try {
    found = getIntOption(fd, SOL_SOCKET, SO_TYPE);
  } catch (error) {
    if ((error as UasyncError).errno !== ENOTSOCK) throw error;
    throw kindError('no socket', expected);
  }
  if (found !== type) throw kindError(`a ${KINDS.get(found) ?? 'different'} socket`, expected);
  const domain = getIntOption(fd, SOL_SOCKET, SO_DOMAIN);
  if (!DOMAINS.has(domain)) throw kindError(`a socket of family ${domain}`, expected);
  return domain;
}

/** Whether a stream socket is a listener. */
export function isListening(fd: number): boolean {
  return getIntOption(fd, SOL_SOCKET, SO_ACCEPTCONN) !== 0;
}

/** Throws if a stream socket is a listener. */
export function checkNotListening(fd: number): void {
  if (isListening(fd)) throw kindError('a listening socket', 'a connection');
}

/**
 * Takes ownership of a descriptor: later child processes do not inherit it, and it is closed when its thread ends. If
 * `use` throws, it belongs to the caller again.
 */
export function adopt<T>(fd: number, use: () => T): T {
  libc().setCloseOnExec(fd);
  own(fd);
  try {
    return use();
  } catch (error) {
    disown(fd);
    throw error;
  }
}

/** Only Unix sockets carry descriptors. */
export function checkNoFds({ receiveFds }: { receiveFds?: boolean | undefined }): void {
  if (receiveFds) throw argValueError('options.receiveFds', 'is for Unix sockets only', receiveFds);
}
