/** Native handles of sockets on the loop, for the parts of Node that can do with no other. */

import { disown } from '../loop/owned-descriptors.js';
import { libc } from '../ring/libc.js';
import { bindings, type NativeHandle } from './natives.js';
import { StreamHandle } from './stream-handle.js';
import { TcpHandle } from './tcp-handle.js';

/** A native handle in place of one of ours; anything else is returned as it is. It is closed with the original. */
export function nativeOf<T>(handle: T): T | NativeHandle {
  if (!(handle instanceof StreamHandle) || handle.fd < 0) return handle;
  handle.yieldTo();
  handle.twin ??= twinOf(handle);
  return handle.twin ?? handle;
}

function twinOf(handle: StreamHandle): NativeHandle | null {
  const { TCP, tcpConstants, Pipe, pipeConstants } = bindings();
  const fd = libc().duplicate(handle.fd);
  if (fd < 0) return null;
  // It is the native handle's from now on.
  disown(fd);
  const isServer = handle.kind === 'Server';
  const twin =
    handle instanceof TcpHandle
      ? new TCP((isServer ? tcpConstants.SERVER : tcpConstants.SOCKET)!)
      : new Pipe((isServer ? pipeConstants.SERVER : pipeConstants.SOCKET)!);
  if (twin.open(fd) === 0) return twin;
  twin.close();
  libc().close(fd);
  return null;
}
