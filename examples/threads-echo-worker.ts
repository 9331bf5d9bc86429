/** The module that each thread of threads-echo.ts runs. */
import type { Connection, ThreadContext } from 'uasync/net';

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk);
}

export default async function serve(context: ThreadContext<{ port: number; host: string }>): Promise<void> {
  let served = 0;
  for await (const conn of await context.listen(context.data)) {
    served++;
    // A peer that resets its connection ends that connection, not the thread.
    echo(conn).catch(() => {});
  }
  await context.channel.send(`served ${served} connections`);
}
