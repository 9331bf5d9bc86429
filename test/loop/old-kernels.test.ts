/**
 * Linux 5.15, whose io_uring has no multishot receives: loops run on epoll by themselves, and files on the ring if they
 * are asked to. Whole test files run on older kernels too: see test/suite.ts.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { openFds, scratchFolder, until } from '../harness.js';

process.env.UASYNC_KERNEL = '5.15';
delete process.env.UASYNC_BACKEND;
await import('../fixtures/old-kernel.js');
const { availableBackend, loop } = await import('uasync');
const { readFile } = await import('uasync/fs');
const { bind, connect, listen } = await import('uasync/net');
const { Ring } = await import('uasync/ring');
const { examine } = await import('../../src/doctor/examine.js');
const { findings } = await import('../../src/doctor/findings.js');

const path = join(scratchFolder(), 'file');
writeFileSync(path, 'some text');

t.test('a loop runs on epoll, and says why', async t => {
  t.equal(availableBackend(), 'epoll');
  const warned = once(process, 'warning');
  t.equal(loop().backend, 'epoll');
  const [{ code, message }] = await warned;
  t.equal(code, 'UASYNC_FALLBACK');
  t.match(message, /is too old: run 6.0 or later. Operations run on epoll instead$/);
  const server = await listen({ port: 0, host: '127.0.0.1' });
  const client = await connect(server.address as { port: number; address: string });
  const conn = await server.accept();
  await client.write('hello');
  t.equal(String(await conn.read()), 'hello');
  await Promise.all([client.close(), conn.close(), server.close()]);
  const facts = await examine();
  t.match(facts, { available: true, backend: 'epoll', asked: 'auto' });
  t.match(
    findings(facts).find(({ what }) => what === 'io_uring, uasync/ring'),
    { state: 'slower', fix: 'run Linux 6.0 or later' },
  );
});

t.test('on io_uring there are files, and sockets say what they need', async t => {
  loop().close();
  t.equal(loop({ backend: 'io_uring', inline: false }).backend, 'io_uring');
  t.equal(await readFile(path, 'utf8'), 'some text');
  const peer = net.createServer().listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const { port } = peer.address() as net.AddressInfo;
  const descriptors = openFds();
  const calls: (() => Promise<unknown>)[] = [
    () => listen({ port: 0, host: '127.0.0.1' }),
    () => connect({ port, host: '127.0.0.1' }),
    async () => {
      const socket = await bind({ port: 0, host: '127.0.0.1' });
      await socket.recv().finally(() => socket.close());
    },
  ];
  for (const call of calls)
    await t.rejects(call() as Promise<void>, { code: 'ERR_UNSUPPORTED', message: /Linux 6.0/ });
  await until(() => openFds() <= descriptors);
  t.equal(openFds(), descriptors, 'no descriptor is left');
  peer.close();
});

t.test('what such a kernel does not know is not sent to it', t => {
  const ring = new Ring(4);
  ring.getSqe()!.bind(0, { address: '127.0.0.1', port: 1 } as never);
  t.throws(() => ring.submit(), /Linux 5.15 does not know its operation/);
  t.equal(ring.features & (1 << 11), 0);
  t.end();
  ring.close();
});
