/** Connections by the thousand that are opened and dropped, in every way there is. */
import { sleep } from 'uasync';
import { type Connection, connect, type InetAddress, listen } from 'uasync/net';

const AT_A_TIME = 100;
/** Closed connections keep their ports for a minute: several addresses have enough of them. */
const HOSTS = 8;

/** What the client does with the `i`th connection. */
export const drops: ((conn: Connection) => Promise<unknown>)[] = [
  conn => conn.close(),
  conn => conn.reset(),
  async conn => {
    await conn.write('hello');
    await conn.readExactly(5);
    await conn.close();
  },
  async conn => {
    await conn.write(Buffer.alloc(5000));
    await conn.reset();
  },
  async conn => {
    await conn.shutdown();
    await conn.read();
    await conn.close();
  },
  // The server is the first to go.
  async conn => {
    await conn.write('!');
    await conn.read().catch(() => {});
    await conn.close();
  },
];

/** Sends back what comes, and resets the connection on a chunk that begins with `!`. */
export async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) {
    if (chunk[0] === 0x21) {
      await conn.reset();
      return;
    }
    await conn.write(chunk);
  }
}

/**
 * Opens and drops `total` connections to a server of ours; resolves to how many it served when all are
 * gone. `progress` is told now and then how many are done.
 */
export async function churn(total: number, progress: (done: number) => void = () => {}): Promise<number> {
  const server = await listen({ port: 0, host: '0.0.0.0' });
  const { port } = server.address as InetAddress;
  let served = 0;
  let open = 0;
  const serving = (async () => {
    for await (const conn of server) {
      served++;
      open++;
      echo(conn)
        .catch(() => conn.reset())
        .finally(() => open--);
    }
  })();
  for (let done = 0; done < total; done += AT_A_TIME) {
    progress(done);
    await Promise.all(
      Array.from({ length: AT_A_TIME }, async (_, i) => {
        const conn = await connect({ port, host: `127.0.0.${1 + (i % HOSTS)}` });
        await drops[(done + i) % drops.length]!(conn);
      }),
    );
  }
  while (served < total || open > 0) await sleep(5);
  await server.close();
  await serving;
  return served;
}
