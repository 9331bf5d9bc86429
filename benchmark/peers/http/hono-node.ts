/** The peer: Hono on stock node:http, by `@hono/node-server`. `node hono-node.js [port] [host]` */
import type { Server } from 'node:http';
import { app } from './hono-app.js';
import { installed } from './installed.js';
import { listen } from './node-listen.js';

interface Adapter {
  createAdaptorServer(options: { fetch: unknown }): Server;
}

const { createAdaptorServer } = await installed<Adapter>('@hono/node-server');
listen(createAdaptorServer({ fetch: app().fetch }));
