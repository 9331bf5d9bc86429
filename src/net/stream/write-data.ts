/** The data of `write` and `send`, as text or bytes. */
import { isAnyArrayBuffer } from 'node:util/types';
import { argTypeError } from '../../sys/errors/errors.js';
import { bytesIn } from '../../sys/memory/views.js';

/** Text, which is sent as UTF-8, or bytes: a Buffer, any typed array, a DataView, an ArrayBuffer. */
export type WritePart = string | ArrayBufferView | ArrayBufferLike;

/** The data of `write`. */
export type WriteData = WritePart | readonly WritePart[];

function notData(data: unknown): TypeError {
  const expected =
    'of type string, an instance of Buffer, TypedArray, DataView or ArrayBuffer, or an array of them';
  return argTypeError('data', expected, data);
}

/**
 * Text unchanged, or bytes in place.
 * @throws TypeError for other types; UasyncError ERR_INVALID_STATE if the buffer is detached.
 */
export function toPart(data: unknown): string | Uint8Array {
  if (typeof data === 'string') return data;
  if (!ArrayBuffer.isView(data) && !isAnyArrayBuffer(data)) throw notData(data);
  return bytesIn(data);
}

/** The same for each element. */
export function toParts(data: unknown): (string | Uint8Array)[] {
  if (!Array.isArray(data)) throw notData(data);
  return data.map(toPart);
}

/** Text as UTF-8 bytes, an array concatenated; a single view in place. */
export function toBytes(data: WriteData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data.map(toBytes));
  const part = toPart(data);
  return typeof part === 'string' ? Buffer.from(part) : part;
}
