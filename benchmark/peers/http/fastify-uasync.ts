/** Fastify on the loop, by `serveNode`. `node fastify-uasync.js [port] [host]` */
import { serveNode } from 'uasync/http';
import { app } from './fastify-app.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = await serveNode((await app()).server, { port: Number(port), host });
console.log(`listening on ${server.url.host}`);
