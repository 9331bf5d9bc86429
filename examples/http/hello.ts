/** HTTP in a few lines: `node dist/examples/http/hello.js [port] [host]`. */
import { Response, serve } from 'uasync/http';

const [port = '8000', host = '127.0.0.1'] = process.argv.slice(2);

const server = await serve(
  request => new Response(`hello, ${new URL(request.url).pathname.slice(1) || 'world'}\n`),
  {
    port: Number(port),
    host,
  },
);
console.log(`listening on ${server.url.host}`);
process.once('SIGTERM', () => void server.stop());
