/** A TCP proxy: `node dist/examples/proxy.js TARGET_HOST:PORT [port] [host]`. */
import { type Connection, connect, listen } from 'uasync/net';

const [target = '127.0.0.1:80', port = '7000', host = '127.0.0.1'] = process.argv.slice(2);
const { hostname, port: targetPort } = new URL(`tcp://${target}`);

async function forward(inner: Connection): Promise<void> {
  const outer = await connect({ host: hostname, port: Number(targetPort), timeout: 5000 });
  try {
    await Promise.all([inner.pipeTo(outer), outer.pipeTo(inner)]);
    await outer.close();
  } catch (error) {
    // The other pipe ends with it.
    await outer.reset();
    throw error;
  }
}

const server = await listen({ port: Number(port), host });
console.log(`listening on ${host}:${server.address.port}`);

for await (const conn of server) {
  forward(conn).then(
    () => conn.close(),
    error => {
      console.error(error.message);
      conn.reset();
    },
  );
}
