/** The whole content of a file, piece by piece. */
import { throwIfAborted } from '../loop/abort.js';
import { setImmediate } from '../loop/real-timers.js';
import { argTypeError, stateError, withCode } from '../ring/errors.js';
import { toBytes } from './arguments.js';

/** What `writeFile` writes: bytes, text, or pieces of them. */
export type Content =
  | string
  | ArrayBufferView
  | Iterable<string | ArrayBufferView>
  | AsyncIterable<string | ArrayBufferView>;

/** How a whole file is read. */
export interface ReadFileOptions {
  /** Decodes the bytes; without it the result is a Buffer. */
  encoding?: BufferEncoding | null | undefined;
  /** Open flags; default 'r'. */
  flag?: string | number | undefined;
  signal?: AbortSignal | undefined;
}

/** How a whole file is written. */
export interface WriteFileOptions {
  /** Of a string; default 'utf8'. */
  encoding?: BufferEncoding | null | undefined;
  /** Permissions of a file that is created; default 0o666. */
  mode?: string | number | undefined;
  /** Open flags; default 'w', to append 'a'. */
  flag?: string | number | undefined;
  /** Whether the data is on its device when the call resolves; default false. */
  flush?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Reads into `bytes[offset]`, from where the last read has ended; resolves to the count, 0 at the end. */
export type ReadPiece = (bytes: Buffer, offset: number, length: number) => Promise<number>;
/** Writes from `bytes[offset]`; resolves to the count. */
export type WritePiece = (bytes: Uint8Array, offset: number, length: number) => Promise<number>;

/** A file of unknown size is read in pieces of this. */
const PIECE = 64 * 1024;
/** What is likely to have ended, in a piece of this first. */
const BEYOND = 512;
/** A large one in pieces of this, so that an abort is noticed, and the event loop is not held up. */
export const LARGE_PIECE = 1024 * 1024;
/** What a Buffer of Node 20 could hold was once 2 GiB: Node reads no larger file as a whole. */
const SIZE_MAX = 2 ** 31 - 1;

/** Reads to the end. @param size what the file says it has; 0 if it does not say. */
export async function readContent(
  read: ReadPiece,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  checkSize(size);
  if (size === 0) return readUnsized(read, PIECE, signal);
  const bytes = Buffer.allocUnsafeSlow(size);
  const end = await fill(read, bytes, 0, signal);
  return end === size ? bytes : bytes.subarray(0, end);
}

/** Throws what Node throws for files that are too large. */
export function checkSize(size: number): void {
  if (size <= SIZE_MAX) return;
  throw withCode(new RangeError(`File size (${size}) is greater than 2 GiB`), 'ERR_FS_FILE_TOO_LARGE');
}

/** Reads to the end what begins with `head` bytes in `bytes`, which has room for what the file may have. */
export async function readRest(read: ReadPiece, bytes: Buffer, head: number): Promise<Buffer> {
  const end = await fill(read, bytes, head, undefined);
  if (end < bytes.length) return bytes.subarray(0, end);
  const beyond = await readUnsized(read, BEYOND, undefined);
  return beyond.length === 0 ? bytes : Buffer.concat([bytes, beyond]);
}

/** Fills `bytes` from `at` on; returns where it ends. A file that has shrunk meanwhile gives less. */
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

/** Files of /proc, pipes and similar say 0: they are read until they end, the first piece of `first` bytes. */
async function readUnsized(read: ReadPiece, first: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let size = first; ; size = PIECE) {
    const piece = Buffer.allocUnsafeSlow(size);
    // Files of /proc give a page at a time.
    const count = await fill(read, piece, 0, signal);
    pieces.push(count === size ? piece : piece.subarray(0, count));
    if (count < size) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }
}

/** A file that Node reads into a buffer of the caller's. It trips over one that is detached. */
export async function readByNode<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if ((error as Error).name !== 'TypeError' || 'code' in (error as Error)) throw error;
    throw stateError('The buffer is detached');
  }
}

/** Whether it is written piece by piece. Throws what Node throws for what cannot be written. */
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

/** Writes all bytes, `length` of them when the call was made. */
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
 * What is done at once could not be aborted: with a signal there is a turn of the event loop before, in which it may be.
 * @throws AbortError
 */
export async function giveTurnToAbort(signal: AbortSignal): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  throwIfAborted(signal);
}

/** Bytes that were `length` when they were given may have been detached, or shrunk, while they waited. */
export function checkThere(bytes: Uint8Array, length: number): void {
  if (bytes.length < length) throw stateError('The buffer was detached while it waited to be written');
}

/** Writes pieces as they come. */
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
