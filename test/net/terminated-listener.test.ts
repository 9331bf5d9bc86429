/** Connections that were just being accepted when their worker was terminated: each hears of it. */
import { once } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { checkLeaks } from '../harness.js';
import { built } from '../programs.js';

checkLeaks();

/** Connects until it is refused; resolves when all that were connected have heard of an end. */
async function connectUntilRefused(port: number): Promise<number> {
  const ends: Promise<unknown>[] = [];
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    const closed = new Promise(resolve => socket.once('close', resolve));
    const connected = await Promise.race([
      once(socket, 'connect').catch(() => null),
      closed.then(() => null),
    ]);
    if (connected === null) break;
    ends.push(closed);
    socket.write('x');
    await new Promise(resolve => setImmediate(resolve));
  }
  await Promise.all(ends);
  return ends.length;
}

t.test('a worker that accepts is terminated', async t => {
  let clients = 0;
  for (let round = 0; round < 6; round++) {
    const worker = new Worker(built('test/fixtures/echo-worker.js'));
    const [port] = await once(worker, 'message');
    const lanes = Array.from({ length: 10 }, () => connectUntilRefused(port));
    await new Promise(resolve => setTimeout(resolve, 20 + Math.random() * 30));
    await worker.terminate();
    for (const count of await Promise.all(lanes)) clients += count;
  }
  t.ok(clients > 10, `${clients} clients heard of an end`);
});
