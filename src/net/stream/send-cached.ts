/** The part of `Connection.sendFile` that needs no copy: cached bytes go from the page cache to the socket. */
import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EBADF, EINTR, EINVAL, EIO, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM } from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import { TEXT_MAX } from '../../sys/calls/socket-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import type { Endpoint } from './endpoint.js';

/** How much is sent at a time. On the loopback it takes 150 us. */
const PIECE = 1024 * 1024;
const { S_IFMT, S_IFREG } = constants;

/** The socket takes no more. */
export const FULL = -1;
/** This turn has had its share. */
export const LATER = -2;
/** The bytes must be read first, or there are none. */
export const UNCACHED = -3;

/** Errors of the file, which a read meets again, and of a kernel without such a call. Others are the socket's. */
const OF_FILE: ReadonlySet<number> = new Set([EBADF, EINTR, EINVAL, EIO, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM]);

/** The size of a regular file, 0 for others. */
export function sizeOf({ calls }: Loop, file: number): number {
  if (calls.statFd(file) !== 0) return 0;
  const { statx } = calls;
  const isRegular = (statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFREG;
  return isRegular ? statx[STATX.stx_size / 4]! + statx[STATX.stx_size / 4 + 1]! * 2 ** 32 : 0;
}

/**
 * Sends up to `length` cached bytes at once; returns how many the socket took, at least 1, or one of the above.
 * @throws the error of the socket, which it reports only once.
 */
export function sendCached(loop: Loop, socket: number, file: number, offset: number, length: number): number {
  const { inline, socketCalls } = loop;
  const piece = Math.min(length, PIECE);
  if (piece <= 0 || !inline.enabled) return UNCACHED;
  if (!inline.take(piece)) return inline.spent ? LATER : UNCACHED;
  // A page that is not cached would stop this thread until the disk has answered.
  if (!socketCalls.isCached(file, offset, piece)) return UNCACHED;
  const sent = socketCalls.sendFile(socket, file, offset, piece);
  if (sent > 0) return sent;
  if (sent === EAGAIN) return FULL;
  if (sent === 0 || OF_FILE.has(sent)) return UNCACHED;
  throw systemError(sent, 'send');
}

/**
 * Sends text and the cached bytes of a file behind it, at once and in the same packets, if nothing else is being sent.
 * Returns how many bytes of the file the socket took, or -1 if nothing was sent.
 */
export function sendWithHead(
  { loop, sender, fd: socket }: Endpoint,
  head: string,
  file: number,
  offset: number,
  length: number,
): number {
  const { inline, socketCalls } = loop;
  const isPlain = sender.idle && !sender.ended && !sender.deferred && sender.error === null && !loop.closing;
  const piece = Math.min(length, PIECE);
  if (!isPlain || !inline.enabled || head.length > TEXT_MAX || !socketCalls.isCached(file, offset, piece))
    return -1;
  const sent = socketCalls.sendText(socket, head, true);
  if (sent === EAGAIN || sent === EINTR) return -1;
  try {
    if (sent < 0) throw systemError(sent, 'write');
    sender.bytesWritten += sent;
    if (sent < socketCalls.length) {
      sender.post(socketCalls.rest(socketCalls.length - sent));
      return 0;
    }
    const taken = Math.max(sendCached(loop, socket, file, offset, length), 0);
    sender.bytesWritten += taken;
    return taken;
  } catch (error) {
    // The next send fails with it.
    sender.error ??= error as Error;
    return 0;
  }
}
