/** What `write` and `send` take, as text or bytes. */
import { isAnyArrayBuffer } from 'node:util/types';
import { argTypeError } from '../../ring/errors.js';
import { bytesIn } from '../../ring/views.js';

/** Text, which is sent as UTF-8, or bytes: a Buffer, any typed array, a DataView, an ArrayBuffer. */
export type WritePart = string | ArrayBufferView | ArrayBufferLike;

/** What `write` takes. */
export type WriteData = WritePart | readonly WritePart[];

function notData(data: unknown): TypeError {
  const expected =
    'of type string, an instance of Buffer, TypedArray, DataView or ArrayBuffer, or an array of them';
  return argTypeError('data', expected, data);
}

/**
 * Text as it is, or bytes where they are.
 * @throws TypeError unless it is one of these; UasyncError ERR_INVALID_STATE when the buffer is detached.
 */
export function toPart(data: unknown): string | Uint8Array {
  if (typeof data === 'string') return data;
  if (!ArrayBuffer.isView(data) && !isAnyArrayBuffer(data)) throw notData(data);
  return bytesIn(data);
}

/** The same of each. */
export function toParts(data: unknown): (string | Uint8Array)[] {
  if (!Array.isArray(data)) throw notData(data);
  return data.map(toPart);
}

/** The bytes of text as UTF-8, of an array one behind the other; those of one view stay where they are. */
export function toBytes(data: WriteData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data.map(toBytes));
  const part = toPart(data);
  return typeof part === 'string' ? Buffer.from(part) : part;
}
