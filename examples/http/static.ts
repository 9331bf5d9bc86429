/** A folder as a web site: `node dist/examples/http/static.js [folder] [port] [host]`. */
import { serve, serveStatic } from 'uasync/http';

const [folder = '.', port = '8000', host = '127.0.0.1'] = process.argv.slice(2);

const server = await serve(serveStatic(folder, { headers: { 'Cache-Control': 'max-age=60' } }), {
  port: Number(port),
  host,
  accessLog: ({ method, url, status, bytes }) => console.log(method, url, status, bytes),
});
console.log(`listening on ${server.url.host}`);
