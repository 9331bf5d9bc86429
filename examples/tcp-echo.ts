/**
 * An echo server: `node dist/examples/tcp-echo.js [port] [host]`.
 * It sends received data back, on any number of connections.
 */
import { type Connection, listen } from 'uasync/net';

const [port = '7000', host = '127.0.0.1'] = process.argv.slice(2);

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk);
}

const server = await listen({ port: Number(port), host });
const { address, port: bound } = server.address;
console.log(`listening on ${address}:${bound}`);

for await (const conn of server) {
  // A peer that resets its connection ends that connection, not the server.
  echo(conn).catch(() => {});
}
