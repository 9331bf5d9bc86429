/** Connections at the limit of the loop's memory. */
import net from 'node:net';
import t from 'tap';
import { loop, sleep } from 'uasync';
import { listen } from 'uasync/net';
import { checkLeaks, turns, whenClosed } from '../harness.js';
import { HOST, pair, portOf } from './sockets.js';

const MIB = 1 << 20;
// What a socket takes at once needs no memory of the loop's.
loop({ memory: MIB, inline: false });
checkLeaks();

t.test('a pipe that finds but a small block holds none when it is given up', async t => {
  const server = await listen({ port: 0, host: HOST });
  const source = net.connect(portOf(server), HOST);
  const gone = whenClosed(source);
  const front = await server.accept();
  await server.close();
  const [back, target] = await pair(t);
  back.setSendBufferSize(16 * 1024);
  target.setRecvBufferSize(16 * 1024);
  const abort = new AbortController();
  const piping = front.pipeTo(back, { signal: abort.signal });
  let sent = 0;
  const send = async (length: number): Promise<void> => {
    source.write(Buffer.alloc(length));
    sent += length;
    while (front.bytesRead < sent) await sleep(1);
    await turns();
  };
  // Lent, which takes no block, until one is stuck.
  while (back.bufferedAmount === 0) await send(20_000);
  // Small blocks are there, and all others in use.
  const [other, end] = await pair(t);
  await other.write('small');
  t.equal((await end.readExactly(5)).length, 5);
  const stuck = await Promise.all(Array.from({ length: 3 }, () => pair(t)));
  const writes = stuck.map(([conn]) => conn.write(Buffer.alloc(20_000_000)).catch(() => {}));
  await turns();
  const { mapped, used } = loop().stats().blocks;
  t.ok(mapped >= MIB && used >= MIB - 256 * 1024, 'there is no more');
  await send(8000);
  abort.abort();
  await t.rejects(piping, { name: 'AbortError' });
  await Promise.all([target.readExactly(sent - 8000), back.drained()]);
  t.ok(loop().stats().blocks.used <= used, 'the pipe has none');
  await Promise.all(stuck.map(([conn]) => conn.reset()));
  await Promise.all(writes);
  await front.close();
  source.destroy();
  await gone;
});
