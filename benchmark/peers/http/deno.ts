/** The peer: Deno's own HTTP server. `deno run --allow-net deno.js [port] [host]` */
import { BODY } from './hello.js';

declare const Deno: {
  args: string[];
  serve(
    options: {
      port: number;
      hostname: string;
      onListen(address: { hostname: string; port: number }): void;
    },
    handler: () => Response,
  ): unknown;
};

const [port = '0', hostname = '127.0.0.1'] = Deno.args;

Deno.serve(
  {
    port: Number(port),
    hostname,
    onListen: address => console.log(`listening on ${address.hostname}:${address.port}`),
  },
  () => new Response(BODY, { headers: { 'Content-Type': 'text/plain' } }),
);
