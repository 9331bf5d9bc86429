/** Converts the many signatures of `filehandle.read` and `filehandle.write` to one form. */
import { checkInt } from '../../sys/check/check.js';
import { argTypeError, argValueError, rangeError } from '../../sys/errors/errors.js';
import { toBytes, toData, toPosition } from '../arguments.js';

const DEFAULT_READ = 16384;
const MAX = Number.MAX_SAFE_INTEGER;

/** Options of a read. */
export interface ReadOptions<T extends ArrayBufferView = ArrayBufferView> {
  /** Default: a new Buffer of 16 KiB. */
  buffer?: T | undefined;
  /** The start position in the buffer; default 0. */
  offset?: number | null | undefined;
  /** The number of bytes; default as many as fit. */
  length?: number | null | undefined;
  /** The position in the file; default (null) the current position, which moves. */
  position?: number | bigint | null | undefined;
}

/** Options of a write. */
export interface WriteOptions {
  /** The start position in the buffer; default 0. */
  offset?: number | null | undefined;
  /** The number of bytes; default the rest. */
  length?: number | null | undefined;
  /** The position in the file; default (null) the current position, which moves. */
  position?: number | null | undefined;
}

/** A read or write with checked arguments. */
export interface Transfer<T = ArrayBufferView | string> {
  /** The user's object. */
  buffer: T;
  /** Its bytes. */
  bytes: Uint8Array;
  offset: number;
  length: number;
  /** -1 is the current position. */
  position: number;
}

/** The arguments of `read`. */
export function readTransfer(
  target: ArrayBufferView | ReadOptions | null | undefined,
  offset: number | null | ReadOptions | undefined,
  length: number | null | undefined,
  position: number | bigint | null | undefined,
): Transfer {
  let buffer: ArrayBufferView;
  if (ArrayBuffer.isView(target)) {
    buffer = target;
  } else {
    if ((target !== undefined && typeof target !== 'object') || Array.isArray(target)) {
      throw argTypeError('options', 'of type object', target);
    }
    ({ offset, length, position } = target ?? {});
    buffer = target?.buffer === undefined ? Buffer.alloc(DEFAULT_READ) : target.buffer;
  }
  if (typeof offset === 'object' && offset !== null) ({ offset, length, position } = offset);
  const bytes = toBytes(buffer);
  const from = offset === undefined || offset === null ? 0 : checkInt('offset', offset, 0, MAX);
  const size = bytes.length;
  const count = length ?? size - from;
  if (!Number.isInteger(count)) checkInt('length', count, 0, MAX);
  const at = toPosition(position, count);
  if (count !== 0) {
    if (size === 0) throw argValueError('buffer', 'is empty and cannot be written', buffer);
    if (count < 0) throw rangeError('length', '>= 0', count);
    if (from + count > size) throw rangeError('length', `<= ${size - from}`, count);
  }
  return { buffer, bytes, offset: from, length: count, position: at };
}

/** The arguments of `write`. */
export function writeTransfer(
  data: ArrayBufferView | string,
  offset: number | null | WriteOptions | undefined,
  length: number | null | BufferEncoding | undefined,
  position: number | null | undefined,
): Transfer {
  if (typeof data === 'string') {
    const encoding = Buffer.isEncoding(length as string) ? (length as BufferEncoding) : 'utf8';
    if (encoding.toLowerCase() === 'hex' && data.length % 2 !== 0) {
      throw argValueError('encoding', `is invalid for data of length ${data.length}`, encoding);
    }
    const bytes = Buffer.from(data, encoding);
    return { buffer: data, bytes, offset: 0, length: bytes.length, position: plainPosition(offset) };
  }
  const bytes = toData(data, null, 'buffer');
  if (typeof offset === 'object') ({ offset, length, position } = offset ?? {});
  const size = bytes.length;
  const from = offset === undefined || offset === null ? 0 : checkInt('offset', offset as number, 0, MAX);
  const count = typeof length === 'number' ? length : size - from;
  if (from > size) throw rangeError('offset', `<= ${size}`, from);
  if (count > size - from) throw rangeError('length', `<= ${size - from}`, count);
  if (count < 0) throw rangeError('length', '>= 0', count);
  checkInt('length', count, 0, 0x7fffffff);
  return { buffer: data, bytes, offset: from, length: count, position: plainPosition(position) };
}

/** A transfer of a whole buffer. */
export function wholeOf(bytes: Buffer, position: number | null | undefined): Transfer {
  return { buffer: bytes, bytes, offset: 0, length: bytes.length, position: plainPosition(position) };
}

/** As in Node, an invalid position means the current one. */
function plainPosition(position: unknown): number {
  return Number.isSafeInteger(position) && (position as number) >= 0 ? (position as number) : -1;
}
