/** The peer: Bun's own HTTP server. `bun bun.js [port] [host]` */
import { BODY } from './hello.js';

declare const Bun: {
  serve(options: { port: number; hostname: string; fetch(): Response }): { port: number; hostname: string };
};

const [port = '0', hostname = '127.0.0.1'] = process.argv.slice(2);

const server = Bun.serve({
  port: Number(port),
  hostname,
  fetch: () => new Response(BODY, { headers: { 'Content-Type': 'text/plain' } }),
});
console.log(`listening on ${server.hostname}:${server.port}`);
