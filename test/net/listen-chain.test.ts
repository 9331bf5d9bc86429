/** `listen` follows a `bind` that has succeeded, however full the queue is. */
import t from 'tap';
import { loop, nop } from 'uasync';
import { type InetAddress, type Listener, listen } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { HOST } from './sockets.js';

checkLeaks();

/** Listens after so many operations that are queued in the same burst. */
async function listenAfter(count: number, path: string | null): Promise<Listener> {
  const before = Array.from({ length: count }, () => nop());
  const listening = listen(path === null ? { port: 0, host: HOST } : { path });
  await Promise.all(before);
  return listening;
}

for (const entries of [1, 2, 8, 64]) {
  t.test(`a queue of ${entries}, with any number of entries taken`, async t => {
    loop().close();
    loop({ entries });
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count <= entries; count++) {
        await using inet = await listenAfter(count, null);
        const { address, port } = inet.address as InetAddress;
        t.equal(address, HOST);
        t.ok(port > 0);
        const path = `\0uasync-${process.pid}-${entries}-${round}-${count}`;
        await using unix = await listenAfter(count, path);
        t.strictSame(unix.address, { path });
      }
    }
  });
}

t.test('many at once', async t => {
  loop().close();
  loop({ entries: 4 });
  const listeners = await Promise.all(Array.from({ length: 50 }, (_, i) => listenAfter(i % 5, null)));
  const ports = new Set(listeners.map(({ address }) => (address as InetAddress).port));
  t.equal(ports.size, 50);
  await Promise.all(listeners.map(listener => listener.close()));
});

t.test('a socket that could not be bound does not listen', async t => {
  loop().close();
  if (!loop().supports('bind')) {
    t.comment('this kernel has no operation for it');
    return;
  }
  const first = await listen({ port: 0, host: HOST });
  const { port } = first.address as InetAddress;
  const { submitted } = loop().stats();
  await t.rejects(listen({ port, host: HOST }), { code: 'EADDRINUSE', syscall: 'listen' });
  const closes = loop().backend === 'epoll' ? 0 : 1;
  t.equal(loop().stats().submitted - submitted - closes, 1, 'nothing but the bind');
  await first.close();
});
