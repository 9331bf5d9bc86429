/** The peer: Deno's own HTTP server, JSON. `deno run --allow-net json-deno.js [port] [host]` */
import { answer } from './json.js';

declare const Deno: {
  args: string[];
  serve(
    options: { port: number; hostname: string; onListen(address: { hostname: string; port: number }): void },
    handler: (request: Request) => Promise<Response>,
  ): unknown;
};

const [port = '0', hostname = '127.0.0.1'] = Deno.args;

Deno.serve(
  {
    port: Number(port),
    hostname,
    onListen: address => console.log(`listening on ${address.hostname}:${address.port}`),
  },
  request => answer(request, Response as never),
);
