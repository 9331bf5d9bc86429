/** Several buffers as one. */
import { stateError } from '../../sys/errors/errors.js';
import { sizeOf, toBytes } from '../arguments.js';

/** The bytes of the views, concatenated. */
export function gather(views: readonly ArrayBufferView[]): Buffer {
  // A detached view has no bytes, but cannot be concatenated.
  return Buffer.concat(views.map(view => toBytes(view)).filter(({ length }) => length !== 0));
}

/**
 * Fills views one after the other with `bytes`.
 * @param sizes the size of each when the call was made: some may have been detached or resized since.
 */
export function scatter(
  bytes: Uint8Array,
  views: readonly ArrayBufferView[],
  sizes: readonly number[],
): void {
  let at = 0;
  for (const [i, view] of views.entries()) {
    const piece = bytes.subarray(at, at + sizes[i]!);
    if (sizeOf(view) < sizes[i]!) throw stateError('A buffer was detached during read');
    if (piece.length !== 0) toBytes(view).set(piece);
    at += piece.length;
  }
}
