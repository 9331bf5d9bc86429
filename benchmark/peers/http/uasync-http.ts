/** node:http on the loop, by `serveNode`. `node uasync-http.js [port] [host]` */
import { createServer } from 'node:http';
import { serveNode } from 'uasync/http';
import { hello } from './hello.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = await serveNode(createServer(hello), { port: Number(port), host });
console.log(`listening on ${server.url.host}`);
