/** Several buffers as one. */
import { stateError } from '../ring/errors.js';
import { toBytes } from './arguments.js';

/** Their bytes, one after the other. */
export function gather(buffers: readonly ArrayBufferView[]): Buffer {
  return Buffer.concat(buffers.map(buffer => toBytes(buffer)));
}

/** Fills them one after the other with `bytes`, which fit unless a buffer was detached meanwhile. */
export function scatter(bytes: Uint8Array, buffers: readonly ArrayBufferView[]): void {
  let at = 0;
  for (const buffer of buffers) {
    if (at === bytes.length) return;
    const piece = bytes.subarray(at, at + buffer.byteLength);
    toBytes(buffer).set(piece);
    at += piece.length;
  }
  if (at < bytes.length) throw stateError('A buffer was detached during read');
}
