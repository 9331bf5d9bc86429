/** Loops that have to make do with smaller queues than they are to have. */
import t from 'tap';
import { ringsAreCounted } from '../../src/ring/locked-memory.js';
import { evalLocked, noOrdinaryUser } from '../ordinary-user.js';
import '../patience.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

/** More than all receive buffers hold, there and back; and more datagrams than there are buffers. */
const ECHO = `
  import { loop, sleep } from 'uasync';
  import { readFile } from 'uasync/fs';
  import { bind, connect, listen } from 'uasync/net';
  import { createHash, randomBytes } from 'node:crypto';
  await sleep(1);
  const text = await readFile('package.json', 'utf8');
  const server = await listen({ port: 0, host: '127.0.0.1' });
  server.accept().then(async conn => {
    for await (const chunk of conn) await conn.write(chunk);
    await conn.close();
  });
  const conn = await connect(server.address);
  const bytes = randomBytes(10_000_000);
  conn.write(bytes).then(() => conn.shutdown());
  const back = createHash('sha1');
  for await (const chunk of conn) back.update(chunk);
  const echoed = back.digest('hex') === createHash('sha1').update(bytes).digest('hex') ? 'the same' : 'other bytes';
  await conn.close();
  await server.close();
  const [a, b] = [await bind({ port: 0, host: '127.0.0.1' }), await bind({ port: 0, host: '127.0.0.1' })];
  let datagram;
  for (let i = 0; i < 300; i++) {
    await a.send('datagram ' + i, b.address.port, '127.0.0.1');
    datagram = String((await b.recv()).data);
  }
  await a.close();
  await b.close();
  await sleep(1);
  const { inFlight } = loop().stats();
  const { entries, cqEntries } = loop();`;

interface Echo {
  echoed: string;
  length: number;
  datagram: string;
  entries: number;
  cqEntries: number;
  inFlight: number;
}

// From Node 22 on Node itself takes 56 KiB of the 64. With 8 KiB there is the smallest ring and nothing else: the
// buffers of sockets are not in rings then.
for (const kib of [64, 16, 8]) {
  t.test(`one loop in ${kib} KiB: timers, files, sockets`, { skip }, async t => {
    const source = `${ECHO}
      console.log(JSON.stringify({ echoed, length: text.length, datagram, entries, cqEntries, inFlight }));`;
    const result = await evalLocked<Echo>(kib * KIB, source);
    t.equal(result.echoed, 'the same');
    t.equal(result.datagram, 'datagram 299');
    t.ok(result.length > 0);
    t.ok(result.entries === 64 || result.entries === 128, `${result.entries} entries`);
    t.ok(result.cqEntries >= 2 * result.entries);
    t.equal(result.inFlight, 0);
  });
}

t.test('sizes that were asked for are tried smaller too', { skip }, async t => {
  const { entries, cqEntries, done } = await evalLocked<{ entries: number; cqEntries: number; done: number }>(
    MIB,
    `import { loop, nop } from 'uasync';
    const { entries, cqEntries } = loop({ entries: 32768, cqEntries: 65536 });
    const done = (await Promise.all(Array.from({ length: 100_000 }, () => nop()))).length;
    console.log(JSON.stringify({ entries, cqEntries, done }));`,
  );
  t.ok(entries < 32768 && entries >= 1024, `${entries} entries`);
  t.equal(cqEntries, 2 * entries);
  t.equal(done, 100_000);
});
