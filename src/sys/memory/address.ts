import { checkBytes } from '../check/check.js';
import { UasyncError } from '../errors/errors.js';
import { libc } from '../libc/libc.js';
import { markUntransferable } from './untransferable.js';

const bases = new WeakMap<ArrayBufferLike, number>();
const pinned = new WeakSet<ArrayBufferLike>();

/**
 * The address of a view's first byte. Reading `view.buffer` moves a small typed array out of V8's heap, and V8
 * never moves a backing store. The address is therefore valid for as long as the buffer lives.
 * @throws UasyncError ERR_INVALID_STATE when the buffer is detached.
 */
export function addressOf(view: ArrayBufferView): number {
  const buffer = view.buffer;
  if (view.byteLength === 0) return addressOfEmpty(buffer);
  let base = bases.get(buffer);
  if (base === undefined) {
    base = libc().addressOf(buffer);
    bases.set(buffer, base);
  }
  return base + view.byteOffset;
}

/** The address of a buffer if it has been asked for before; else 0. */
export function knownAddressOf(buffer: ArrayBufferLike): number {
  return bases.get(buffer) ?? 0;
}

/**
 * The address of a view that the kernel may write to. Marks its buffer as untransferable: if `postMessage` transferred
 * it meanwhile, the kernel would write to memory that another thread may free.
 */
export function pinnedAddressOf(view: ArrayBufferView): number {
  checkBytes('view', view);
  const { buffer } = view;
  const address = addressOf(view);
  if (!pinned.has(buffer)) {
    pinned.add(buffer);
    markUntransferable(buffer);
  }
  return address;
}

/** An empty view has no byte to point at. A detached one looks the same, but is an error. */
function addressOfEmpty(buffer: ArrayBufferLike): number {
  try {
    new Uint8Array(buffer);
  } catch {
    throw new UasyncError('ERR_INVALID_STATE', 'The buffer is detached');
  }
  return 0;
}
