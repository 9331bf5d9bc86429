/** The arguments of `node:fs/promises`, checked and brought to one form, with Node's errors. */
import { constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkInt } from '../ring/check.js';
import { argTypeError, argValueError } from '../ring/errors.js';

/** What names a file. */
export type PathLike = string | Uint8Array | URL;

/** A path as the kernel takes it: without NUL bytes, URLs resolved. */
export function toPath(path: PathLike, name = 'path'): string | Uint8Array {
  const plain = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof plain !== 'string' && !(plain instanceof Uint8Array)) {
    throw argTypeError(name, 'of type string or an instance of Buffer or URL', path);
  }
  if (typeof plain === 'string' ? plain.includes('\0') : plain.includes(0)) {
    throw argValueError(name, 'must be a string, Uint8Array, or URL without null bytes', path);
  }
  return plain;
}

/** A path as errors show it. */
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
  const value = Object.hasOwn(FLAGS, flags) ? FLAGS[flags] : undefined;
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
    return Number.parseInt(mode, 8);
  }
  return checkInt('mode', mode, 0, 0xffffffff);
}

/** The bytes of any view. */
export function toBytes(view: ArrayBufferView, name = 'buffer'): Uint8Array {
  if (view instanceof Uint8Array) return view;
  if (!ArrayBuffer.isView(view)) {
    throw argTypeError(name, 'an instance of Buffer, TypedArray, or DataView', view);
  }
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A position in a file: -1 for the current one. */
export function toPosition(position: number | bigint | null | undefined): number {
  if (position === undefined || position === null) return -1;
  if (typeof position === 'bigint') position = Number(position);
  return checkInt('position', position, -1, Number.MAX_SAFE_INTEGER);
}
