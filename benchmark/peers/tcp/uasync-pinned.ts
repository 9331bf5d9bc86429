/** The server of `examples/tcp-echo.ts` with one pinned buffer per connection. `node uasync-pinned.js [port] [host]` */
import { allocPinned } from 'uasync';
import { type Connection, type InetAddress, listen } from 'uasync/net';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);
const SIZE = 256 * 1024;

async function echo(conn: Connection): Promise<void> {
  const buffer = allocPinned(SIZE);
  for (;;) {
    const length = await conn.readInto(buffer);
    if (length === 0) return conn.close();
    await conn.write(length === SIZE ? buffer : buffer.subarray(0, length));
  }
}

const server = await listen({ port: Number(port), host });
const { address, port: bound } = server.address as InetAddress;
console.log(`listening on ${address}:${bound}`);
for await (const conn of server) echo(conn).catch(() => {});
