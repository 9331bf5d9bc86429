/**
 * Pipes and terminals opened with O_NONBLOCK: a call on them does not wait, but fails with EAGAIN. The ring
 * would wait all the same, so they are read and written by Node.
 */
import { read, write } from 'node:fs';
import { promisify } from 'node:util';
import type { ReadResult, WriteResult } from './transfer.js';
import type { Transfer } from './transfer-arguments.js';

/** Reads what is there. */
export async function readAtOnce(
  fd: number,
  { buffer, bytes, offset, length }: Transfer,
): Promise<ReadResult<ArrayBufferView>> {
  const { bytesRead } = await promisify(read)(fd, bytes, offset, length, null);
  return { bytesRead, buffer: buffer as ArrayBufferView };
}

/** Writes what there is room for. */
export async function writeAtOnce(
  fd: number,
  { buffer, bytes, offset, length }: Transfer,
): Promise<WriteResult<ArrayBufferView | string>> {
  const { bytesWritten } = await promisify(write)(fd, bytes, offset, length, null);
  return { bytesWritten, buffer };
}
