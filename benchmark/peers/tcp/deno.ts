/** The peer in Deno: its own sockets, awaited. `deno run --allow-net deno.js [port] [host]` */

interface Conn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  setNoDelay(): void;
  close(): void;
}
declare const Deno: {
  args: string[];
  listen(options: { hostname: string; port: number }): AsyncIterable<Conn> & {
    addr: { hostname: string; port: number };
  };
};

const [port = '0', hostname = '127.0.0.1'] = Deno.args;

async function echo(conn: Conn): Promise<void> {
  conn.setNoDelay();
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (;;) {
      const length = await conn.read(buffer);
      if (length === null) return;
      for (let at = 0; at < length; ) at += await conn.write(buffer.subarray(at, length));
    }
  } finally {
    conn.close();
  }
}

const server = Deno.listen({ hostname, port: Number(port) });
console.log(`listening on ${server.addr.hostname}:${server.addr.port}`);
for await (const conn of server) echo(conn).catch(() => {});
