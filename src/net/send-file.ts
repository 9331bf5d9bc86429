import { closeFile } from '../loop/close.js';
import type { Loop } from '../loop/loop.js';
import { checkWait } from '../loop/waiter.js';
import { checkFd, checkInt, checkSignal } from '../ring/check.js';
import { EAGAIN } from '../ring/errno.js';
import { argTypeError, systemError, type UasyncError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';
import type { Sender } from './sender.js';

/** What one splice moves at most: the size that the pipe is asked to have. */
const PIPE_BYTES = 256 * 1024;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;
const POLLOUT = 4;

/** A file's descriptor, or what has one. */
export type SendableFile = { readonly fd: number } | number;

/** Which part of a file `sendFile` sends. */
export interface SendFileOptions {
  /** Where to begin, in bytes; default 0. */
  offset?: number;
  /** How many bytes; default to the end of the file. */
  length?: number;
  signal?: AbortSignal;
}

function descriptorOf(file: SendableFile): number {
  return checkFd(typeof file === 'object' && file !== null ? file.fd : file);
}

/** Checks what `sendFile` is given. */
export function checkSendFile(file: SendableFile, options: SendFileOptions): void {
  descriptorOf(file);
  if (typeof options !== 'object' || options === null) throw argTypeError('options', 'an object', options);
  const { offset, length, signal } = options;
  if (offset !== undefined) checkInt('options.offset', offset, 0, Number.MAX_SAFE_INTEGER);
  if (length !== undefined) checkInt('options.length', length, 0, Number.MAX_SAFE_INTEGER);
  checkWait({ signal: checkSignal(signal) });
}

/**
 * Sends part of a file when all that was written before has been taken; returns how many bytes. If it
 * fails with some of them sent, the sender fails with it.
 */
export async function sendFile(
  loop: Loop,
  sender: Sender,
  socket: number,
  file: SendableFile,
  { offset = 0, length = Number.POSITIVE_INFINITY, signal: given }: SendFileOptions,
): Promise<number> {
  const reset = new AbortController();
  const signal = given === undefined ? reset.signal : AbortSignal.any([given, reset.signal]);
  await sender.hold(() => reset.abort());
  const before = sender.bytesWritten;
  try {
    // Read now: the file may have been closed while writes went out.
    await splice(loop, descriptorOf(file), socket, offset, length, signal, sender);
  } catch (error) {
    const failure = sender.error ?? (error as Error);
    sender.release(sender.bytesWritten === before ? undefined : failure);
    throw failure;
  }
  sender.release();
  return sender.bytesWritten - before;
}

/**
 * Through a pipe: splice(2) moves pages from the one to the other, and the bytes are never copied. A peer
 * that does not read holds up a poll, not a worker thread.
 */
async function splice(
  loop: Loop,
  file: number,
  socket: number,
  offset: number,
  length: number,
  signal: AbortSignal,
  sender: Sender,
): Promise<void> {
  const pipe = libc().pipe(PIPE_BYTES);
  if (typeof pipe === 'number') throw systemError(pipe, 'pipe');
  const [reader, writer] = pipe;
  try {
    let at = offset;
    let left = length;
    while (left > 0) {
      const from = at;
      const want = Math.min(left, PIPE_BYTES);
      const filled = await loop.submit(sqe => sqe.splice(file, from, writer, -1, want, SPLICE_F_MOVE), {
        signal,
      });
      if (filled === 0) return;
      at += filled;
      left -= filled;
      await drain(loop, reader, socket, filled, left > 0, signal, sender);
    }
  } finally {
    await Promise.all([closeFile(loop, reader), closeFile(loop, writer)]);
  }
}

/** Moves `bytes` from the pipe to the socket. */
async function drain(
  loop: Loop,
  pipe: number,
  socket: number,
  bytes: number,
  more: boolean,
  signal: AbortSignal,
  sender: Sender,
): Promise<void> {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0);
  let left = bytes;
  while (left > 0) {
    try {
      const moved = await loop.submit(sqe => sqe.splice(pipe, -1, socket, -1, left, flags), { signal });
      left -= moved;
      sender.bytesWritten += moved;
    } catch (error) {
      if ((error as UasyncError).errno !== EAGAIN) throw error;
      await loop.submit(sqe => sqe.pollAdd(socket, POLLOUT), { signal });
    }
  }
}
