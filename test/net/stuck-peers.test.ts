/** Peers that never read, at the limit of the loop's memory. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop, sleep } from 'uasync';
import { open, readFile } from 'uasync/fs';
import type { Connection } from 'uasync/net';
import { checkLeaks, scratchFolder, seededRandom, standstill, turns, until } from '../harness.js';
import { pair, pattern, unixPair } from './sockets.js';

const MIB = 1 << 20;
loop({ memory: MIB });
checkLeaks();
const folder = scratchFolder();

t.test('all memory is in four large blocks', async t => {
  const pairs = await Promise.all(Array.from({ length: 4 }, () => pair(t)));
  const writes = pairs.map(([conn]) => conn.write(Buffer.alloc(10_000_000)));
  await Promise.all(pairs.map(([, peer]) => peer.readExactly(10_000_000)));
  await Promise.all(writes);
  t.equal(loop().stats().blocks.mapped, MIB);
});

/** Has a connection take little at a time. */
function narrow(from: Connection, to: Connection): void {
  from.setSendBufferSize(32 * 1024);
  to.setRecvBufferSize(32 * 1024);
}

for (const [kind, make] of [
  ['TCP', pair],
  ['Unix', unixPair],
] as const) {
  t.test(`peers that never read hold no memory that others need: ${kind}`, async t => {
    const random = seededRandom(t);
    const path = join(folder, kind);
    const data = pattern(600_000);
    writeFileSync(path, data);
    const file = await open(path);
    const text = data.subarray(0, 40_000).toString('hex');
    const parts: Buffer[] = [];
    for (let at = 0; at < data.length; ) {
      const part = data.subarray(at, at + 1 + Math.floor(random() * 30_000));
      parts.push(part, Buffer.alloc(0));
      at += part.length;
    }
    /** Ways to send more than a peer that does not read takes. */
    const ways: [expected: Buffer, send: (conn: Connection) => Promise<unknown>][] = [
      [data, conn => conn.write(data)],
      [data, conn => conn.write(parts)],
      [Buffer.from(text + text), conn => Promise.all([conn.write(text), conn.write(text)])],
      [data, conn => conn.sendFile(file)],
      [
        data,
        async conn => {
          const [client, front] = await make(t);
          // Small pieces, which are copied, then large ones.
          for (let at = 0; at < 100_000; at += 5000) {
            client.send(data.subarray(at, at + 5000));
            await turns(1);
          }
          client.send(data.subarray(100_000));
          await front.pipeTo(conn, { length: data.length });
        },
      ],
    ];
    const pairs = await Promise.all(Array.from({ length: 20 }, () => make(t)));
    const stuck = pairs.map(([conn, peer], i) => {
      narrow(conn, peer);
      const [expected, send] = ways[i % ways.length]!;
      return { peer, expected, sent: send(conn) };
    });
    await sleep(50);
    const healthy = async (): Promise<void> => {
      const [client, server] = await make(t);
      await client.write('hello');
      t.equal(String(await server.read()), 'hello');
      t.equal(await server.sendFile(file, { length: 1000 }), 1000);
      t.ok(data.subarray(0, 1000).equals(await client.readExactly(1000)));
      await client.close();
    };
    await healthy();
    t.ok(data.equals(await readFile(path)), 'a file is read');
    const all = stuck.map(async ({ peer, expected, sent }) => {
      const arrived = await peer.readExactly(expected.length);
      await sent;
      return arrived.equals(expected);
    });
    await healthy();
    t.ok((await Promise.all(all)).every(Boolean), 'and all of it arrives, in order');
    await file.close();
  });
}

/** Sends without a copy hold the memory that this test wants to be short of. */
const copies = !loop().supports('send_zc') && 'this backend has no sends without a copy';

t.test('sendFile that waits for memory can be given up', { skip: copies }, async t => {
  // What is not in the page cache is read into a block.
  const file = await open('/proc/version');
  // Without the kernel's copy the memory is held until the peer has read.
  const stuck = await Promise.all(Array.from({ length: 4 }, () => pair(t)));
  const writes = stuck.map(([conn]) =>
    conn
      .setZeroCopy(1)
      .write(Buffer.alloc(20_000_000))
      .catch(() => {}),
  );
  const taken = (): number => stuck.reduce((sum, [conn]) => sum + conn.bytesWritten, 0);
  await until(() => loop().stats().blocks.used === MIB);
  await standstill(taken);
  const [conn] = await pair(t);
  await t.rejects(conn.sendFile(file, { timeout: 20 }), { code: 'ETIMEDOUT', syscall: 'write' });
  const abort = new AbortController();
  const aborted = t.rejects(conn.sendFile(file, { signal: abort.signal }), { name: 'AbortError' });
  await turns();
  abort.abort();
  await aborted;
  const reset = t.rejects(conn.sendFile(file), { code: 'ERR_CLOSED' });
  await turns();
  await conn.reset();
  await reset;
  await Promise.all(stuck.map(([other]) => other.reset()));
  await Promise.all(writes);
  await file.close();
});
