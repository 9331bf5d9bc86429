/** `net.Socket.connect` on the loop: the socket gets a handle before Node would create a native one. */
import type { Socket } from 'node:net';
import { ReceiveBuffers } from '../../net/stream/receive-buffers.js';
import { availableLoop } from '../available.js';
import { bindings, symbolOf } from '../natives.js';
import { isForHttp2 } from './http2.js';
import { PipeHandle } from './pipe-handle.js';
import { TcpHandle } from './tcp-handle.js';

/** The private properties of a socket that are used. */
interface PrivateSocket {
  _handle: object | null;
  _parent?: { connecting?: boolean } | null;
  _peername?: unknown;
  _sockname?: unknown;
  readonly destroyed: boolean;
  /** A tls.TLSSocket. */
  readonly encrypted?: boolean;
  [method: symbol]: (handle: object) => void;
}

type Connect = (this: Socket, ...args: unknown[]) => Socket;
type Reinitialize = (this: Socket, handle: object) => void;

/** The original methods. */
interface SocketMethods {
  connect: Connect;
  reinitialize: Reinitialize;
}

/** The key of the method that gives a socket a new handle, for the next of several addresses. */
export function reinitializeKey(prototype: object): symbol | undefined {
  return symbolOf(prototype, 'kReinitializeHandle');
}

export function socketMethods(prototype: object): SocketMethods {
  const methods = prototype as Record<PropertyKey, unknown>;
  return {
    connect: methods.connect as Connect,
    reinitialize: methods[reinitializeKey(prototype)!] as Reinitialize,
  };
}

/** Whether the arguments of `connect`, raw or normalised, contain a path. */
function leadsToPath(args: unknown[]): boolean {
  const [first] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof first === 'object' && first !== null) return Boolean((first as { path?: unknown }).path);
  return typeof first === 'string' && !(Number(first) >= 0);
}

/** The same methods, giving sockets handles on the loop. */
export function withHandles({ connect, reinitialize }: SocketMethods, enabled: () => boolean): SocketMethods {
  return {
    connect(...args) {
      const socket = this as unknown as PrivateSocket;
      const fresh = !socket.encrypted && !socket._parent && (!socket._handle || socket.destroyed);
      const loop = fresh && enabled() && !isForHttp2() ? availableLoop(ReceiveBuffers) : null;
      if (loop === null) return connect.apply(this, args);
      const before = socket._handle;
      socket._handle = null;
      if (socket.destroyed) {
        socket._peername = null;
        socket._sockname = null;
      }
      reinitialize.call(this, leadsToPath(args) ? new PipeHandle(loop) : new TcpHandle(loop));
      try {
        return connect.apply(this, args);
      } catch (error) {
        socket._handle = before;
        throw error;
      }
    },
    reinitialize(handle) {
      const socket = this as unknown as PrivateSocket;
      const { _handle } = socket;
      // The next address is tried with a handle of the same kind.
      if (_handle instanceof TcpHandle && handle.constructor === bindings().TCP) {
        (handle as { close(): void }).close();
        reinitialize.call(this, new TcpHandle(_handle.loop));
      } else reinitialize.call(this, handle);
    },
  };
}
