/**
 * An echo server on several cores: `node dist/examples/threads-echo.js [port] [threads]`, by default one thread per
 * core. SIGINT or SIGTERM lets open connections finish for five seconds, then ends.
 */
import { type Channel, signals } from 'uasync';
import { serveOnThreads } from 'uasync/net';

const [port = '7000', threads] = process.argv.slice(2);

/** Prints the messages of a thread, until it ends. */
async function report(id: number, channel: Channel): Promise<void> {
  for await (const text of channel) console.log(`thread ${id}: ${text}`);
}

const server = await serveOnThreads(
  threads === undefined ? undefined : Number(threads),
  new URL('./threads-echo-worker.js', import.meta.url),
  {
    data: { port: Number(port), host: '127.0.0.1' },
    onStart: ({ id, channel }) => report(id, channel),
    onCrash: ({ id, error, delay }) => console.error(`thread ${id}: ${error.message}; again in ${delay} ms`),
  },
);
const { address, port: bound } = server.address!;
console.log(`listening on ${address}:${bound}`);

for await (const name of signals('SIGINT', 'SIGTERM')) {
  console.log(`${name}: ending`);
  await server.stop({ timeout: 5000 });
  break;
}
