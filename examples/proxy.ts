/** A TCP proxy: `node dist/examples/proxy.js LISTEN_PORT TARGET_HOST TARGET_PORT`. */
import { type Connection, connect, listen } from 'uasync/net';

const [port = '7000', host = '127.0.0.1', target = '80'] = process.argv.slice(2);

async function forward(inner: Connection): Promise<void> {
  const outer = await connect({ host, port: Number(target), timeout: 5000 });
  try {
    await Promise.all([inner.pipeTo(outer), outer.pipeTo(inner)]);
    await outer.close();
  } catch (error) {
    // The other pipe ends with it.
    await outer.reset();
    throw error;
  }
}

const server = await listen({ port: Number(port), host: '127.0.0.1' });
console.log(`listening on 127.0.0.1:${server.address.port}`);

for await (const conn of server) {
  forward(conn).then(
    () => conn.close(),
    error => {
      console.error(error.message);
      conn.reset();
    },
  );
}
