/** Reads and writes whole files. */

import { constants, type PathLike } from 'node:fs';
import type { FileHandle as NodeFileHandle } from 'node:fs/promises';
import { isUint8Array } from 'node:util/types';
import { loop as currentLoop } from '../../loop/current.js';
import { failureOf } from '../../loop/operation/failure.js';
import { traced } from '../../loop/operation/traced.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { checkBoolean } from '../../sys/check/check.js';
import { pathText, toData, toFlags, toMode, toNodeMode, toOptions, toPath } from '../arguments.js';
import {
  type Content,
  checkThere,
  giveTurnToAbort,
  isPieces,
  type ReadFileOptions,
  readByNode,
  type WriteFileOptions,
} from '../content.js';
import { FileHandle } from '../handle/file-handle.js';
import { DEFAULT_MODE, open } from '../handle/open.js';
import { inlineFiles } from '../inline/inline.js';
import { inlineChanges } from '../inline/inline-changes.js';
import { promises } from '../node-promises.js';
import { mayOpen } from '../permission.js';
import { NAMES_WHAT_IS_READ } from '../running-node.js';
import { hold, holding, lacksDescriptor, letGo, openHeld, useHeld } from './held-files.js';
import { readPath } from './read-file.js';
import { writePath } from './write-file.js';

/** Whether it is a handle of Node's, which has its own calls to read and write. */
function isNodes(path: unknown): path is NodeFileHandle {
  const isHandle = typeof path === 'object' && path !== null && 'getAsyncId' in path && 'fd' in path;
  return isHandle && typeof (path as { readFile?: unknown }).readFile === 'function';
}

/**
 * Reads a whole file, as `fs.promises.readFile`. A `FileHandle` is read from its current position, and stays open.
 */
export async function readFile(
  path: PathLike | FileHandle,
  options: BufferEncoding | (ReadFileOptions & { encoding: BufferEncoding }),
): Promise<string>;
export async function readFile(
  path: PathLike | FileHandle,
  options?: (ReadFileOptions & { encoding?: null }) | null,
): Promise<Buffer>;
export async function readFile(
  path: PathLike | FileHandle,
  options?: ReadFileOptions | BufferEncoding | null,
): Promise<Buffer | string>;
export async function readFile(
  path: PathLike | FileHandle,
  options?: ReadFileOptions | BufferEncoding | null,
): Promise<Buffer | string> {
  const given = toOptions<ReadFileOptions>(options);
  if (path instanceof FileHandle) return path.readFile(given);
  if (isNodes(path)) return path.readFile(given as object);
  // Into the caller's buffer, from Node 24 on.
  if ('buffer' in given) return readByNode(() => promises.readFile(path as string, given));
  const { encoding, flag, signal } = given;
  throwIfAborted(signal);
  const plain = toPath(path);
  if (!mayOpen(plain, toFlags(flag || 'r'))) return promises.readFile(path, given);
  if (signal === undefined && (flag || 'r') === 'r') {
    const loop = currentLoop();
    const now = inlineFiles(loop).readFile(plain, encoding);
    if (typeof now === 'number') {
      return readOpened(hold(new FileHandle(loop, now, constants.O_RDONLY, true)), given, plain);
    }
    if (now !== undefined) return now;
    const reading = readPath(loop, plain, encoding);
    if (reading !== null) {
      try {
        return await holding(reading);
      } catch (error) {
        if (!lacksDescriptor(error)) throw traced(ofPath(error, plain));
      }
    }
  }
  return readOpened(await openHeld(() => open(plain, flag || 'r'), signal), given, plain);
}

async function readOpened(
  handle: FileHandle,
  options: ReadFileOptions,
  path: string | Uint8Array,
): Promise<Buffer | string> {
  return useHeld(handle, () =>
    handle.readFile(options).catch(error => {
      const named = ofPath(error, path);
      throw named === error ? error : traced(named);
    }),
  );
}

