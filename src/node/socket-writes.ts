/**
 * `net.Socket` writes by `_writeGeneric`, which makes a request of Node's native classes for each write. A socket on the
 * loop needs none for what is copied at once.
 */
import net from 'node:net';
import type { Entry } from './parts.js';
import { StreamHandle } from './stream-handle.js';

/** What is used of a socket that is not public. */
interface PrivateSocket {
  _handle: unknown;
  readonly connecting: boolean;
  _pendingData: unknown;
  _pendingEncoding: string;
  _unrefTimer(): void;
}

type Write = (
  this: PrivateSocket,
  writev: boolean,
  data: unknown,
  encoding: string,
  done: (error?: Error) => void,
) => unknown;

let bridged = false;

/** Makes it so. Where Node has no such methods it stays as it is. */
export function bridgeWrites(): void {
  if (bridged) return;
  bridged = true;
  const sockets = net.Socket.prototype as unknown as { _writeGeneric: Write; _unrefTimer: unknown };
  const { _writeGeneric: write, _unrefTimer } = sockets;
  if (typeof write !== 'function' || typeof _unrefTimer !== 'function') return;
  sockets._writeGeneric = function (writev, data, encoding, done) {
    const { _handle: handle } = this;
    const copied =
      handle instanceof StreamHandle &&
      !this.connecting &&
      (writev ? handle.copyAll(data as Entry[]) : handle.copy(data as Uint8Array | string, encoding));
    if (!copied) return write.call(this, writev, data, encoding, done);
    this._pendingData = null;
    this._pendingEncoding = '';
    this._unrefTimer();
    done();
  };
}
