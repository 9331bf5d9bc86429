import { AbortError } from '../loop/abort.js';
import { ignoreAbort, listenForAbort } from '../loop/abort-listeners.js';
import { BLOCK_MAX } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { checkWait } from '../loop/waiter.js';
import { withBlock } from '../loop/with-block.js';
import * as abi from '../ring/abi.js';
import { checkFd, checkInt, checkSignal } from '../ring/check.js';
import { argTypeError } from '../ring/errors.js';
import { MSG_NOSIGNAL, MSG_WAITALL } from '../ring/sqe/sockets.js';
import type { Sender } from './sender.js';

/** A file's descriptor, or what has one. */
export type SendableFile = { readonly fd: number } | number;

/** Which part of a file `sendFile` sends. */
export interface SendFileOptions {
  /** Where to begin, in bytes; default 0. */
  offset?: number;
  /** How many bytes; default to the end of the file. */
  length?: number;
  /** Aborting it rejects the call with an AbortError. */
  signal?: AbortSignal;
}

function descriptorOf(file: SendableFile): number {
  if (typeof file === 'number') return checkFd(file);
  if (typeof file !== 'object' || file === null || typeof file.fd !== 'number') {
    throw argTypeError('file', 'a FileHandle or a descriptor', file);
  }
  return checkFd(file.fd);
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
 *
 * The bytes go through a block of runtime memory. splice(2) would spare that copy, but holds a worker
 * thread of the kernel for each peer that does not read; the CPU time is the same.
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
  await holdOf(sender, () => reset.abort(), given);
  const before = sender.bytesWritten;
  try {
    // Read now: the file may have been closed while writes went out.
    await send(loop, sender, socket, descriptorOf(file), offset, length, signal);
  } catch (error) {
    const failure = sender.error ?? (error as Error);
    sender.release(sender.bytesWritten === before ? undefined : failure);
    throw failure;
  }
  sender.release();
  return sender.bytesWritten - before;
}

/** Waits for its turn, unless that is given up before. */
async function holdOf(sender: Sender, giveUp: () => void, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return sender.hold(giveUp);
  const listener = { onAbort: () => sender.unhold(giveUp, new AbortError(signal)) };
  listenForAbort(signal, listener);
  try {
    await sender.hold(giveUp);
  } finally {
    ignoreAbort(signal, listener);
  }
}

async function send(
  loop: Loop,
  sender: Sender,
  socket: number,
  file: number,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < length; ) {
    const left = length - at;
    const moved = await withBlock(loop, Math.min(left, BLOCK_MAX), 1, async ({ address, bytes }) => {
      const want = Math.min(left, bytes.length);
      const filled = await loop.submit(sqe => sqe.prep(abi.OP_READ, file, address, want, offset + at), {
        signal,
      });
      for (let sent = 0; sent < filled; ) {
        const start = address + sent;
        const rest = filled - sent;
        const taken = await loop.submit(
          sqe => sqe.prep(abi.OP_SEND, socket, start, rest, 0).opFlags(MSG_NOSIGNAL | MSG_WAITALL),
          { signal },
        );
        sent += taken;
        sender.bytesWritten += taken;
      }
      return filled;
    });
    if (moved === 0) return;
    at += moved;
  }
}
