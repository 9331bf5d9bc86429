/** uasync/http. `node uasync-fetch.js [port] [host]` */
import { Response, serve } from 'uasync/http';
import { BODY } from './hello.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const handler = (): Response => new Response(BODY, { headers: { 'Content-Type': 'text/plain' } });
const server = await serve(handler, { port: Number(port), host });
console.log(`listening on ${server.url.host}`);
