/** An echo server with `pipeTo`. `node uasync-pipe.js [port] [host]` */
import { type InetAddress, listen } from 'uasync/net';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = await listen({ port: Number(port), host });
const { address, port: bound } = server.address as InetAddress;
console.log(`listening on ${address}:${bound}`);
for await (const conn of server) {
  conn.pipeTo(conn).then(
    () => conn.close(),
    () => conn.reset(),
  );
}
