/**
 * uasync/node/dgram: `node:dgram` with its sockets on the loop, for modules that import it. The rest of the program
 * keeps Node's own.
 */
import dgram from 'node:dgram';
import { putDatagramsOn } from './datagram/sockets.js';

/** A `dgram.Socket` that sends and receives through the loop. */
export class Socket extends dgram.Socket {}

putDatagramsOn(Socket.prototype, () => true);

/** As `dgram.createSocket`. */
export const createSocket: typeof dgram.createSocket = (...args: unknown[]) =>
  new (Socket as unknown as new (...args: unknown[]) => Socket)(...args);

const all = { ...dgram, Socket, createSocket };

/** The whole module, like `import dgram from 'node:dgram'`. */
export default all as unknown as typeof dgram;
