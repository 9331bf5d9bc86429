/** What is written while nothing else goes on is sent by a call of its own: what the socket does not take follows. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { loop } from 'uasync';
import { listen } from 'uasync/net';
import { checkLeaks, turns } from '../harness.js';
import { HOST, pair, portOf, readAll } from './sockets.js';

checkLeaks();

t.beforeEach(() => {
  loop().close();
  loop({ inline: true });
});

t.test('the first write of a quiet loop takes no operation, those behind it go together', async t => {
  const [a, b] = await pair(t);
  await turns();
  const before = loop().stats().submitted;
  const first = a.write('one ');
  t.equal(loop().stats().submitted, before);
  t.equal(a.bytesWritten, 4);
  t.equal(a.bufferedAmount, 0);
  const others = [a.write('two '), a.write(Buffer.from('three '))];
  t.equal(loop().stats().submitted, before + 1);
  await Promise.all([first, ...others]);
  await a.shutdown();
  t.equal((await readAll(b)).toString(), 'one two three ');
});

for (const [name, make] of [
  ['bytes', (i: number) => Buffer.alloc(16384, `${i},`)],
  ['text', (i: number) => `${i}€`.repeat(900)],
] as const) {
  t.test(`${name} that the socket takes in part arrive whole, in order`, async t => {
    const [a, b] = await pair(t);
    const sent: Buffer[] = [];
    const writes: Promise<void>[] = [];
    // Until the peer, who reads nothing, has a full buffer.
    for (let i = 0; a.bufferedAmount === 0; i++) {
      await turns(1);
      const data = make(i);
      sent.push(Buffer.from(data as string));
      writes.push(a.write(data));
      if (i > 5000) t.fail('it takes everything');
    }
    const closing = Promise.all(writes).then(() => a.shutdown());
    t.ok((await readAll(b)).equals(Buffer.concat(sent)));
    await closing;
    t.equal(a.bytesWritten, Buffer.concat(sent).length);
  });
}

t.test('a peer that has reset: the write rejects, and so do later ones', async t => {
  const server = await listen({ port: 0, host: HOST });
  const peer = net.connect(portOf(server), HOST);
  const connection = await server.accept();
  peer.resetAndDestroy();
  await once(peer, 'close');
  await t.rejects(
    async () => {
      for (;;) await connection.write('x');
    },
    { code: /ECONNRESET|EPIPE/, syscall: 'write' },
  );
  await t.rejects(connection.write('x'), { code: /ECONNRESET|EPIPE/ });
  await connection.close();
  await server.close();
});

t.test('empty writes, and detached ones, send nothing', async t => {
  const [a, b] = await pair(t);
  await a.write('');
  await a.write(new Uint8Array(0));
  const gone = new Uint8Array(10);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  await a.write(gone);
  t.equal(a.bytesWritten, 0);
  await a.shutdown();
  t.equal((await readAll(b)).length, 0);
});
