/** Sockets of Node's on the loop whose peers send no more, or are gone, while much waits to be sent. */
import { once } from 'node:events';
import stock from 'node:net';
import t from 'tap';
import { availableBackend, loop } from 'uasync';
import net from 'uasync/node/net';
import { checkLeaks, standstill, turns, until } from '../harness.js';
import { kernelThreads } from '../kernel-threads.js';

checkLeaks();
const SIZE = 16_000_000;
const ROUNDS = 8;
const backends = availableBackend() === 'io_uring' ? (['io_uring', 'epoll'] as const) : (['epoll'] as const);

/** A socket on the loop, and one of Node's that does not read. */
async function pair(options: stock.ServerOpts = {}): Promise<[stock.Socket, stock.Socket]> {
  const server = net.createServer(options);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as stock.AddressInfo;
  const peer = new stock.Socket({ allowHalfOpen: true });
  peer.pause();
  peer.connect(port, '127.0.0.1');
  const [[socket]] = await Promise.all([once(server, 'connection'), once(peer, 'connect')]);
  server.close();
  return [socket as stock.Socket, peer];
}

/** A write that is sent by more than one operation, and waits. */
async function writeMuch(socket: stock.Socket): Promise<void> {
  socket.cork();
  socket.write('x'.repeat(SIZE / 2));
  socket.write(Buffer.alloc(SIZE / 2));
  socket.uncork();
  await turns(20);
  await standstill(() => loop().stats().completed);
}

for (const backend of backends) {
  t.test(`a reset by the peer is no end, on ${backend}`, async t => {
    loop().close();
    loop({ backend });
    for (let round = 0; round < ROUNDS; round++) {
      const reads = round % 2 === 0;
      const [socket, peer] = await pair();
      if (!reads) socket.pause();
      else socket.resume();
      const noted: unknown[] = [];
      socket.on('end', () => noted.push('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => noted.push(error.code));
      await writeMuch(socket);
      peer.resetAndDestroy();
      await until(() => socket.closed);
      t.same(noted, ['ECONNRESET'], reads ? 'while it reads' : 'while it is paused');
    }
  });

  t.test(`no thread of the kernel waits for a peer that sends no more, on ${backend}`, async t => {
    loop().close();
    loop({ backend });
    const sockets: stock.Socket[] = [];
    const peers: stock.Socket[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const [socket, peer] = await pair({ allowHalfOpen: true });
      const ended = once(socket.resume(), 'end');
      // One that is waiting already, or one that starts later.
      if (i % 2 === 0) await writeMuch(socket);
      peer.end();
      await ended;
      if (i % 2 !== 0) await writeMuch(socket);
      socket.end();
      sockets.push(socket);
      peers.push(peer);
    }
    // The kernel tries often before it takes a thread, by calls that complete nothing.
    await standstill(() => loop().stats()[backend === 'io_uring' ? 'enters' : 'completed']);
    await until(() => kernelThreads() <= 1);
    for (const peer of peers) {
      let length = 0;
      peer.on('data', chunk => {
        length += chunk.length;
      });
      await once(peer.resume(), 'end');
      t.equal(length, SIZE);
    }
    await until(() => sockets.every(({ closed }) => closed));
  });
}
