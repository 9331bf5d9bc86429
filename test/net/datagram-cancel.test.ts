/** Calls that are given up, sockets that are closed, and workers that end, at every moment. */
import { once } from 'node:events';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { bind, type DatagramSocket } from 'uasync/net';
import { SendLimit } from '../../src/net/datagram/send-limit.js';
import { checkLeaks, collectGarbage, scratchFolder, seededRandom, turns, until } from '../harness.js';
import { built, output } from '../programs.js';
import { type Ending, HOST, portOf, texts } from './sockets.js';

checkLeaks();

function pathOf(socket: DatagramSocket): string {
  return (socket.address as { path: string }).path;
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

t.test('a send that ends while others are given up is not given up itself', t => {
  const controller = new AbortController();
  const limit = new SendLimit({ signal: controller.signal }, true, undefined);
  const cancelled: string[] = [];
  const second = { cancel: () => cancelled.push('second') };
  const first = {
    cancel(): void {
      cancelled.push('first');
      limit.delete(first);
      limit.delete(second);
    },
  };
  limit.add(first);
  limit.add(second);
  controller.abort();
  limit.end();
  t.same(cancelled, ['first'], "the second may be another call's by now");
  t.end();
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

/** Sends to a Unix peer that does not read until it has no room; resolves to how many it has. */
async function fill(peer: DatagramSocket): Promise<number> {
  for (let filled = 0; ; ) {
    // One sender's own buffer may be full before that.
    await using sender = await bind({ path: '' });
    let sent = 0;
    const full = (error: NodeJS.ErrnoException): boolean => error.code === 'ETIMEDOUT';
    while (!(await sender.send('fill', pathOf(peer), { timeout: 30 }).then(() => false, full))) sent++;
    if (sent === 0) return filled;
    filled += sent;
  }
}

/** Three sockets: one that sends, one that has no room and does not read, and one that does. */
async function three(t: Ending): Promise<[DatagramSocket, DatagramSocket, DatagramSocket, filled: number]> {
  const sockets = await Promise.all([bind({ path: '' }), bind({ path: '' }), bind({ path: '' })]);
  t.teardown(async () => {
    await Promise.all(sockets.map(socket => socket.close()));
  });
  return [...sockets, await fill(sockets[1])];
}

t.test('a Unix peer that does not read holds up what is for it, and nothing else', async t => {
  const [client, slow, live, filled] = await three(t);
  const first = Array.from({ length: 100 }, (_, i) => `${i}`);
  const sends: Promise<number>[] = [];
  for (const text of first) {
    sends.push(client.send(text, pathOf(slow)));
    // What is begun in one turn is with the kernel together.
    await turns(1);
  }
  const list = client.sendMany([
    { data: 'one of a list', path: pathOf(slow) },
    { data: 'another', path: pathOf(live) },
  ]);
  t.strictSame(await texts(live, 1), ['another']);
  for (const text of first) {
    await client.send(text, pathOf(live));
    t.strictSame(await texts(live, 1), [text]);
  }
  const stop = new AbortController();
  const givenUp = client.send('given up', pathOf(slow), { signal: stop.signal });
  const late = client.send('late', pathOf(slow), { timeout: 10 });
  const last = client.send('last', pathOf(slow));
  await t.rejects(late, { code: 'ETIMEDOUT', path: pathOf(slow) });
  stop.abort();
  await t.rejects(givenUp, { code: 'ABORT_ERR' });
  t.strictSame(
    (await texts(slow, filled + 102)).slice(filled),
    [...first, 'one of a list', 'last'],
    'in the order of the calls, but for those that were given up',
  );
  await Promise.all([...sends, list, last]);
  t.equal(await client.send('room again', pathOf(slow)), 10);
  t.strictSame(await texts(slow, 1), ['room again']);
});

t.test('what waits for a peer is told, and why the process stays', async t => {
  const [client, slow] = await three(t);
  const active = (): object[] => loop().active();
  t.same(active(), []);
  const settled = Promise.allSettled([client.send('one', pathOf(slow)), client.send('two', pathOf(slow))]);
  await until(() => active().length === 1);
  const entry = { kind: 'DatagramSocket', what: 'room at the peer', object: client, stack: undefined };
  t.same(active(), [entry]);
  t.match(inspect(client), /2 datagrams to send/);
  client.unref();
  t.same(active(), []);
  client.ref();
  t.same(active(), [entry]);
  await client.close();
  t.same(active(), []);
  t.same(
    (await settled).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});

t.test('more peers than are tried at a time: each has its turn', async t => {
  const client = await bind({ path: '' });
  const peers = await Promise.all(Array.from({ length: 50 }, () => bind({ path: '' })));
  const filled = await Promise.all(peers.map(fill));
  const outcomes = peers.map((peer, i) =>
    client.send(`${i}`, pathOf(peer)).then(
      () => 'sent',
      error => error.code,
    ),
  );
  for (const i of [49, 25, 0]) {
    t.equal((await texts(peers[i]!, filled[i]! + 1)).at(-1), `${i}`);
    t.equal(await outcomes[i], 'sent');
  }
  await Promise.all(peers.slice(1, 25).map(peer => peer.close()));
  t.strictSame(new Set(await Promise.all(outcomes.slice(1, 25))), new Set(['ECONNREFUSED']));
  await client.close();
  t.strictSame(new Set(await Promise.all(outcomes.slice(26, 49))), new Set(['ERR_CLOSED']));
  await Promise.all(peers.map(peer => peer.close()));
});

t.test('the peer of a connected Unix socket holds up nobody else either', async t => {
  const [client, slow, live, filled] = await three(t);
  await client.connect(pathOf(slow));
  const waiting = client.send('to the peer');
  await turns();
  await client.send('elsewhere', pathOf(live));
  t.strictSame(await texts(live, 1), ['elsewhere']);
  t.equal((await texts(slow, filled + 1)).at(-1), 'to the peer');
  await waiting;
});

t.test('a buffer that is detached while its peer has no room fails its datagram alone', async t => {
  const [client, slow, , filled] = await three(t);
  const data = Array.from({ length: 4 }, (_, i) => new Uint8Array([0x30 + i]));
  const outcomes = data.map(bytes => client.send(bytes, pathOf(slow)).catch(error => error.code));
  await turns();
  for (const i of [0, 2]) structuredClone(data[i], { transfer: [data[i]!.buffer] });
  t.strictSame((await texts(slow, filled + 2)).slice(filled), ['1', '3']);
  t.strictSame(await Promise.all(outcomes), ['ERR_INVALID_STATE', 1, 'ERR_INVALID_STATE', 1]);
});

t.test('sockets closed at random moments leak nothing', async t => {
  const random = seededRandom(t);
  await using target = await bind({ host: HOST });
  for (let round = 0; round < 60; round++) {
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

const PROGRAM = built('test/fixtures/datagram-loops.js');

t.test('many sends at once wait for memory, and all go out', async t => {
  // A process of its own, whose loop has little of it.
  t.equal(await output(process.execPath, [PROGRAM, 'memory']), '200 true 0\n');
});

t.test('what a peer has no room for holds no memory, and can be given up with the loop', async t => {
  const printed = await output(process.execPath, [PROGRAM, 'deaf']);
  t.equal(printed, 'yyy\nERR_CLOSED\nERR_CLOSED 200\n');
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
  const printed = await output(process.execPath, [PROGRAM, 'closed']);
  t.match(printed, /^ERR_CLOSED,ERR_CLOSED,(ERR_CLOSED)?\nnew loop\n$/);
});

t.test('a worker that is terminated under load does no harm, and leaves no descriptor', async t => {
  for (let round = 0; round < 4; round++) {
    await using client = await bind({ host: HOST });
    const worker = new Worker(built('test/fixtures/datagram-echo-worker.js'));
    const [port] = await once(worker, 'message');
    for (let i = 0; i < 200; i++) await client.send(Buffer.alloc(1000, round), port, HOST);
    t.equal((await client.recv()).data[0], round);
    await worker.terminate();
  }
});

t.test('a queue that never runs empty keeps only what waits', async t => {
  const server = await bind({ port: 0, host: HOST });
  const client = await bind({ port: 0, host: HOST });
  const port = portOf(server);
  const data = Buffer.alloc(1000);
  const before = process.memoryUsage().arrayBuffers;
  let ahead = 0;
  for (let received = 0; received < 15_000; ) {
    for (; ahead < 64; ahead++) await client.send(data, port, HOST);
    const taken = received % 2 === 0 ? (await server.recvMany({ max: 16 })).length : 1;
    if (taken === 1 && received % 2 !== 0) await server.recv();
    received += taken;
    ahead -= taken;
  }
  let grown = Number.POSITIVE_INFINITY;
  // What a collection frees is swept in its own time.
  for (let tries = 0; tries < 100 && grown >= 7_500_000; tries++) {
    collectGarbage();
    await new Promise(resolve => setTimeout(resolve, 5));
    grown = process.memoryUsage().arrayBuffers - before;
  }
  t.ok(grown < 7_500_000, `${grown} bytes after 15 MB`);
  await Promise.all([server.close(), client.close()]);
});
