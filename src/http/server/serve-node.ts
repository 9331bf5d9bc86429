/** `serveNode`: a server of `node:http` on the loop. */
import type { Server as StockServer } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { NodeServer, ServeNodeOptions } from './node-server.js';

/**
 * Listens with a server of `node:http` (Express, Fastify, Koa and others create one), with its connections on the loop.
 * Everything else is as after its own `listen()`. Resolves when it listens.
 * @throws (as a rejection) the errors of `listen`; ERR_SERVER_ALREADY_LISTEN; AbortError if `signal` is aborted before
 * it listens; TypeError and RangeError for wrong arguments.
 */
export async function serveNode(
  server: StockServer | Http2Server | Http2SecureServer,
  options: ServeNodeOptions = {},
): Promise<NodeServer> {
  const { openNodeServer } = await import('./node-server.js');
  return openNodeServer(server, options);
}
