/** Checks the arguments of `node:fs/promises` and converts them to one form, with Node's errors. */

import { constants, type PathLike } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isUint8Array } from 'node:util/types';
import { checkAborted, checkInt } from '../sys/check/check.js';
import { argTypeError, argValueError, rangeError, stateError } from '../sys/errors/errors.js';
import { isUrl } from '../sys/memory/views.js';

/** The permission bits of a mode; the kernel ignores others. */
export const MODE_BITS = 0o7777;

const BYTES_EXPECTED = 'an instance of Buffer, TypedArray, or DataView';

/** A path for the kernel: without NUL bytes, URLs resolved. */
export function toPath(path: PathLike, name = 'path'): string | Buffer {
  if (typeof path === 'string' && !path.includes('\0')) return path;
  let plain = isUrl(path) ? fileURLToPath(path) : path;
  // A copy: the call may wait, and the caller's bytes may change meanwhile.
  if (isUint8Array(plain)) plain = Buffer.from(plain);
  if (typeof plain !== 'string' && !isUint8Array(plain)) {
    throw argTypeError(name, 'of type string or an instance of Buffer or URL', path);
  }
  if (typeof plain === 'string' ? plain.includes('\0') : plain.includes(0)) {
    const shown = isUint8Array(plain) ? path : plain;
    throw argValueError(name, 'must be a string, Uint8Array, or URL without null bytes', shown);
  }
  return plain;
}

/** A path as shown in errors. */
export function pathText(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC } = constants;

const FLAGS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  sr: O_RDONLY | O_SYNC,
  'r+': O_RDWR,
  'rs+': O_RDWR | O_SYNC,
  'sr+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY,
  wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  xw: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR,
  'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  'xw+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY,
  ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  xa: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  sa: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR,
  'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'xa+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
  'sa+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};

/** Open flags: 'r', 'w+' …, or the O_ values of `fs.constants` or-ed. */
export function toFlags(flags: string | number | null | undefined): number {
  if (flags === undefined || flags === null) return O_RDONLY;
  if (typeof flags === 'number') return checkInt('flags', flags, -0x80000000, 0x7fffffff);
  const value = typeof flags === 'string' && Object.hasOwn(FLAGS, flags) ? FLAGS[flags] : undefined;
  if (value === undefined) throw argValueError('flags', 'is invalid', flags);
  return value;
}

/** A file mode: a number, or a string of octal digits. */
export function toMode(mode: string | number | null | undefined, fallback: number): number {
  if (mode === undefined || mode === null) return fallback;
  if (typeof mode === 'string') {
    if (!/^[0-7]+$/.test(mode)) {
      throw argValueError('mode', 'must be a 32-bit unsigned integer or an octal string', mode);
    }
    return checkInt('mode', Number.parseInt(mode, 8), 0, 0xffffffff);
  }
  return checkInt('mode', mode, 0, 0xffffffff);
}

/**
 * A mode for a call of Node's, which ends the process (20 to 26) for -0 and for what has the highest of 32 bits set:
 * without what the kernel ignores. What is wrong is left to Node to refuse.
 */
export function toNodeMode<T>(mode: T): T | number {
  const value = typeof mode === 'string' && /^[0-7]+$/.test(mode) ? Number.parseInt(mode, 8) : mode;
  const isMode = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffffffff;
  return isMode ? (value as number) & MODE_BITS : mode;
}

const NO_BYTES = new Uint8Array(0);

/** The bytes of any view; none if its memory was detached, as typed arrays themselves report. */
export function toBytes(view: ArrayBufferView, name = 'buffer'): Uint8Array {
  if (isUint8Array(view)) return view;
  if (!ArrayBuffer.isView(view)) throw argTypeError(name, BYTES_EXPECTED, view);
  const size = sizeOf(view);
  return size === 0 ? NO_BYTES : new Uint8Array(view.buffer, view.byteOffset, size);
}

/** Throws for memory that was detached: a view of it looks empty, but was not meant to be. */
function checkAttached(memory: ArrayBufferLike): void {
  try {
    new Uint8Array(memory);
  } catch {
    throw stateError('The buffer is detached');
  }
}

/** The size of a view: 0 if its memory was detached, or has shrunk below it. */
export function sizeOf(view: ArrayBufferView): number {
  try {
    return view.byteLength;
  } catch {
    // A DataView throws then; typed arrays return 0.
    return 0;
  }
}

/** A copy of the list of views that readv and writev take. */
export function toViews(buffers: readonly ArrayBufferView[]): ArrayBufferView[] {
  // Not `every`, which skips holes.
  const views = Array.isArray(buffers) ? Array.from<ArrayBufferView>(buffers) : null;
  if (views === null || !views.every(view => ArrayBuffer.isView(view))) {
    throw argTypeError('buffers', 'an ArrayBufferView[]', buffers);
  }
  return views;
}

/** The bytes to write: a string's in `encoding`, by default UTF-8. */
export function toData(
  data: string | ArrayBufferView,
  encoding: BufferEncoding | null | undefined,
  name: string,
): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, encoding || 'utf8');
  if (!ArrayBuffer.isView(data)) throw argTypeError(name, `of type string or ${BYTES_EXPECTED}`, data);
  if (sizeOf(data) === 0) checkAttached(data.buffer);
  return toBytes(data);
}

/** A position in a file: -1 for the current one. */
export function toPosition(position: number | bigint | null | undefined, length: number): number {
  if (position === undefined || position === null) return -1;
  if (typeof position === 'bigint') {
    const max = 2n ** 63n - 1n - BigInt(length);
    if (position < -1n || position > max) throw rangeError('position', `>= -1 && <= ${max}`, position);
    // No file is that long: a position beyond 2^53 is past its end as well.
    return Math.min(Number(position), Number.MAX_SAFE_INTEGER);
  }
  if (typeof position !== 'number') throw argTypeError('position', 'of type bigint or integer', position);
  return checkInt('position', position, -1, Number.MAX_SAFE_INTEGER);
}

/** Accepts what an options argument may be: an object, an encoding, or nothing. */
export function toOptions<
  T extends { encoding?: string | null | undefined; signal?: AbortSignal | undefined },
>(options: T | string | null | undefined): T {
  if (options === undefined || options === null || typeof options === 'function') return {} as T;
  const plain = (typeof options === 'string' ? { encoding: options } : options) as T;
  if (typeof plain !== 'object') {
    throw argTypeError('options', 'one of type string or object', options);
  }
  const { encoding } = plain;
  if (encoding && encoding !== 'buffer' && !Buffer.isEncoding(encoding)) {
    throw argValueError('encoding', 'is invalid encoding', encoding);
  }
  checkAborted(plain.signal);
  return plain;
}

/** A path that is text; undefined for bytes, and for invalid paths. */
export function textPath(path: PathLike): string | undefined {
  try {
    const plain = toPath(path);
    return typeof plain === 'string' ? plain : undefined;
  } catch {
    return undefined;
  }
}
