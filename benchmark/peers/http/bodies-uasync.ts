/** uasync/http, streams. `node bodies-uasync.js [port] [host]` */
import { Response as OwnResponse, serve } from 'uasync/http';
import { answer } from './bodies.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = await serve(request => answer(request, OwnResponse as never), { port: Number(port), host });
console.log(`listening on ${server.url.host}`);
