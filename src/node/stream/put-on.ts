import net from 'node:net';
import { reinitializeKey, socketMethods, withHandles } from './client-sockets.js';
import { type Listen, listenWithHandles } from './servers.js';

/** Called whenever a socket connects, or a server listens. */
interface Enabled {
  clients(): boolean;
  servers(): boolean;
}

const stockListen = (net.Server.prototype as unknown as { _listen2?: Listen })._listen2;

/**
 * Gives objects the methods that put sockets and servers on the loop: the prototypes of Node's classes, or others.
 * Methods that the running Node does not have are left out; the self-test then reports it.
 */
export function putOn(sockets: object, servers: object, enabled: Enabled): void {
  const key = reinitializeKey(net.Socket.prototype);
  if (key === undefined || stockListen === undefined) return;
  const { connect, reinitialize } = withHandles(socketMethods(net.Socket.prototype), enabled.clients);
  define(sockets, 'connect', connect);
  define(sockets, key, reinitialize);
  define(servers, '_listen2', listenWithHandles(stockListen, enabled.servers));
}

function define(target: object, key: PropertyKey, value: unknown): void {
  const { enumerable = false } = Object.getOwnPropertyDescriptor(target, key) ?? {};
  Object.defineProperty(target, key, { value, enumerable, configurable: true, writable: true });
}
