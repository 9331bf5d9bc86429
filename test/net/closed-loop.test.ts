/** What becomes of connections whose loop is closed under them. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loop, nop, sleep } from 'uasync';
import { bind, type Connection, connect, listen } from 'uasync/net';
import { checkLeaks, scratchFolder, standstill, until, whenClosed } from '../harness.js';
import { HOST, pair, portOf } from './sockets.js';

checkLeaks();

/** A connection whose other end is not of the loop. */
async function withNode(t: Test): Promise<[Connection, net.Socket]> {
  const server = await listen({ port: 0, host: HOST });
  const socket = net.connect(portOf(server), HOST);
  socket.on('error', () => {});
  const conn = await server.accept();
  await server.close();
  t.teardown(async () => {
    const closed = once(socket, 'close');
    socket.destroy();
    await Promise.all([closed, conn.reset()]);
  });
  return [conn, socket];
}

t.test('a listen that is under way', async t => {
  const path = join(scratchFolder(), 'socket');
  const closed = { code: 'ERR_CLOSED' };
  const listening = [
    t.rejects(listen({ path: `\0uasync-${process.pid}` }), closed),
    t.rejects(listen({ path }), closed),
    t.rejects(bind({ path: `${path}-too` }), closed),
  ];
  loop().close();
  await Promise.all(listening);
  t.notOk(existsSync(path), 'no file is left');
  t.notOk(existsSync(`${path}-too`), 'no file is left');
  loop();
});

t.test('calls of a listener that accepts no more for now', async t => {
  const server = await listen({ port: 0, host: HOST, maxConnections: 1 });
  const [client, conn] = await Promise.all([connect(server.address), server.accept()]);
  const closed = { code: 'ERR_CLOSED' };
  // The accept in flight ends first: only one connection may be open.
  await until(() =>
    loop()
      .active()
      .every(({ kind }) => kind !== 'Listener'),
  );
  const waiting = [t.rejects(server.accept(), closed), t.rejects(server.accept({ timeout: 1e6 }), closed)];
  loop().close();
  await Promise.all(waiting);
  await t.rejects(server.accept(), closed, 'nor does a later one wait');
  await Promise.all([server.close(), client.close(), conn.close()]);
  loop();
});

t.test('reads that come later reject, and leave nothing behind', async t => {
  const [, b] = await pair(t);
  loop().close();
  const { signal } = new AbortController();
  const limits = [() => undefined, () => ({ timeout: 5 }), () => ({ signal: AbortSignal.timeout(5) })];
  for (const limit of [...limits, () => ({ signal })]) {
    await t.rejects(b.read(limit()), { code: 'ERR_CLOSED' });
    await t.rejects(b.readInto(Buffer.alloc(10), limit()), { code: 'ERR_CLOSED' });
  }
  // Nothing is left that would time out, or hear of an abort.
  await sleep(20);
});

/** On epoll a connect to a Unix socket is done, and its promise resolved, in the turn that submits it. */
const connectsAtOnce = loop().backend === 'epoll' && 'epoll leaves no time between the two';

t.test('a connect that is done when the loop is closed', { skip: connectsAtOnce }, async t => {
  const server = net.createServer(socket => socket.on('error', () => {}));
  const path = join(scratchFolder(), 'socket');
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  // A loop that has received nothing: the connection would be the first.
  loop().close();
  loop();
  // It is only closed if no descriptor is left here.
  const gone = once(server, 'connection').then(([socket]) => whenClosed(socket.resume()));
  const closing = nop().then(() => loop().close());
  await t.rejects(connect({ path }), { code: 'ERR_CLOSED' });
  await closing;
  await gone;
  loop();
});

t.test('a pipe from a connection of the next loop', async t => {
  const [old] = await pair(t);
  loop().close();
  const [source, from] = await pair(t);
  const piping = t.rejects(from.pipeTo(old), { code: 'ERR_CLOSED' });
  await source.write('what cannot be passed on');
  await piping;
});

t.test('a pipe to a peer that does not read, and the read behind it', async t => {
  const [from, source] = await withNode(t);
  const [to, target] = await withNode(t);
  target.pause();
  const piping = from.pipeTo(to);
  const behind = from.readExactly(100_000_000);
  source.write(Buffer.alloc(20_000_000));
  await standstill(() => from.bytesRead);
  loop().close();
  const calls: Promise<unknown>[] = [piping, behind];
  await Promise.all(calls.map(call => t.rejects(call, { code: 'ERR_CLOSED' })));
});

/** Sends without a copy hold the memory that this test wants to be short of. */
const copies = !loop().supports('send_zc') && 'this backend has no sends without a copy';

t.test('a pipe that waits for memory', { skip: copies }, async t => {
  for (const ends of [false, true]) {
    loop().close();
    loop({ memory: 1 << 20 });
    const stuck = await Promise.all(Array.from({ length: 4 }, () => withNode(t)));
    const calls: Promise<unknown>[] = stuck.map(([conn, socket]) => {
      socket.pause();
      // Without the kernel's copy the memory is held until the peer has read.
      return conn.setZeroCopy(1).write(Buffer.alloc(20_000_000));
    });
    // The kernel takes some of it: until it takes no more.
    const taken = (): number => stuck.reduce((sum, [conn]) => sum + conn.bytesWritten, 0);
    await until(() => loop().stats().blocks.used === 1 << 20);
    await standstill(taken);
    t.equal(loop().stats().blocks.used, 1 << 20);
    const [from, source] = await withNode(t);
    const [to] = await withNode(t);
    calls.push(from.pipeTo(to));
    source.write('a little');
    if (ends) source.end();
    while (from.bytesRead === 0) await sleep(1);
    await sleep(5);
    loop().close();
    await Promise.all(calls.map(call => t.rejects(call, { code: 'ERR_CLOSED' })));
  }
  loop();
});
