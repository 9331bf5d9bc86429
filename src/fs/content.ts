/** The whole content of a file, in pieces. */

import { allocateBuffer } from '../loop/memory/buffer-memory.js';
import { setImmediate } from '../loop/real-timers.js';
import { throwIfAborted } from '../loop/waiting/abort.js';
import { argTypeError, stateError, withCode } from '../sys/errors/errors.js';
import { toBytes } from './arguments.js';

/** The data of `writeFile`: bytes, text, or pieces of them. */
export type Content =
  | string
  | ArrayBufferView
  | Iterable<string | ArrayBufferView>
  | AsyncIterable<string | ArrayBufferView>;

/** Options for reading a whole file. */
export interface ReadFileOptions {
  /** Decodes the bytes; without it the result is a Buffer. */
  encoding?: BufferEncoding | null | undefined;
  /** Open flags; default 'r'. */
  flag?: string | number | undefined;
  /** Aborting it rejects with an `AbortError`. */
  signal?: AbortSignal | undefined;
}

/** Options for writing a whole file. */
export interface WriteFileOptions {
  /** The encoding of a string; default 'utf8'. */
  encoding?: BufferEncoding | null | undefined;
  /** Permissions of a new file; default 0o666. */
  mode?: string | number | undefined;
  /** Open flags; default 'w', to append 'a'. */
  flag?: string | number | undefined;
  /** Whether the call resolves only when the data is on the device; default false. */
  flush?: boolean | undefined;
  /** Aborting it rejects with an `AbortError`; a part may have been written. */
  signal?: AbortSignal | undefined;
}

/** Reads into `bytes[offset]`, from where the last read has ended; resolves to the number of bytes, 0 at the end. */
export type ReadPiece = (bytes: Buffer, offset: number, length: number) => Promise<number>;
/** Writes from `bytes[offset]`; resolves to the number of bytes. */
type WritePiece = (bytes: Uint8Array, offset: number, length: number) => Promise<number>;

/** The size of the pieces of a file of unknown size. */
const PIECE = 64 * 1024;
/** The size of the first piece where the file has probably ended. */
const BEYOND = 512;
/** The size of the pieces of a large file, so that an abort is noticed and the event loop is not blocked. */
export const LARGE_PIECE = 1024 * 1024;
/** A Buffer was once limited to 2 GiB: Node reads no larger file as a whole. */
const SIZE_MAX = 2 ** 31 - 1;

/** Reads to the end. @param size the size that the file reports; 0 if it reports none. */
export async function readContent(
  read: ReadPiece,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  checkSize(size);
  if (size === 0) return readUnsized(read, PIECE, signal);
  const bytes = allocateBuffer(size);
  const end = await fill(read, bytes, 0, signal);
  return end === size ? bytes : bytes.subarray(0, end);
}

/** Throws Node's error for a file that is too large. */
export function checkSize(size: number): void {
  if (size <= SIZE_MAX) return;
  throw withCode(new RangeError(`File size (${size}) is greater than 2 GiB`), 'ERR_FS_FILE_TOO_LARGE');
}

/** Reads the rest of a file after the first `head` bytes in `bytes`, which has space for the expected size. */
export async function readRest(read: ReadPiece, bytes: Buffer, head: number): Promise<Buffer> {
  const end = await fill(read, bytes, head, undefined);
  if (end < bytes.length) return bytes.subarray(0, end);
  const beyond = await readUnsized(read, BEYOND, undefined);
  return beyond.length === 0 ? bytes : Buffer.concat([bytes, beyond]);
}

/** Fills `bytes` from `at` on; returns the end position. A file that has shrunk meanwhile yields less. */
async function fill(
  read: ReadPiece,
  bytes: Buffer,
  at: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let end = at;
  while (end < bytes.length) {
    throwIfAborted(signal);
    const count = await read(bytes, end, Math.min(bytes.length - end, LARGE_PIECE));
    if (count === 0) break;
    end += count;
  }
  return end;
}

/** Files of /proc, pipes and similar report size 0: reads until the end, with a first piece of `first` bytes. */
async function readUnsized(read: ReadPiece, first: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let size = first; ; size = PIECE) {
    const piece = allocateBuffer(size);
    // Files of /proc return a page at a time.
    const count = await fill(read, piece, 0, signal);
    pieces.push(count === size ? piece : piece.subarray(0, count));
    if (count < size) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }
}

/** Reads a file with Node into the caller's buffer, and replaces Node's internal error for a detached one. */
export async function readByNode<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if ((error as Error).name !== 'TypeError' || 'code' in (error as Error)) throw error;
    throw stateError('The buffer is detached');
  }
}

/** Whether the data is written in pieces. Throws Node's error for invalid data. */
export function isPieces(
  content: Content,
): content is Iterable<string | ArrayBufferView> | AsyncIterable<string | ArrayBufferView> {
  if (typeof content === 'string' || ArrayBuffer.isView(content)) return false;
  if (typeof content === 'object' && content !== null) {
    if (Symbol.asyncIterator in content || Symbol.iterator in content) return true;
  }
  const expected = 'of type string or an instance of Buffer, TypedArray, or DataView';
  throw argTypeError('data', expected, content);
}

/** Writes all bytes, of which there were `length` when the call was made. */
export async function writeBytesTo(
  write: WritePiece,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
  length = bytes.length,
): Promise<void> {
  for (let at = 0; at < length; ) {
    throwIfAborted(signal);
    checkThere(bytes, length);
    at += await write(bytes, at, Math.min(length - at, LARGE_PIECE));
  }
}

/**
 * A call that completes at once could not be aborted: with a signal, the event loop takes a turn first, in which it may
 * be.
 * @throws AbortError
 */
export async function giveTurnToAbort(signal: AbortSignal): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  throwIfAborted(signal);
}

/** Bytes that were `length` when they were passed may have been detached, or shrunk, while they waited. */
export function checkThere(bytes: Uint8Array, length: number): void {
  if (bytes.length < length) throw stateError('The buffer was detached while it waited to be written');
}

/** Writes pieces as they arrive. */
export async function writePiecesTo(
  write: WritePiece,
  pieces: Iterable<string | ArrayBufferView> | AsyncIterable<string | ArrayBufferView>,
  encoding: BufferEncoding | null | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const piece of pieces) {
    throwIfAborted(signal);
    const bytes = ArrayBuffer.isView(piece) ? toBytes(piece) : Buffer.from(piece, encoding || 'utf8');
    await writeBytesTo(write, bytes, signal);
  }
}
