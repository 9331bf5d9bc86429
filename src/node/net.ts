/**
 * uasync/node/net: `node:net` with its sockets and servers on the loop, for modules that import it. The rest of the
 * program keeps Node's own.
 */
import net from 'node:net';
import { netFits } from './ready.js';
import { putOn } from './stream/put-on.js';

export * from 'node:net';

/** A `net.Socket` that connects through the loop. */
export class Socket extends net.Socket {}

/** A `net.Server` whose connections are on the loop. */
export class Server extends net.Server {}

putOn(Socket.prototype, Server.prototype, { clients: netFits, servers: netFits });

/** As `net.createServer`. */
export const createServer: typeof net.createServer = (...args: unknown[]) =>
  new Server(...(args as ConstructorParameters<typeof net.Server>));

/** As `net.connect`. */
export const connect: typeof net.connect = (...args: unknown[]) => {
  const [first] = args;
  const options = (typeof first === 'object' && first !== null ? first : {}) as net.SocketConstructorOpts;
  const socket = new Socket(options);
  const { timeout } = options as { timeout?: number };
  if (timeout) socket.setTimeout(timeout);
  return (socket.connect as (...args: unknown[]) => Socket).apply(socket, args);
};

/** As `net.createConnection`. */
export const createConnection: typeof net.createConnection = connect;

/**
 * Puts a single server of Node's, which is not listening yet, on the loop, for example an `http.Server`:
 * `onLoop(http.createServer(handler)).listen(8080)`. Servers of `node:tls` and `node:https` stay Node's.
 */
export function onLoop<S extends net.Server>(server: S): S {
  const { _listen2 } = Server.prototype as unknown as { _listen2: unknown };
  return Object.defineProperty(server, '_listen2', { value: _listen2, configurable: true, writable: true });
}

const all = { ...net, Socket, Stream: Socket, Server, createServer, connect, createConnection };

/** The whole module, like `import net from 'node:net'`. */
export default all as unknown as typeof net;
