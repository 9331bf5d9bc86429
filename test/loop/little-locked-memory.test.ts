/** Loops that have to make do with smaller queues than they are to have. */
import t from 'tap';
import { ringsAreCounted } from '../../src/ring/locked-memory.js';
import { evalLocked, noOrdinaryUser } from '../ordinary-user.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

const ECHO = `
  import { loop, sleep } from 'uasync';
  import { readFile } from 'uasync/fs';
  import { connect, listen } from 'uasync/net';
  await sleep(1);
  const text = await readFile('package.json', 'utf8');
  const server = await listen({ port: 0, host: '127.0.0.1' });
  server.accept().then(async conn => { await conn.write(await conn.read()); await conn.close(); });
  const conn = await connect(server.address);
  await conn.write('hello');
  const answer = String(await conn.read());
  await conn.close();
  await server.close();
  const { entries, cqEntries } = loop();`;

interface Echo {
  answer: string;
  length: number;
  entries: number;
  cqEntries: number;
}

/** From Node 22 on each process has two rings of libuv's: what a user has locked without any of ours, in KiB. */
const NODES_OWN = Number(process.versions.node.split('.')[0]) >= 22 ? 56 : 0;

for (const kib of [64, 16]) {
  t.test(`one loop in ${kib} KiB beside Node's own: timers, files, sockets`, { skip }, async t => {
    const source = `${ECHO}
      console.log(JSON.stringify({ answer, length: text.length, entries, cqEntries }));`;
    const { answer, entries, cqEntries } = await evalLocked<Echo>((kib + NODES_OWN) * KIB, source);
    t.equal(answer, 'hello');
    t.ok(entries === 64 || entries === 128, `${entries} entries`);
    t.ok(cqEntries >= 2 * entries);
  });
}

t.test('one loop in 64 KiB, with what Node takes: timers and files', { skip }, async t => {
  const length = await evalLocked<number>(
    64 * KIB,
    `import { sleep } from 'uasync';
    import { readFile } from 'uasync/fs';
    await sleep(1);
    console.log((await readFile('package.json', 'utf8')).length);`,
  );
  t.ok(length > 0);
});

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
