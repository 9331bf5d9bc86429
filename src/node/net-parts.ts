/** `node:net` on the loop for the whole process: loaded where that is wanted. */
import net from 'node:net';
import { netFits } from './ready.js';
import { putOn } from './stream/put-on.js';

/** Puts its classes on the loop. @param wanted asked whenever a socket connects, or a server listens. */
export function putNetOn(wanted: { readonly clients: boolean; readonly servers: boolean }): void {
  putOn(net.Socket.prototype, net.Server.prototype, {
    clients: () => wanted.clients && netFits(),
    servers: () => wanted.servers && netFits(),
  });
}
