/** Peers that send no more, and do not read yet: what waits for them to take more waits without a turn of the loop. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { allocPinned, availableBackend, loop } from 'uasync';
import { open } from 'uasync/fs';
import { connect, listen } from 'uasync/net';
import { checkLeaks, scratchFolder, standstill, turns, until } from '../harness.js';
import { kernelThreads } from '../kernel-threads.js';
import { pair, unixPair } from './sockets.js';

checkLeaks();
const folder = scratchFolder();
const SIZE = 3_000_000;
const data = Buffer.alloc(SIZE, 'half');
const path = join(folder, 'file');
writeFileSync(path, data);

const backends = availableBackend() === 'io_uring' ? (['io_uring', 'epoll'] as const) : (['epoll'] as const);

for (const backend of backends) {
  t.test(`writes and files, with little memory, on ${backend}`, async t => {
    loop().close();
    // So little that sends give back their memory while they wait.
    loop({ backend, memory: 1 << 20 });
    const file = await open(path);
    for (const make of [pair, unixPair]) {
      const pairs = await Promise.all(Array.from({ length: 12 }, () => make(t)));
      const sent = pairs.map(async ([conn, peer], i) => {
        conn.setSendBufferSize(32 * 1024);
        await peer.shutdown();
        await turns();
        if (i % 2 === 0) await conn.write(data);
        else await conn.sendFile(file);
      });
      await turns(20);
      await standstill(() => loop().stats().completed);
      const got = await Promise.all(pairs.map(([, peer]) => peer.readExactly(SIZE)));
      t.ok(got.every(bytes => bytes.equals(data)));
      await Promise.all(sent);
    }
    await file.close();
  });

  t.test(`no thread of the kernel waits, on ${backend}`, async t => {
    loop().close();
    loop({ backend });
    const file = await open(path);
    const pairs = await Promise.all(Array.from({ length: 12 }, () => pair(t)));
    const sent = pairs.map(async ([conn, peer], i) => {
      conn.setSendBufferSize(32 * 1024);
      // One that is waiting already, or one that starts later.
      const early = i % 3 === 0 ? conn.write(data) : null;
      await peer.shutdown();
      t.equal(await conn.read(), null);
      if (i % 3 === 1) await conn.write(data);
      else if (i % 3 === 2) await conn.sendFile(file);
      await early;
    });
    await turns(20);
    await standstill(() => loop().stats().completed);
    // Those that have begun to wait go when they have been idle for a few seconds, but for one.
    await until(() => kernelThreads() <= 1);
    const got = await Promise.all(pairs.map(([, peer]) => peer.readExactly(SIZE)));
    t.ok(got.every(bytes => bytes.equals(data)));
    await Promise.all(sent);
    await file.close();
  });

  t.test(`no thread of the kernel waits for what is sent of a device, on ${backend}`, async t => {
    loop().close();
    loop({ backend });
    const file = openSync('/dev/zero', 'r');
    const pairs = await Promise.all(Array.from({ length: 6 }, () => pair(t)));
    const sent = pairs.map(([conn]) => conn.setSendBufferSize(32 * 1024).sendFile(file, { length: SIZE }));
    // They wait already when the peer ends.
    await until(() => loop().stats().blocks.used > 0);
    await standstill(() => loop().stats().completed);
    for (const [conn, peer] of pairs) {
      await peer.shutdown();
      t.equal(await conn.read(), null);
    }
    await standstill(() => loop().stats()[backend === 'io_uring' ? 'enters' : 'completed']);
    await until(() => kernelThreads() <= 1);
    const got = await Promise.all(pairs.map(([, peer]) => peer.readExactly(SIZE)));
    t.ok(got.every(bytes => bytes.every(byte => byte === 0)));
    t.strictSame(await Promise.all(sent), Array(6).fill(SIZE));
    closeSync(file);
  });

  t.test(`no thread of the kernel waits for what is sent in place, on ${backend}`, async t => {
    loop().close();
    loop({ backend });
    const pinned = allocPinned(SIZE);
    data.copy(pinned);
    const pairs = await Promise.all(Array.from({ length: 12 }, () => pair(t)));
    const sent = pairs.map(async ([conn, peer], i) => {
      conn.setSendBufferSize(32 * 1024);
      if (i % 3 === 1) conn.setZeroCopy(16 * 1024);
      // One that is waiting already, ones that start later, and what a connection lends that is piped.
      const early = i % 3 === 0 ? conn.write(pinned) : null;
      await peer.write('unread');
      await peer.shutdown();
      // The bytes before the end are not read.
      await conn.peek(6);
      await until(() => conn.remains.receiver.finished);
      if (i % 3 !== 2) return early ?? conn.write(pinned);
      const [source, from] = await pair(t);
      const piped = from.pipeTo(conn);
      await Promise.all([source.write(data), source.shutdown()]);
      await piped;
    });
    await until(() => pairs.every(([conn]) => conn.bufferedAmount > 0));
    // The kernel tries often before it takes a thread, by calls that complete nothing.
    await standstill(() => loop().stats()[backend === 'io_uring' ? 'enters' : 'completed']);
    await until(() => kernelThreads() <= 1);
    const got = await Promise.all(pairs.map(([, peer]) => peer.readExactly(SIZE)));
    t.ok(got.every(bytes => bytes.equals(data)));
    await Promise.all(sent);
  });

  t.test(`descriptors, on ${backend}`, async t => {
    loop().close();
    loop({ backend });
    const socket = join(folder, backend);
    const listener = await listen({ path: socket });
    const [peer, conn] = await Promise.all([connect({ path: socket }), listener.accept()]);
    await peer.shutdown();
    await turns();
    const sent = conn.sendFds([0], data);
    await turns(20);
    await standstill(() => loop().stats().completed);
    t.ok((await peer.readExactly(SIZE)).equals(data));
    await sent;
    await Promise.all([peer.close(), conn.close(), listener.close()]);
  });
}
