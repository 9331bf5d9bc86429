/**
 * Pipes and terminals opened with O_NONBLOCK: a call on them fails with EAGAIN instead of waiting. The ring would wait
 * nevertheless, so Node reads and writes them.
 */
import { read, write } from 'node:fs';
import { promisify } from 'node:util';
import type { ReadResult, WriteResult } from './transfer.js';
import type { Transfer } from './transfer-arguments.js';

/** Reads available data. */
export async function readAtOnce(
  fd: number,
  { buffer, bytes, offset, length }: Transfer,
): Promise<ReadResult<ArrayBufferView>> {
  const { bytesRead } = await promisify(read)(fd, bytes, offset, length, null);
  return { bytesRead, buffer: buffer as ArrayBufferView };
}

/** Writes as much as there is room for. */
export async function writeAtOnce(
  fd: number,
  { buffer, bytes, offset, length }: Transfer,
): Promise<WriteResult<ArrayBufferView | string>> {
  const { bytesWritten } = await promisify(write)(fd, bytes, offset, length, null);
  return { bytesWritten, buffer };
}
