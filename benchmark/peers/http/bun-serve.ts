/** What the peers on Bun's own HTTP server share. */

declare const Bun: {
  serve(options: { port: number; hostname: string; fetch(request: Request): Response | Promise<Response> }): {
    port: number;
    hostname: string;
  };
};

/** Serves on the port and host of the command line, and says where. */
export function serve(fetch: (request: Request) => Response | Promise<Response>, skip = 0): void {
  const [port = '0', hostname = '127.0.0.1'] = process.argv.slice(2 + skip);
  const server = Bun.serve({ port: Number(port), hostname, fetch });
  console.log(`listening on ${server.hostname}:${server.port}`);
}