/** The error of a read, as Node tells it: some name the path. */
function ofPath(error: unknown, path: string | Uint8Array): unknown {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (!NAMES_WHAT_IS_READ || errno === undefined || syscall !== 'read') return error;
  return failureOf(errno, syscall, { path: pathText(path) });
}

/**
 * Writes a whole file, as `fs.promises.writeFile`, which creates or replaces it. A `FileHandle` is written at its
 * current position, and stays open.
 */
export async function writeFile(
  path: PathLike | FileHandle,
  data: Content,
  options?: WriteFileOptions | BufferEncoding | null,
): Promise<void> {
  const given = toOptions<WriteFileOptions>(options);
  const flush = checkBoolean('options.flush', given.flush ?? false);
  const content = isPieces(data) ? data : toData(data, given.encoding, 'data');
  if (path instanceof FileHandle) return path.writeFile(content, given);
  if (isNodes(path)) return path.writeFile(data as string, options);
  const size = isUint8Array(content) ? content.length : 0;
  throwIfAborted(given.signal);
  const plain = toPath(path);
  const flags = toFlags(given.flag || 'w');
  if (!mayOpen(plain, flags)) {
    return promises.writeFile(path, content as Uint8Array, { ...given, mode: toNodeMode(given.mode) });
  }
  const loop = currentLoop();
  const mode = toMode(given.mode, DEFAULT_MODE);
  if (!isUint8Array(content)) {
    return writePieces(await openHeld(() => open(plain, flags, mode), given.signal), content, given);
  }
  if (given.signal !== undefined) {
    await giveTurnToAbort(given.signal);
    checkThere(content, size);
  }
  const changes = inlineChanges(loop);
  const now = flush ? changes.open(plain, flags, mode) : changes.writeFile(plain, flags, mode, content);
  if (now === true) return;
  if (now !== undefined) {
    const done = flush ? 0 : changes.written;
    changes.settle(now, flags);
    return writeOpened(hold(new FileHandle(loop, now, flags)), content.subarray(done), given);
  }
  if (given.signal === undefined && !flush) {
    const writing = writePath(loop, plain, flags, mode, content);
    if (writing !== null) {
      try {
        return await holding(writing);
      } catch (error) {
        if (!lacksDescriptor(error)) throw traced(error);
      }
    }
  }
  return writeOpened(await openHeld(() => open(plain, flags, mode), given.signal), content, given, size);
}

/** Writes at the current position, and closes. @param size the number of bytes when the call was made. */
function writeOpened(
  handle: FileHandle,
  content: Uint8Array,
  options: WriteFileOptions,
  size = 0,
): Promise<void> {
  return useHeld(handle, async () => {
    checkThere(content, size);
    await writeTo(handle, content, options);
  });
}

/** The same for pieces. Other calls do not wait for this file: the source of its pieces may make such calls. */
async function writePieces(handle: FileHandle, pieces: Content, options: WriteFileOptions): Promise<void> {
  letGo();
  try {
    await writeTo(handle, pieces, options);
  } finally {
    await handle.close();
  }
}

async function writeTo(handle: FileHandle, content: Content, options: WriteFileOptions): Promise<void> {
  await handle.writeFile(content, options);
  if (options.flush) await handle.sync();
}

/** As `writeFile`, at the end of the file. */
export async function appendFile(
  path: PathLike | FileHandle,
  data: Content,
  options?: WriteFileOptions | BufferEncoding | null,
): Promise<void> {
  const given = toOptions<WriteFileOptions>(options);
  return writeFile(path, data, { ...given, flag: given.flag || 'a' });
}

/** Truncates a file to `len` bytes, or extends it with zeros. truncate(2) */
export async function truncate(path: PathLike, len = 0): Promise<void> {
  const handle = await openHeld(() => open(path, 'r+'), undefined);
  return useHeld(handle, () => handle.truncate(len));
}
