/** The answer of every HTTP server here. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export const BODY = 'Hello, world!\n';
/** Likewise, as JSON. */
export const OBJECT = { hello: 'world' };

export function hello(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length });
  response.end(BODY);
}
