import { throwIfAborted } from '../loop/abort.js';
import { BLOCK_MAX, type Block } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { withBlock } from '../loop/with-block.js';
import { checkInt, checkSignal } from '../ring/check.js';
import { checkObject } from './arguments.js';
import { readBlock, writeBlock } from './block-transfer.js';
import { SECTOR_MAX, sectorsOf } from './sectors.js';

/** Pieces under way at once, where they may be. */
const LANES = 2;

/** What part of a file is copied, and where to. */
export interface CopyOptions {
  /** Where in the source to begin; default 0. */
  start?: number;
  /** How many bytes; default to the end of the source. */
  length?: number;
  /** Where in the target they go; default 0. */
  position?: number;
  signal?: AbortSignal | undefined;
}

/** An open file. */
interface End {
  readonly fd: number;
  readonly hasPosition: boolean;
  readonly unbuffered: boolean;
}

/** Throws what wrong options of `copyTo` reject with. */
export function checkCopy(options: CopyOptions): void {
  const { start, length, position, signal } = checkObject(options);
  if (start !== undefined) checkInt('options.start', start, 0, Number.MAX_SAFE_INTEGER);
  if (length !== undefined) checkInt('options.length', length, 0, Number.MAX_SAFE_INTEGER);
  if (position !== undefined) checkInt('options.position', position, 0, Number.MAX_SAFE_INTEGER);
  throwIfAborted(checkSignal(signal));
}

/**
 * Copies between files; resolves to the number of bytes. They go through blocks of runtime memory: splice(2)
 * would need a pipe between the two, and a thread of the kernel for each step, for no less CPU time.
 */
export async function copyBetween(
  loop: Loop,
  source: End,
  target: End,
  { start = 0, length = Number.POSITIVE_INFINITY, position = 0, signal }: CopyOptions,
): Promise<number> {
  const positioned = source.hasPosition && target.hasPosition;
  let next = 0;
  let end = length;
  let copied = 0;
  const copyPieces = async (block: Block): Promise<void> => {
    while (next < end) {
      throwIfAborted(signal);
      const at = next;
      const wanted = Math.min(end - at, block.bytes.length);
      if (positioned) next += wanted;
      const size = source.unbuffered ? Math.min(sectorsOf(wanted), block.bytes.length) : wanted;
      const from = source.hasPosition ? start + at : -1;
      const read = Math.min(wanted, await readBlock(loop, source.fd, block, size, from, signal));
      // Of a file less than was asked for is its end; of a pipe only nothing is.
      if (source.hasPosition ? read < wanted : read === 0) end = Math.min(end, at + read);
      if (!positioned) next = at + read;
      for (let written = 0; written < read; ) {
        const to = target.hasPosition ? position + at + written : -1;
        const count = await writeBlock(loop, target.fd, block, written, read - written, to, signal);
        written += count;
        copied += count;
      }
    }
  };
  const lane = async (): Promise<void> => {
    try {
      await withBlock(loop, BLOCK_MAX, SECTOR_MAX, copyPieces);
    } catch (error) {
      end = 0;
      throw error;
    }
  };
  const lanes = Array.from({ length: positioned ? LANES : 1 }, lane);
  const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected');
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  return copied;
}
