/** Calls that are given up, sockets that are closed, and workers that end, at every moment. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { bind, type DatagramSocket, type InetAddress } from 'uasync/net';
import { checkLeaks, collectGarbage, scratchFolder, seededRandom, turns } from '../harness.js';
import { output } from '../programs.js';

checkLeaks();

const HOST = '127.0.0.1';

function portOf(socket: DatagramSocket): number {
  return (socket.address as InetAddress).port;
}

t.test('signal and timeout of recv', async t => {
  await using socket = await bind({ host: HOST });
  await t.rejects(socket.recv({ timeout: 5 }), { code: 'ETIMEDOUT', syscall: 'recvmsg' });
  await t.rejects(socket.recvMany({ timeout: 5 }), { code: 'ETIMEDOUT' });
  await t.rejects(socket.recv({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  const controller = new AbortController();
  const receiving = socket.recv({ signal: controller.signal });
  const second = socket.recv();
  const reason = new Error('no more');
  controller.abort(reason);
  await t.rejects(receiving, { code: 'ABORT_ERR', name: 'AbortError', cause: reason });
  await socket.send('for the second', portOf(socket), HOST);
  t.equal(String((await second).data), 'for the second');
});

t.test('receives given up at random lose no datagram', async t => {
  const random = seededRandom(t);
  await using server = await bind({ host: HOST, recvBufferSize: 1 << 22, queueLimit: 10_000 });
  await using client = await bind({ host: HOST });
  const got: number[] = [];
  const note = ({ data }: { data: Buffer }) => got.push(data.readUInt32LE());
  const total = 2000;
  let sent = 0;
  while (got.length < total) {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      server.recv({ signal }).then(note, () => {}),
      server.recvMany({ signal, max: 1 + Math.floor(random() * 5) }).then(
        list => list.map(note),
        () => {},
      ),
      server.recv({ timeout: random() * 2 }).then(note, () => {}),
    ];
    for (let i = random() * 20; i > 0 && sent < total; i--) {
      const data = Buffer.alloc(4 + random() * 2000);
      data.writeUInt32LE(sent++);
      const sending = client.send(data, portOf(server), HOST);
      if (random() < 0.2) await sending;
    }
    if (random() < 0.5) await turns(Math.floor(random() * 3));
    controller.abort();
    await Promise.all(calls);
  }
  got.sort((a, b) => a - b);
  t.ok(
    got.every((number, i) => number === i),
    'each once',
  );
  t.equal(got.length, total);
  t.equal(server.dropped, 0);
});

t.test('sends that wait for room can be given up, and say which went out', async t => {
  const path = `${scratchFolder()}/slow`;
  await using server = await bind({ path });
  await using client = await bind({ path: '' });
  // A Unix socket takes only so many datagrams that nobody reads: net.unix.max_dgram_qlen
  const controller = new AbortController();
  const { signal } = controller;
  const list = Array.from({ length: 2000 }, (_, i) => ({ data: `${i}`.padStart(4), path }));
  const sending = client.sendMany(list, { signal });
  const late = client.send('late', path, { timeout: 30 });
  await t.rejects(late, { code: 'ETIMEDOUT', syscall: 'send', path });
  controller.abort();
  const error = await sending.catch(error => error);
  t.match(error, { code: 'ABORT_ERR' });
  t.ok(error.sent > 0 && error.sent < 2000, `${error.sent} were sent`);
  t.equal(error.sent + error.failures.length, 2000);
  const refused = new Set(error.failures.map(({ index }: { index: number }) => index));
  const received: number[] = [];
  while (received.length < error.sent) received.push(Number((await server.recv()).data));
  t.ok(
    received.every(number => !refused.has(number)),
    'none of those that were not',
  );
  t.equal(new Set(received).size, error.sent);
  // Room again.
  t.equal(await client.send('more', path), 4);
  t.equal(String((await server.recv()).data), 'more');
});

t.test('closing gives up what the kernel has no room for', async t => {
  const path = `${scratchFolder()}/full`;
  await using server = await bind({ path });
  const client = await bind({ path: '' });
  const outcomes = Array.from({ length: 1000 }, () =>
    client.send('x', path).then(
      () => 'sent',
      e => e.code,
    ),
  );
  await turns();
  await client.close();
  const codes = new Set(await Promise.all(outcomes));
  t.strictSame(codes, new Set(['sent', 'ERR_CLOSED']));
  t.ok(server.queued >= 0);
});

t.test('sockets closed at random moments leak nothing', async t => {
  const random = seededRandom(t);
  await using target = await bind({ host: HOST });
  for (let round = 0; round < 150; round++) {
    const socket = await bind({ host: HOST });
    if (random() < 0.3) await socket.connect(portOf(target), HOST);
    const controller = new AbortController();
    const calls: Promise<unknown>[] = [];
    for (let i = random() * 6; i > 0; i--) {
      const choice = random();
      if (choice < 0.2) calls.push(socket.recv());
      else if (choice < 0.4) calls.push(socket.recvMany({ signal: controller.signal }));
      else if (choice < 0.5) calls.push(socket[Symbol.asyncIterator]().next());
      else if (choice < 0.7) calls.push(socket.send(Buffer.alloc(random() * 3000), portOf(socket), HOST));
      else if (choice < 0.8) calls.push(socket.send('x', portOf(target), 'localhost'));
      else
        calls.push(socket.sendMany(Array.from({ length: 20 }, () => ({ data: 'x', port: portOf(socket) }))));
    }
    const settled = Promise.allSettled(calls);
    if (random() < 0.5) await turns(Math.floor(random() * 3));
    if (random() < 0.3) controller.abort();
    await socket.close();
    for (const result of await settled) {
      if (result.status === 'rejected' && !/ERR_CLOSED|ABORT_ERR/.test(result.reason.code))
        throw result.reason;
    }
  }
  const { inFlight, blocks } = loop().stats();
  t.strictSame([inFlight, blocks.used], [0, 0]);
});

t.test('many sends at once wait for memory, and all go out', async t => {
  // A process of its own, whose loop has little of it.
  const program = `
    import { loop } from 'uasync';
    import { bind } from 'uasync/net';
    const MIB = 1 << 20;
    loop({ memory: MIB });
    const path = '\\0uasync-memory-' + process.pid;
    const server = await bind({ path, sendBufferSize: 8 * MIB });
    const client = await bind({ path: '', sendBufferSize: 8 * MIB });
    const sends = Array.from({ length: 200 }, () => client.send(Buffer.alloc(60000), path));
    let got = 0;
    while (got < 200) got += (await server.recvMany()).filter(({ data }) => data.length === 60000).length;
    await Promise.all(sends);
    console.log(got, loop().stats().blocks.mapped <= MIB, loop().stats().blocks.used);
    await server.close();
    await client.close();`;
  t.equal(await output(process.execPath, ['--input-type=module', '-e', program]), '200 true 0\n');
});

t.test('a flood of empty datagrams, which end a multishot receive each', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  const list = Array.from({ length: 100 }, () => ({ data: '', port: portOf(server), address: HOST }));
  t.equal(await client.sendMany(list), 100);
  let got = 0;
  while (got < 100) got += (await server.recvMany()).filter(({ data }) => data.length === 0).length;
  t.equal(got, 100);
});

t.test('more datagrams in one turn than there are buffers', async t => {
  await using server = await bind({ host: HOST, recvBufferSize: 1 << 22, queueLimit: 5000 });
  await using client = await bind({ host: HOST });
  const count = Math.min(1000, Math.floor(server.getRecvBufferSize() / 1024));
  const first = server.recv();
  const list = Array.from({ length: count }, (_, i) => ({
    data: `${i}`,
    port: portOf(server),
    address: HOST,
  }));
  await client.sendMany(list);
  await first;
  let got = 1;
  while (got < count) got += (await server.recvMany()).length;
  t.equal(server.dropped, 0);
});

t.test('loop.close() under a socket', async t => {
  const program = `
    import { loop } from 'uasync';
    import { bind } from 'uasync/net';
    const socket = await bind({ host: '127.0.0.1' });
    const calls = [socket.recv(), socket.recvMany(), socket.send('x', 9, '127.0.0.1')];
    loop().close();
    console.log((await Promise.allSettled(calls)).map(({ reason }) => reason?.code).join());
    await socket.close();
    const again = await bind({ host: '127.0.0.1' });
    await again.send('new loop', again.address.port);
    console.log(String((await again.recv()).data));
    await again.close();`;
  const printed = await output(process.execPath, ['--input-type=module', '-e', program]);
  t.match(printed, /^ERR_CLOSED,ERR_CLOSED,(ERR_CLOSED)?\nnew loop\n$/);
});

const SERVER = `
  const { parentPort } = require('node:worker_threads');
  import('uasync/net').then(async ({ bind }) => {
    const socket = await bind({ host: '127.0.0.1' });
    parentPort.postMessage(socket.address.port);
    for await (const { data, address, port } of socket) socket.send(data, port, address).catch(() => {});
  });`;

t.test('a worker that is terminated under load does no harm, and leaves no descriptor', async t => {
  await using client = await bind({ host: HOST });
  for (let round = 0; round < 4; round++) {
    const worker = new Worker(SERVER, { eval: true });
    const [port] = await once(worker, 'message');
    for (let i = 0; i < 200; i++) await client.send(Buffer.alloc(1000, round), port, HOST);
    t.equal((await client.recv()).data[0], round);
    await worker.terminate();
    // What is on its way may still come.
    while ((await client.recv({ timeout: 20 }).catch(() => null)) !== null);
  }
});

t.test('a queue that never runs empty keeps only what waits', async t => {
  const server = await bind({ port: 0, host: HOST });
  const client = await bind({ port: 0, host: HOST });
  const { port } = server.address as InetAddress;
  const data = Buffer.alloc(1000);
  const before = process.memoryUsage().arrayBuffers;
  let ahead = 0;
  for (let received = 0; received < 30_000; ) {
    for (; ahead < 64; ahead++) await client.send(data, port, HOST);
    const taken = received % 2 === 0 ? (await server.recvMany({ max: 16 })).length : 1;
    if (taken === 1 && received % 2 !== 0) await server.recv();
    received += taken;
    ahead -= taken;
  }
  let grown = Number.POSITIVE_INFINITY;
  // What a collection frees is swept in its own time.
  for (let tries = 0; tries < 100 && grown >= 15_000_000; tries++) {
    collectGarbage();
    await new Promise(resolve => setTimeout(resolve, 5));
    grown = process.memoryUsage().arrayBuffers - before;
  }
  t.ok(grown < 15_000_000, `${grown} bytes after 30 MB`);
  await Promise.all([server.close(), client.close()]);
});
