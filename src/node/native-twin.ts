/** Native handles for sockets on the loop, for the parts of Node that accept no other. */
import { disown } from '../loop/closing/owned-descriptors.js';
import { libc } from '../sys/libc/libc.js';
import type { NativeHandle } from './natives.js';

/** The method of a handle that creates its native twin. */
export const makeNative = Symbol('uasync.makeNative');

/** A handle that can have a native twin, which is closed with it. */
export interface Twinned {
  /** Null if there is no descriptor, or no free one for the twin. */
  [makeNative](): NativeHandle | null;
}

/** The native twin of one of our handles; returns anything else unchanged. */
export function nativeOf<T>(handle: T): T | NativeHandle {
  if (typeof handle !== 'object' || handle === null || !(makeNative in handle)) return handle;
  return (handle as Twinned)[makeNative]() ?? handle;
}

/** Opens a duplicate of a descriptor with a new native handle. */
export function twinOf(fd: number, native: NativeHandle): NativeHandle | null {
  const copy = libc().duplicate(fd);
  if (copy >= 0) {
    // It belongs to the native handle from now on.
    disown(copy);
    if (native.open(copy) === 0) return native;
    libc().close(copy);
  }
  native.close();
  return null;
}
