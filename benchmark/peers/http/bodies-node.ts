/** The peer: stock node:http, streams. `node bodies-node.js [port] [host]` */
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BLOCK, LARGE } from './bodies.js';
import { listen } from './node-listen.js';

function* download(): Generator<Uint8Array> {
  for (let left = LARGE; left > 0; left -= BLOCK.length) yield BLOCK;
}

const server = createServer(async (request, response) => {
  if (request.method !== 'POST') {
    await pipeline(Readable.from(download(), { objectMode: false }), response);
    return;
  }
  let size = 0;
  request.on('data', chunk => {
    size += chunk.length;
  });
  request.on('end', () => response.end(String(size)));
});
listen(server);
