import { closeFile } from '../loop/close.js';
import type { Loop } from '../loop/loop.js';
import { EAGAIN } from '../ring/errno.js';
import { systemError, type UasyncError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';

/** What one splice moves at most: the size that the pipe is asked to have. */
const PIPE_BYTES = 256 * 1024;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;
const POLLOUT = 4;

/** What to send of a file. */
export interface SendFileRange {
  /** Where to begin, in bytes. */
  offset: number;
  /** How many bytes; Infinity is to the end of the file. */
  length: number;
}

/**
 * Sends part of a file through a pipe: splice(2) moves pages from the one to the other, and the bytes are
 * never copied. A peer that does not read holds up a poll, not a worker thread.
 * @param sent is told of the bytes that the socket has taken.
 */
export async function spliceFile(
  loop: Loop,
  file: number,
  socket: number,
  { offset, length }: SendFileRange,
  signal: AbortSignal,
  sent: (bytes: number) => void,
): Promise<void> {
  const pipe = libc().pipe(PIPE_BYTES);
  if (typeof pipe === 'number') throw systemError(pipe, 'pipe');
  const [reader, writer] = pipe;
  try {
    let at = offset;
    let left = length;
    while (left > 0) {
      const want = Math.min(left, PIPE_BYTES);
      const from = at;
      const filled = await loop.submit(sqe => sqe.splice(file, from, writer, -1, want, SPLICE_F_MOVE), {
        signal,
      });
      if (filled === 0) return;
      at += filled;
      left -= filled;
      await drain(loop, reader, socket, filled, left > 0, signal, sent);
    }
  } finally {
    await Promise.all([closeFile(loop, reader), closeFile(loop, writer)]);
  }
}

async function drain(
  loop: Loop,
  pipe: number,
  socket: number,
  bytes: number,
  more: boolean,
  signal: AbortSignal,
  sent: (bytes: number) => void,
): Promise<void> {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0);
  let left = bytes;
  while (left > 0) {
    try {
      const moved = await loop.submit(sqe => sqe.splice(pipe, -1, socket, -1, left, flags), { signal });
      left -= moved;
      sent(moved);
    } catch (error) {
      if ((error as UasyncError).errno !== EAGAIN) throw error;
      await loop.submit(sqe => sqe.pollAdd(socket, POLLOUT), { signal });
    }
  }
}
