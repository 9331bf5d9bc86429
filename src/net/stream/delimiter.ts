/** The arguments of `readUntil`. */
import { constants } from 'node:buffer';
import { isUint8Array } from 'node:util/types';
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import { checkInt } from '../../sys/check/check.js';
import { optionNames } from '../../sys/check/options.js';
import { argTypeError, rangeError } from '../../sys/errors/errors.js';

/** Options of `readUntil`. */
export interface ReadUntilOptions extends WaitOptions {
  /** The maximum number of bytes, including the delimiter; default 65536. */
  max?: number | undefined;
}

export const READ_UNTIL_OPTIONS = optionNames<ReadUntilOptions>({ max: true, signal: true, timeout: true });

/** Text, bytes, or one byte. */
export type Delimiter = string | Uint8Array | number;

const UNTIL_MAX = 65536;

/** The bytes of a delimiter. */
export function delimiterOf(delimiter: Delimiter): Buffer {
  let bytes: Buffer;
  if (typeof delimiter === 'number') bytes = Buffer.of(checkInt('delimiter', delimiter, 0, 255));
  else if (typeof delimiter === 'string' || isUint8Array(delimiter)) bytes = Buffer.from(delimiter);
  else throw argTypeError('delimiter', 'of type string, number or Uint8Array', delimiter);
  if (bytes.length === 0) throw rangeError('delimiter.length', '>= 1', 0);
  return bytes;
}

/** The maximum number of bytes to read for a delimiter of `least` bytes. */
export function untilMax(options: ReadUntilOptions, least: number): number {
  return checkInt('options.max', options.max ?? UNTIL_MAX, least, constants.MAX_LENGTH);
}
