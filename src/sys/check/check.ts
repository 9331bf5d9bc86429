/** Checks of public arguments, made before any reach the kernel. Errors have Node's codes. */
import { isInt32Array, isUint8Array } from 'node:util/types';
import { argTypeError, rangeError } from '../errors/errors.js';

/** An integer in [min, max]; a `TypeError` for other types, a `RangeError` outside. */
export function checkInt(name: string, value: number, min: number, max: number): number {
  if (typeof value !== 'number') throw argTypeError(name, 'of type number', value);
  if (!Number.isInteger(value)) throw rangeError(name, 'an integer', value);
  if (value < min || value > max) throw rangeError(name, `>= ${min} && <= ${max}`, value);
  return value;
}

/** A file descriptor: an integer from 0 to 2^31 - 1. */
export function checkFd(fd: number): number {
  if (typeof fd !== 'number' || (fd | 0) !== fd || fd < 0) checkInt('fd', fd, 0, 0x7fffffff);
  return fd;
}

/** An unsigned 32-bit integer, for flags and lengths. Accepts signed bit patterns too. */
export function checkU32(name: string, value: number): number {
  if (typeof value !== 'number' || (value | 0) !== value) checkInt(name, value, -0x80000000, 0xffffffff);
  return value;
}

/** An unsigned 64-bit integer, as a number up to 2^53 - 1 or as a bigint. */
export function checkU64(name: string, value: number | bigint): bigint {
  if (typeof value === 'bigint') {
    if (BigInt.asUintN(64, value) !== value) throw rangeError(name, '>= 0 && < 2 ** 64', value);
    return value;
  }
  if (typeof value !== 'number') throw argTypeError(name, 'of type number or bigint', value);
  return BigInt(checkInt(name, value, 0, Number.MAX_SAFE_INTEGER));
}

/** A value that a completion returns: a number from 0 to 2^53 - 1 or a bigint below 2^64. */
export function checkUserData(name: string, value: number | bigint): void {
  if (typeof value !== 'number' || (value | 0) !== value || value < 0) checkU64(name, value);
}

/** An unsigned 16-bit integer. */
export function checkU16(name: string, value: number): number {
  if (typeof value !== 'number' || (value & 0xffff) !== value) checkInt(name, value, 0, 0xffff);
  return value;
}

/** A file offset: -1 (the current position) up to 2^53 - 1. */
export function checkOffset(name: string, value: number): number {
  if (typeof value !== 'number' || (value | 0) !== value || value < -1)
    checkInt(name, value, -1, Number.MAX_SAFE_INTEGER);
  return value;
}

/** Milliseconds, with fractions, from 0 to 2^53 - 1. */
export function checkDuration(name: string, ms: number): number {
  if (typeof ms !== 'number') throw argTypeError(name, 'of type number', ms);
  if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) {
    throw rangeError(name, `>= 0 && <= ${Number.MAX_SAFE_INTEGER}`, ms);
  }
  return ms;
}

/** Converts milliseconds, with fractions, to whole microseconds in 32 bits. */
export function microseconds(name: string, ms: number): number {
  if (checkDuration(name, ms) > 0xffffffff / 1000) throw rangeError(name, '<= 4294967', ms);
  return Math.round(ms * 1000);
}

/** A `Uint8Array` (so a `Buffer` too) or another view of bytes. */
export function checkBytes(name: string, value: ArrayBufferView): ArrayBufferView {
  if (!ArrayBuffer.isView(value)) {
    throw argTypeError(name, 'an instance of Buffer, TypedArray, or DataView', value);
  }
  return value;
}

/** A `Uint8Array` (so a `Buffer` too) of any realm. */
export function checkUint8Array(name: string, value: Uint8Array): Uint8Array {
  if (!isUint8Array(value)) throw argTypeError(name, 'an instance of Uint8Array', value);
  return value;
}

/** An `Int32Array` of any realm. */
export function checkInt32Array(name: string, value: Int32Array): Int32Array {
  if (!isInt32Array(value)) throw argTypeError(name, 'an instance of Int32Array', value);
  return value;
}

/** An object that is not null. */
export function checkObject<T extends object>(name: string, value: T): T {
  if (typeof value !== 'object' || value === null) throw argTypeError(name, 'an object', value);
  return value;
}

/** An array. */
export function checkArray<T>(name: string, value: readonly T[], of: string): readonly T[] {
  if (!Array.isArray(value)) throw argTypeError(name, `an array of ${of}`, value);
  return value;
}

/** A function. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw argTypeError(name, 'of type function', value);
}

/** An object with a property `aborted`, which is all that the calls of `fs.promises` use; or undefined. */
export function checkAborted(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined && (signal === null || typeof signal !== 'object' || !('aborted' in signal))) {
    throw argTypeError('options.signal', 'an instance of AbortSignal', signal);
  }
  return signal;
}

/** An `AbortSignal`, or an object that takes listeners as one does; or undefined. */
export function checkSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (checkAborted(signal) === undefined) return undefined;
  const { addEventListener, removeEventListener } = signal!;
  if (typeof addEventListener !== 'function' || typeof removeEventListener !== 'function') {
    throw argTypeError('options.signal', 'an instance of AbortSignal', signal);
  }
  return signal;
}

/** true or false. */
export function checkBoolean(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw argTypeError(name, 'of type boolean', value);
  return value;
}
