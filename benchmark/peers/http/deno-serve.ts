/** What the peers on Deno's own HTTP server share. */

declare const Deno: {
  args: string[];
  serve(
    options: {
      port: number;
      hostname: string;
      onListen(address: { hostname: string; port: number }): void;
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): unknown;
};

/** Serves on the port and host of the command line, and says where. */
export function serve(handler: (request: Request) => Response | Promise<Response>): void {
  const [port = '0', hostname = '127.0.0.1'] = Deno.args;
  const onListen = (address: { hostname: string; port: number }): void =>
    console.log(`listening on ${address.hostname}:${address.port}`);
  Deno.serve({ port: Number(port), hostname, onListen }, handler);
}
