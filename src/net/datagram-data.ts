import { stateError } from '../ring/errors.js';
import { toBytes, type WriteData } from './write-data.js';

/** What a datagram consists of: text is sent as UTF-8, the parts of an array one behind the other. */
export type DatagramData = WriteData;

/** The bytes of a datagram. */
export function bytesOf(data: DatagramData): Uint8Array {
  if (data instanceof Uint8Array) checkAttached(data);
  else if (Array.isArray(data)) {
    for (const part of data) if (part instanceof Uint8Array) checkAttached(part);
  }
  return toBytes(data);
}

const NOTHING = new Uint8Array(0);

/** A buffer that was detached, or shrunk below the view, looks like an empty one, and would be sent as such. */
export function checkAttached(data: Uint8Array): void {
  if (data.length !== 0) return;
  try {
    NOTHING.set(data);
  } catch {
    throw stateError('The buffer is detached');
  }
}
