/** uasync/http with Hono. `node hono-uasync.js [port] [host]` */
import { replaceGlobals, serve } from 'uasync/http';
import { app } from './hono-app.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

replaceGlobals();
const server = await serve({ fetch: app().fetch, port: Number(port), host });
console.log(`listening on ${server.url.host}`);
