/** `FileHandle.chunks`: reads a file in chunks, ahead of the consumer. */

import type { Stats } from 'node:fs';
import { BLOCK_MAX, type Block } from '../../loop/memory/blocks.js';
import { allocateBuffer } from '../../loop/memory/buffer-memory.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { checkBoolean, checkInt, checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import type { OpenFile } from './open-file.js';
import { tracedCall } from './traced-call.js';
import type { ReadResult } from './transfer.js';

const SIZE = 128 * 1024;
const READ_AHEAD = 4;

/** How `filehandle.chunks` reads. */
export interface ChunkOptions {
  /**
   * The size of a chunk in bytes; default 128 KiB, with `lease` at most 256 KiB. The last chunk is smaller, and so are
   * those of pipes and of files without a size, as in /proc: they have the sizes that the kernel returns.
   */
  size?: number | undefined;
  /**
   * The number of concurrent reads; default 4. Reads of pipes, of what lies beyond the file's initial size, and so of
   * files without a size, are sequential.
   */
  readAhead?: number | undefined;
  /** The start position in the file; default 0. */
  start?: number | undefined;
  /**
   * Yields chunks without a copy, where the kernel has put them. A chunk is valid until the next one is requested or
   * the iteration is left; its contents are unspecified from then on. Default false.
   */
  lease?: boolean | undefined;
  /** Aborting it ends the iteration with an `AbortError`. */
  signal?: AbortSignal | undefined;
}

const CHUNK_OPTIONS = optionNames<ChunkOptions>({
  size: true,
  readAhead: true,
  start: true,
  lease: true,
  signal: true,
});

/** The file that is read: a `FileHandle`. */
interface Source extends OpenFile {
  stat(): Promise<Stats>;
  read(buffer: Buffer, offset: number, length: number): Promise<ReadResult<Buffer>>;
}

/** A chunk that is being read, and its block if that must be returned. */
interface Reading {
  chunk: Promise<Buffer>;
  block: Block | null;
}

/** See `FileHandle.chunks`. */
export async function* chunksOf(
  file: Source,
  options: ChunkOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  checkOptions(options, CHUNK_OPTIONS);
  const lease = checkBoolean('options.lease', options.lease ?? false);
  const size = checkInt('options.size', options.size ?? SIZE, 1, lease ? BLOCK_MAX : 0x7fffffff);
  const most = checkInt('options.readAhead', options.readAhead ?? READ_AHEAD, 1, 1024);
  const start = checkInt('options.start', options.start ?? 0, 0, Number.MAX_SAFE_INTEGER);
  const signal = checkSignal(options.signal);
  throwIfAborted(signal);
  const stats = await file.stat();
  const seekable = stats.isFile() && file.hasPosition;
  // Files of /proc and similar are generated as they are read; each read ahead generates the file again from its
  // beginning. They have size 0, or that of a page.
  const ahead = seekable ? stats.size : 0;
  const read = seekable && lease ? readLeased : readCopied;
  const pending: Reading[] = [];
  let next = start;
  let at = start;
  try {
    for (;;) {
      while (pending.length === 0 || (pending.length < most && next < ahead)) {
        const reading = read(file, size, seekable ? next : null);
        // Once the loop was left, errors of the remaining reads are not reported.
        reading.chunk.catch(() => {});
        pending.push(reading);
        next += size;
      }
      const chunk = await tracedCall(pending[0]!.chunk);
      throwIfAborted(signal);
      if (chunk.length === 0) return;
      const { length } = chunk;
      yield chunk;
      throwIfAborted(signal);
      await end(pending.splice(0, 1));
      at += length;
      // A short chunk: reads ahead started too far on, if the file has grown since.
      if (length < size) {
        await end(pending.splice(0));
        next = at;
      }
    }
  } finally {
    await end(pending);
  }
}

function readCopied(file: Source, size: number, position: number | null): Reading {
  return { chunk: readInto(file, allocateBuffer(size), position), block: null };
}

async function readInto(file: Source, buffer: Buffer, position: number | null): Promise<Buffer> {
  const { length } = buffer;
  const bytesRead = await (position === null
    ? file.read(buffer, 0, length).then(result => result.bytesRead)
    : file.readChunk(buffer, position));
  return bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
}

function readLeased(file: Source, size: number, position: number | null): Reading {
  const block = file.leaseBlock();
  // Too many blocks are leased: this chunk is copied.
  if (block === null) return readCopied(file, size, position);
  const chunk = file.readBlock(block, size, position!).then(length => block.bytes.subarray(0, length));
  return { chunk, block };
}

/** Returns the blocks once they have been read. */
async function end(readings: Reading[]): Promise<void> {
  for (const { chunk, block } of readings) {
    await chunk.catch(() => {});
    block?.pool.release(block);
  }
}
