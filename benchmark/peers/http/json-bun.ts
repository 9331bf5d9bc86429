/** The peer: Bun's own HTTP server, JSON. `bun json-bun.js [port] [host]` */
import { answer } from './json.js';

declare const Bun: {
  serve(options: { port: number; hostname: string; fetch(request: Request): Promise<Response> }): {
    port: number;
    hostname: string;
  };
};

const [port = '0', hostname = '127.0.0.1'] = process.argv.slice(2);

const server = Bun.serve({
  port: Number(port),
  hostname,
  fetch: request => answer(request, Response as never),
});
console.log(`listening on ${server.hostname}:${server.port}`);
