/**
 * `net.Socket` writes by `_writeGeneric`, which creates a request of Node's native classes for each write. A socket on
 * the loop needs none for bytes that are copied at once.
 */
import net from 'node:net';
import type { Entry } from '../parts.js';
import { StreamHandle } from '../stream/stream-handle.js';

/** The used private properties of a socket. */
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

/** Installs this. If Node does not have these methods, nothing changes. */
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
