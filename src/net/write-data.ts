import { argTypeError } from '../ring/errors.js';

/** What `write` takes. */
export type WriteData = string | Uint8Array | readonly (string | Uint8Array)[];

function notData(data: unknown): TypeError {
  return argTypeError('data', 'of type string, Uint8Array or an array of them', data);
}

/** @throws TypeError unless it is a string or bytes. */
export function checkPart(data: unknown): asserts data is string | Uint8Array {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) throw notData(data);
}

/** @throws TypeError unless it is an array of those. */
export function checkParts(data: unknown): asserts data is readonly (string | Uint8Array)[] {
  if (!Array.isArray(data)) throw notData(data);
  for (const part of data) checkPart(part);
}

/** The bytes of text as UTF-8, of an array one behind the other; those of a Uint8Array are itself. */
export function toBytes(data: WriteData): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  if (data instanceof Uint8Array) return data;
  checkParts(data);
  return Buffer.concat(data.map(toBytes));
}
