/**
 * Pipes and terminals opened with O_NONBLOCK: a call on them fails with EAGAIN instead of waiting. The ring would wait
 * nevertheless, so Node reads and writes them. Its threads only see memory that no other code can take away.
 */
import { read, write } from 'node:fs';
import { promisify } from 'node:util';
import { stateError } from '../../sys/errors/errors.js';
import { checkThere } from '../content.js';
import { tracedCall } from './traced-call.js';
import type { ReadResult, WriteResult } from './transfer.js';
import type { Transfer } from './transfer-arguments.js';

/** No more is available, or has room, at once: the maximum size of a pipe without privileges. pipe(7) */
const MOST = 1024 * 1024;

/** Reads available data. @param size the size of the buffer when the call was made, in bytes. */
export async function readAtOnce(
  fd: number,
  { buffer, bytes, offset, length }: Transfer,
  size: number,
): Promise<ReadResult<ArrayBufferView>> {
  const own = Buffer.allocUnsafeSlow(Math.min(length, MOST));
  const { bytesRead } = await tracedCall(promisify(read)(fd, own, 0, own.length, null));
  if (bytes.length < size) throw stateError('The buffer was detached during read');
  if (bytesRead !== 0) bytes.set(own.subarray(0, bytesRead), offset);
  return { bytesRead, buffer: buffer as ArrayBufferView };
}

/** Writes as much as there is room for. @param size the size of the buffer when the call was made, in bytes. */
export async function writeAtOnce(
  fd: number,
  { buffer, bytes, offset, length }: Transfer,
  size: number,
): Promise<WriteResult<ArrayBufferView | string>> {
  checkThere(bytes, size);
  const own = Buffer.from(bytes.subarray(offset, offset + Math.min(length, MOST)));
  const { bytesWritten } = await tracedCall(promisify(write)(fd, own, 0, own.length, null));
  return { bytesWritten, buffer };
}
