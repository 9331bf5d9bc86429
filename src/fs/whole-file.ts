/** Files read and written as a whole. */

import { throwIfAborted } from '../loop/abort.js';
import { checkSignal } from '../ring/check.js';
import { argTypeError, argValueError } from '../ring/errors.js';
import { type PathLike, toBytes } from './arguments.js';
import { FileHandle } from './file-handle.js';
import { open } from './open.js';

/** How `readFile` reads. */
export interface ReadFileOptions {
  /** Decodes the bytes; without it the result is a Buffer. */
  encoding?: BufferEncoding | null;
  /** Open flags; default 'r'. */
  flag?: string | number;
  signal?: AbortSignal;
}

/** How `writeFile` writes. */
export interface WriteFileOptions {
  /** Of a string; default 'utf8'. */
  encoding?: BufferEncoding | null;
  /** Permissions of a file that is created; default 0o666. */
  mode?: string | number;
  /** Open flags; default 'w'. */
  flag?: string | number;
  signal?: AbortSignal;
}

/** A file of unknown size is read in pieces of this. */
const PIECE = 64 * 1024;
/** A large one in pieces of this, so that an abort is noticed. */
const LARGE_PIECE = 4 * 1024 * 1024;

function withEncoding<T extends { encoding?: BufferEncoding | null }>(
  options: T | BufferEncoding | null | undefined,
): T {
  const plain = typeof options === 'string' ? { encoding: options } : options;
  if (plain !== undefined && plain !== null && typeof plain !== 'object') {
    throw argTypeError('options', 'of type string or an instance of Object', options);
  }
  const encoding = plain?.encoding;
  if (encoding !== undefined && encoding !== null && !Buffer.isEncoding(encoding)) {
    throw argValueError('encoding', 'is invalid encoding', encoding);
  }
  return (plain ?? {}) as T;
}

/**
 * Reads a whole file, as `fs.promises.readFile`. A `FileHandle` is read from its current position, and
 * stays open.
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
): Promise<Buffer | string> {
  const { encoding, flag, signal } = withEncoding<ReadFileOptions>(options);
  throwIfAborted(checkSignal(signal));
  if (path instanceof FileHandle) return decode(await readAll(path, signal), encoding);
  const handle = await open(path, flag ?? 'r');
  try {
    return decode(await readAll(handle, signal), encoding);
  } finally {
    await handle.close();
  }
}

function decode(bytes: Buffer, encoding: BufferEncoding | null | undefined): Buffer | string {
  return encoding ? bytes.toString(encoding) : bytes;
}

async function readAll(handle: FileHandle, signal: AbortSignal | undefined): Promise<Buffer> {
  const { size } = await handle.stat();
  return size > 0 ? readSized(handle, size, signal) : readUnsized(handle, signal);
}

/** A file that says how large it is; one that has shrunk meanwhile gives less. */
async function readSized(handle: FileHandle, size: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(size);
  let at = 0;
  while (at < size) {
    throwIfAborted(signal);
    const { bytesRead } = await handle.read(buffer, at, Math.min(size - at, LARGE_PIECE));
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at === size ? buffer : buffer.subarray(0, at);
}

/** Files of /proc, pipes and the like say 0: they are read until they end. */
async function readUnsized(handle: FileHandle, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    throwIfAborted(signal);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(PIECE));
    if (bytesRead === 0) return Buffer.concat(pieces);
    pieces.push(buffer.subarray(0, bytesRead));
  }
}

/**
 * Writes a whole file, as `fs.promises.writeFile`: it is created or replaced. A `FileHandle` is written
 * from its current position, and stays open.
 */
export async function writeFile(
  path: PathLike | FileHandle,
  data: string | ArrayBufferView,
  options?: WriteFileOptions | BufferEncoding | null,
): Promise<void> {
  const { encoding, flag, mode, signal } = withEncoding<WriteFileOptions>(options);
  throwIfAborted(checkSignal(signal));
  if (typeof data !== 'string' && !ArrayBuffer.isView(data)) {
    throw argTypeError('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data);
  }
  const bytes = typeof data === 'string' ? Buffer.from(data, encoding ?? 'utf8') : toBytes(data);
  if (path instanceof FileHandle) return writeAll(path, bytes, signal);
  const handle = await open(path, flag ?? 'w', mode);
  try {
    await writeAll(handle, bytes, signal);
  } finally {
    await handle.close();
  }
}

async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += LARGE_PIECE) {
    throwIfAborted(signal);
    await handle.write(bytes, at, Math.min(bytes.length - at, LARGE_PIECE));
  }
}
