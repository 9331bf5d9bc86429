/** What `util.inspect` shows of each object, in each state. */
import { constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { Channel, channelPair, loop, signals } from 'uasync';
import { open } from 'uasync/fs';
import { bind, connect, listen, openPipe, serveOnThreads } from 'uasync/net';
import { BufRing, Ring } from 'uasync/ring';
import { checkLeaks, makeFifo, scratchFolder, until } from '../harness.js';
import { HOST, pair } from './sockets.js';

checkLeaks();

t.test('a connection: state, addresses, bytes, and what waits', async t => {
  const listener = await listen({ port: 0, host: HOST });
  const { port } = listener.address;
  const place = `${HOST}:${port}`;
  t.equal(inspect(listener), `Listener { open ${place} }`);
  const accepting = listener.accept();
  t.equal(inspect(listener), `Listener { open ${place}, 1 accept waiting }`);
  const client = await connect({ port, host: HOST });
  const server = await accepting;
  const from = `${HOST}:${client.localAddress!.port}`;
  await client.write('hello, world');
  await server.read();
  await server.write('hello, world');
  const reading = server.read();
  t.equal(inspect(server), `Connection { open ${place} <- ${from}, read 12, written 12, 1 reader waiting }`);
  await client.read();
  t.equal(inspect(client.unref()), `Connection { open ${from} -> ${place}, read 12, written 12, unref }`);
  client.unread(Buffer.from('ab'));
  t.match(inspect(client), /2 bytes unread/);
  client.send(Buffer.alloc(1 << 24));
  t.match(inspect(client), /, \d+ bytes to send/);
  await client.reset();
  t.match(inspect(client), new RegExp(`^Connection \\{ closed ${from} -> ${place}, read 12, `));
  await until(
    async () =>
      (await reading.catch(() => null)) !== undefined && (await server.read().catch(() => null)) === null,
  );
  t.match(inspect(server), /^Connection \{ (?:failed ECONNRESET|closed) /);
  await server.close();
  await listener.close();
  t.equal(inspect(listener), `Listener { closed ${place} }`);
});

t.test('nested, in colour, and beneath the depth', async t => {
  const [conn] = await pair(t);
  t.match(inspect({ conn }), /^\{\s+conn: Connection \{ open /);
  t.equal(inspect({ a: { b: { conn } } }, { depth: 1 }), '{ a: { b: [Object] } }');
  t.equal(inspect({ a: { conn } }, { depth: 1 }), '{ a: { conn: [Connection] } }');
  const coloured = inspect(conn, { colors: true });
  t.match(coloured, 'Connection { \u001b[36mopen\u001b[39m ');
  t.match(coloured, 'read \u001b[33m0\u001b[39m');
});

t.test('datagram sockets', async t => {
  const socket = await bind({ host: HOST });
  const place = `${HOST}:${socket.address.port}`;
  t.equal(inspect(socket), `DatagramSocket { open ${place} }`);
  await socket.connect(socket.address.port, HOST);
  const receiving = socket.recv();
  t.equal(inspect(socket), `DatagramSocket { open ${place} -> ${place}, 1 receive waiting }`);
  await socket.send('x');
  await receiving;
  await socket.close();
  t.match(inspect(socket), `DatagramSocket { closed ${place}`);
});

t.test('pipes and files', async t => {
  const folder = scratchFolder();
  const pipe = openPipe(openSync(makeFifo(folder, 'fifo'), constants.O_RDWR));
  const reading = pipe.read();
  t.equal(inspect(pipe), `Pipe { open fd ${pipe.fd}, read 0, written 0, 1 reader waiting }`);
  await pipe.write('x');
  await reading;
  t.equal(inspect(pipe), `Pipe { open fd ${pipe.fd}, read 1, written 1 }`);
  await pipe.close();
  t.equal(inspect(pipe), 'Pipe { closed, read 1, written 1 }');

  const path = join(folder, 'file');
  const file = await open(path, 'w');
  t.equal(inspect(file), `FileHandle { open fd ${file.fd} '${path}' }`);
  await file.close();
  t.equal(inspect(file), 'FileHandle { closed }');
});

t.test('loops, rings, channels and signals', async t => {
  t.match(
    inspect(loop()),
    /^Loop \{ open, 0 in flight, submitted \d+, completed \d+, blocks 0 of \d+ bytes \}$/,
  );
  const ring = new Ring(8);
  t.match(inspect(ring), `Ring { open fd ${ring.fd}, 8 + 16 entries, 0 queued, 0 completed, enters 0 }`);
  const buffers = new BufRing(ring, { group: 1, entries: 4, bufferSize: 64 });
  t.equal(inspect(buffers), 'BufRing { open, group 1, 4 buffers of 64 bytes }');
  buffers.close();
  ring.close();
  t.equal(inspect(ring), 'Ring { closed, 8 + 16 entries, enters 0 }');
  const [end, other] = channelPair();
  const channel = new Channel(end);
  const receiving = channel.recv().catch(() => {});
  t.equal(inspect(channel), 'Channel { open, 1 recv waiting }');
  await Promise.all([channel.close(), new Channel(other).close(), receiving]);
  t.equal(inspect(channel), 'Channel { closed }');
  const usr2 = signals('SIGUSR2');
  t.equal(inspect(usr2), 'SignalIterator { listening, SIGUSR2 }');
  await usr2.return();
  t.equal(inspect(usr2), 'SignalIterator { ended, SIGUSR2 }');
});

t.test('thread servers, which keep the process alive', async t => {
  const path = join(scratchFolder(), 'worker.mjs');
  writeFileSync(path, 'export default () => {};');
  const server = await serveOnThreads(1, path);
  t.equal(inspect(server), 'ThreadServer { serving, 1 thread }');
  t.equal(loop().active()[0]!.object, server);
  await server.stop();
  t.equal(inspect(server), 'ThreadServer { stopped, 1 thread }');
  t.same(loop().active(), []);
});
