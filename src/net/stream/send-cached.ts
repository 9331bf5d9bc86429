/** The part of `Connection.sendFile` that needs no copy: cached bytes go from the page cache to the socket. */
import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EBADF, EINTR, EINVAL, EIO, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM } from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import { LOCAL } from '../../sys/calls/file-systems.js';
import { TEXT_MAX } from '../../sys/calls/socket-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import type { Endpoint } from './endpoint.js';

/** How much is sent at a time. On the loopback it takes 150 us. */
const PIECE = 1024 * 1024;
/** The distance between the bytes that are probed to find pages that the kernel is still reading. */
const PROBE_EVERY = 128 * 1024;
const { O_DIRECT, S_IFMT, S_IFREG } = constants;

/** The socket takes no more. */
export const FULL = -1;
/** This turn has had its share. */
export const LATER = -2;
/** The bytes must be read first, or there are none. */
const UNCACHED = -3;
/** The kernel does not tell what is cached of this file. */
export const UNKNOWN = -4;

/** Errors of the file, which a read meets again, and of a kernel without such a call. Others are the socket's. */
const OF_FILE: ReadonlySet<number> = new Set([EBADF, EINTR, EINVAL, EIO, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM]);

const ONE = Buffer.alloc(1);

/**
 * The size of a file whose cached bytes can be sent without waiting: a regular one of a local file system, without
 * O_DIRECT. -1 for others.
 */
export function cachedSize(loop: Loop, file: number): number {
  // The memory of a closed loop's calls is gone.
  if (loop.closing || !loop.inline.enabled) return -1;
  const { calls } = loop;
  if (calls.statFd(file) !== 0) return -1;
  const { statx } = calls;
  if ((statx[STATX.stx_mode / 4]! & S_IFMT) !== S_IFREG) return -1;
  const size = statx[STATX.stx_size / 4]! + statx[STATX.stx_size / 4 + 1]! * 2 ** 32;
  const flags = calls.flags(file);
  return flags >= 0 && (flags & O_DIRECT) === 0 && LOCAL.has(calls.fileSystem(file) >>> 0) ? size : -1;
}

/** Whether what was read can be read again: not from pipes and devices, and with O_DIRECT not from every position. */
export function isRepeatable({ calls, closing }: Loop, file: number): boolean {
  if (closing || calls.statFd(file) !== 0) return false;
  return (calls.statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFREG && (calls.flags(file) & O_DIRECT) === 0;
}

/** 1 if these bytes are cached, 0 if some must be read first, or UNKNOWN. */
function isResident({ calls, socketCalls }: Loop, file: number, offset: number, length: number): number {
  const cached = socketCalls.isCached(file, offset, length);
  if (cached !== 1) return cached < 0 ? UNKNOWN : cached;
  const last = offset + length - 1;
  // Pages that the kernel is reading ahead count as cached, but would block this thread until the disk has answered. A
  // non-blocking read of a byte fails on them, except on file systems without a disk.
  for (let at = offset; at < last; at += PROBE_EVERY)
    if (calls.read(file, ONE, 0, 1, at) === EAGAIN) return 0;
  return calls.read(file, ONE, 0, 1, last) === EAGAIN ? 0 : 1;
}

/** @throws the error of the socket, which it reports only once. */
function sendPiece(
  { inline, socketCalls }: Loop,
  socket: number,
  file: number,
  offset: number,
  length: number,
): number {
  const sent = socketCalls.sendFile(socket, file, offset, length);
  if (sent > 0) {
    inline.take(sent, 0);
    return sent;
  }
  if (sent === EAGAIN) return FULL;
  if (sent === 0 || OF_FILE.has(sent)) return UNCACHED;
  throw systemError(sent, 'send');
}

/**
 * Sends up to `length` cached bytes at once; returns how many the socket took, at least 1, or one of the above.
 * @throws the error of the socket.
 */
export function sendCached(loop: Loop, socket: number, file: number, offset: number, length: number): number {
  const { inline } = loop;
  const piece = Math.min(length, PIECE);
  if (piece <= 0 || !inline.enabled) return UNCACHED;
  const resident = isResident(loop, file, offset, piece);
  if (resident !== 1) return resident === UNKNOWN ? UNKNOWN : UNCACHED;
  if (!inline.take()) return inline.spent ? LATER : UNCACHED;
  return sendPiece(loop, socket, file, offset, piece);
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
  const isPlain = sender.idle && !sender.ended && !sender.deferred && sender.error === null;
  if (!isPlain || head.length > TEXT_MAX) return -1;
  const piece = Math.min(length, PIECE, cachedSize(loop, file) - offset);
  if (piece <= 0 || isResident(loop, file, offset, piece) !== 1 || !loop.inline.take()) return -1;
  const { socketCalls } = loop;
  const sent = socketCalls.sendText(socket, head, true);
  if (sent === EAGAIN || sent === EINTR) return -1;
  try {
    if (sent < 0) throw systemError(sent, 'write');
    sender.bytesWritten += sent;
    if (sent < socketCalls.length) {
      sender.post(socketCalls.rest(socketCalls.length - sent));
      return 0;
    }
    const taken = Math.max(sendPiece(loop, socket, file, offset, piece), 0);
    sender.bytesWritten += taken;
    return taken;
  } catch (error) {
    // The next send fails with it.
    sender.error ??= error as Error;
    return 0;
  }
}
