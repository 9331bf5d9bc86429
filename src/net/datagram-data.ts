import { argTypeError, stateError } from '../ring/errors.js';

/** What a datagram consists of: text is sent as UTF-8, the parts of an array one behind the other. */
export type DatagramData = string | Uint8Array | readonly (string | Uint8Array)[];

const NOT_DATA = 'of type string, Uint8Array or an array of them';

/** The bytes of a datagram. */
export function bytesOf(data: DatagramData): Uint8Array {
  if (data instanceof Uint8Array) {
    checkAttached(data);
    return data;
  }
  if (typeof data === 'string') return Buffer.from(data);
  if (!Array.isArray(data)) throw argTypeError('data', NOT_DATA, data);
  return Buffer.concat(
    data.map(part => {
      if (typeof part !== 'string' && !(part instanceof Uint8Array))
        throw argTypeError('data', NOT_DATA, part);
      return bytesOf(part) as Uint8Array;
    }),
  );
}

/** A detached buffer looks like an empty one, and would be sent as such. */
export function checkAttached(data: Uint8Array): void {
  if (data.length !== 0) return;
  try {
    new Uint8Array(data.buffer);
  } catch {
    throw stateError('The buffer is detached');
  }
}
