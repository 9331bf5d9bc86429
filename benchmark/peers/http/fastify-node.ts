/** The peer: Fastify on stock node:http. `node fastify-node.js [port] [host]` */
import { app } from './fastify-app.js';
import { listen } from './node-listen.js';

listen((await app()).server);
