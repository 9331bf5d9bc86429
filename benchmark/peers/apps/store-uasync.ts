/** A key-value server on uasync. `node store-uasync.js [port] [host]` */
import { type Connection, listen } from 'uasync/net';
import { Session } from './store.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

async function serve(conn: Connection): Promise<void> {
  const session = new Session();
  for await (const chunk of conn) {
    const answers = session.take(chunk);
    if (answers !== null) await conn.write(answers);
  }
}

const server = await listen({ port: Number(port), host });
console.log(`listening on ${host}:${server.address.port}`);
for await (const conn of server) serve(conn).catch(() => {});
