import { throwIfAborted } from '../loop/abort.js';
import { checkInt, checkSignal } from '../ring/check.js';
import type { FileHandle } from './file-handle.js';

const SIZE = 128 * 1024;
const READ_AHEAD = 4;

/** How `filehandle.chunks` reads. */
export interface ChunkOptions {
  /** Bytes of a chunk, the last one has fewer; default 128 KiB. */
  size?: number;
  /** Reads under way at once; default 4. What has no position, as a pipe, is read one by one. */
  readAhead?: number;
  /** Where in the file to begin; default 0. */
  start?: number;
  signal?: AbortSignal | undefined;
}

/** See `FileHandle.chunks`. */
export async function* chunksOf(
  file: FileHandle,
  options: ChunkOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const size = checkInt('options.size', options.size ?? SIZE, 1, 0x7fffffff);
  const ahead = checkInt('options.readAhead', options.readAhead ?? READ_AHEAD, 1, 1024);
  const start = checkInt('options.start', options.start ?? 0, 0, Number.MAX_SAFE_INTEGER);
  const signal = checkSignal(options.signal);
  throwIfAborted(signal);
  const seekable = (await file.stat()).isFile();
  const pending: Promise<Buffer>[] = [];
  let next = start;
  let at = start;
  try {
    for (;;) {
      while (pending.length < (seekable ? ahead : 1)) {
        const reading = read(file, size, seekable ? next : null);
        // Whoever leaves the loop does not hear of those that are left.
        reading.catch(() => {});
        pending.push(reading);
        next += size;
      }
      const chunk = await pending.shift()!;
      throwIfAborted(signal);
      if (chunk.length === 0) return;
      yield chunk;
      throwIfAborted(signal);
      at += chunk.length;
      // A short one: what was read ahead began too far on, if the file has grown since.
      if (chunk.length < size) {
        await Promise.allSettled(pending.splice(0));
        next = at;
      }
    }
  } finally {
    await Promise.allSettled(pending);
  }
}

async function read(file: FileHandle, size: number, position: number | null): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(size), 0, size, position);
  return bytesRead === size ? buffer : buffer.subarray(0, bytesRead);
}
