/** Native handles of sockets on the loop, for the parts of Node that can do with no other. */
import { disown } from '../loop/owned-descriptors.js';
import { libc } from '../ring/libc.js';
import type { NativeHandle } from './natives.js';

/** The method of a handle that makes its native twin. */
export const makeNative = Symbol('uasync.makeNative');

/** A handle that can have a native one beside it, which is closed with it. */
export interface Twinned {
  /** Null where there is no descriptor, or no other. */
  [makeNative](): NativeHandle | null;
}

/** A native handle in place of one of ours; anything else is returned as it is. */
export function nativeOf<T>(handle: T): T | NativeHandle {
  if (typeof handle !== 'object' || handle === null || !(makeNative in handle)) return handle;
  return (handle as Twinned)[makeNative]() ?? handle;
}

/** Has a new native handle open a duplicate of a descriptor. */
export function twinOf(fd: number, native: NativeHandle): NativeHandle | null {
  const copy = libc().duplicate(fd);
  if (copy >= 0) {
    // It is the native handle's from now on.
    disown(copy);
    if (native.open(copy) === 0) return native;
    libc().close(copy);
  }
  native.close();
  return null;
}
