import { markAsUntransferable } from 'node:worker_threads';
import { UasyncError } from './errors.js';
import { libc } from './libc.js';

const bases = new WeakMap<ArrayBufferLike, number>();

/**
 * The address of a view's first byte. Reading `view.buffer` moves a small typed array out of V8's heap,
 * and V8 never moves a backing store, so the address stays right for as long as the buffer lives.
 *
 * The buffer is marked untransferable: a `postMessage` that took it away while the kernel writes to it
 * would leave the kernel writing to memory that another thread may free.
 *
 * @throws UasyncError ERR_INVALID_STATE when the buffer is detached.
 */
export function addressOf(view: ArrayBufferView): number {
  const buffer = view.buffer;
  if (view.byteLength === 0) return addressOfEmpty(buffer);
  return (bases.get(buffer) ?? learnBase(buffer)) + view.byteOffset;
}

function learnBase(buffer: ArrayBufferLike): number {
  const base = libc().addressOf(buffer);
  if (buffer instanceof ArrayBuffer) markAsUntransferable(buffer);
  bases.set(buffer, base);
  return base;
}

/** An empty view has no byte to point at, but a detached one, which looks the same, is a mistake. */
function addressOfEmpty(buffer: ArrayBufferLike): number {
  try {
    new Uint8Array(buffer);
  } catch {
    throw new UasyncError('ERR_INVALID_STATE', 'The buffer is detached');
  }
  return 0;
}
