/**
 * Type checks that work across realms. `instanceof` is false for objects of a vm context, in which jest runs tests.
 * test/layers.test.ts checks that src/ uses node:util/types instead.
 */
import { isTypedArray, isUint8Array } from 'node:util/types';
import { stateError } from '../errors/errors.js';

/** `at` of any typed array: it throws for one that is detached, or whose buffer has shrunk below it. */
const { at } = Uint8Array.prototype;

/**
 * The bytes of a view or of a whole buffer, without a copy.
 * @throws UasyncError ERR_INVALID_STATE when the buffer is detached, or has shrunk below the view.
 */
export function bytesIn(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  if (isUint8Array(data) && data.length !== 0) return data;
  try {
    if (!ArrayBuffer.isView(data)) return new Uint8Array(data, 0, data.byteLength);
    // A detached one looks like an empty one.
    if (data.byteLength === 0 && isTypedArray(data)) at.call(data as Uint8Array, 0);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  } catch {
    throw stateError('The buffer is detached');
  }
}

/** Whether it is a URL, by Node's own test: it may come from another realm, or from a library. */
export function isUrl(value: unknown): value is URL {
  const { href, protocol, auth, path } = (value ?? {}) as URL & { auth?: unknown; path?: unknown };
  return Boolean(href && protocol && auth === undefined && path === undefined);
}
