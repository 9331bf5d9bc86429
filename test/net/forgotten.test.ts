/** What is forgotten is closed when it is collected; what is in use is not. */
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loop, sleep } from 'uasync';
import { bind, type Connection, connect, listen, openPipe, type Pipe } from 'uasync/net';
import { checkLeaks, collectGarbage, makeFifo, openFds, scratchFolder, whenClosed } from '../harness.js';
import { HOST, pair, portOf, readAll } from './sockets.js';

checkLeaks();

const folder = scratchFolder();
const COUNT = 50;

const warnings: Error[] = [];
process.on('warning', warning => warnings.push(warning));

/** Collects garbage until `done()`, which it must come to. */
async function collectUntil(done: () => boolean): Promise<void> {
  while (!done()) {
    await sleep(20);
    collectGarbage();
  }
}

/** A point in time at which what was forgotten before has been collected, and closed. */
async function collectOthers(): Promise<void> {
  let collected = false;
  const registry = new FinalizationRegistry(() => {
    collected = true;
  });
  // Connections are not watched while they are young.
  await sleep(250);
  registry.register({}, undefined);
  await collectUntil(() => collected);
  await sleep(20);
}

/** A server of Node's whose sockets stay open until their peers end. */
async function nodeServer(t: Test): Promise<{ port: number; sockets: Set<net.Socket> }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer(socket => {
    sockets.add(socket);
    socket.resume();
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as net.AddressInfo).port, sockets };
}

function unclosed(kind: string): string[] {
  const own = warnings.filter(({ message }) => message.startsWith(`A ${kind} `));
  return own.map(({ message }) => message);
}

t.test('connections that are forgotten, in whatever state', async t => {
  const { port, sockets } = await nodeServer(t);
  const before = openFds();
  const forget: ((conn: Connection) => unknown)[] = [
    () => {},
    conn => conn.write('x'),
    conn => conn.write('x').then(() => {}),
    conn => conn.send(Buffer.alloc(3_000_000)),
    conn => conn.read({ timeout: 1 }).catch(() => {}),
    conn => conn.setTimeout(100_000),
    conn => void conn.readable,
    conn => void conn.toDuplex(),
    conn => void conn[Symbol.asyncIterator](),
    conn => {
      (async () => {
        await conn.read({ signal: AbortSignal.timeout(1) });
        throw new Error('the handler fails');
      })().catch(() => {});
    },
  ];
  for (const use of forget) {
    for (let i = 0; i < 5; i++) await use(await connect({ port, host: HOST }));
  }
  await collectUntil(() => sockets.size === 0 && openFds() <= before && loop().stats().inFlight === 0);
  const [first, ...more] = unclosed('Connection');
  t.match(
    first,
    new RegExp(`^A Connection with ${HOST}:${port} \\(descriptor \\d+\\) was garbage collected`),
  );
  t.equal(more.length, 0, 'one warning for all');
  t.match(warnings[0], { name: 'UasyncWarning', code: 'UASYNC_UNCLOSED' });
});

t.test('accepted ones, too: what was written to them arrives', async t => {
  const server = await listen({ port: 0, host: HOST });
  const client = net.connect(portOf(server), HOST);
  const received: Buffer[] = [];
  client.on('data', chunk => received.push(chunk));
  const ended = once(client, 'end').then(() => true);
  (await server.accept()).send(Buffer.alloc(5_000_000, 'x'));
  let over = false;
  ended.then(() => {
    over = true;
  });
  await collectUntil(() => over);
  t.equal(Buffer.concat(received).length, 5_000_000);
  await server.close();
});

t.test('listeners', async t => {
  const before = openFds();
  for (let i = 1; i < COUNT; i++) await listen({ port: 0, host: HOST });
  // One was accepted for, and nobody has asked for it.
  const connected = async (): Promise<net.Socket> => {
    const listener = await listen({ port: 0, host: HOST });
    const socket = net.connect(portOf(listener), HOST);
    await once(socket, 'connect');
    t.notOk(listener.closed, 'it has not been collected');
    return socket;
  };
  const client = await connected();
  client.on('error', () => {});
  const closed = whenClosed(client);
  await collectUntil(() => openFds() <= before + 1 && loop().stats().inFlight === 0);
  client.destroy();
  await closed;
  const [first, ...more] = unclosed('Listener');
  t.match(first, /^A Listener on 127\.0\.0\.1:\d+ \(descriptor \d+\) was garbage collected/);
  t.equal(more.length, 0);
});

t.test('datagram sockets', async t => {
  const before = openFds();
  const forget = async (i: number): Promise<void> => {
    const socket = await bind({ port: 0, host: HOST });
    if (i % 2 === 0) await socket.recv({ timeout: 1 }).catch(() => {});
    if (i % 3 === 0) await socket.send('x', 9, HOST);
  };
  for (let i = 0; i < COUNT; i++) await forget(i);
  await collectUntil(() => openFds() <= before && loop().stats().inFlight === 0);
  const [first, ...more] = unclosed('DatagramSocket');
  t.match(first, /^A DatagramSocket at 127\.0\.0\.1:\d+ \(descriptor \d+\) was garbage collected/);
  t.equal(more.length, 0);
});

t.test('pipes, but for those whose descriptor is not theirs', async t => {
  const fifo = makeFifo(folder, 'fifo');
  // What is written stays until it is read, whenever who wrote it is collected.
  const kept = openSync(fifo, 'r+');
  const before = openFds();
  const forget = async (i: number): Promise<void> => {
    const pipe = openPipe(openSync(fifo, 'r+'));
    if (i % 2 === 0) await pipe.write('x');
    else await pipe.read();
  };
  for (let i = 0; i < COUNT; i++) await forget(i);
  await collectUntil(() => openFds() <= before);
  const [first, ...more] = unclosed('Pipe');
  t.match(first, /^A Pipe \(descriptor \d+\) was garbage collected/);
  t.equal(more.length, 0);
  openPipe(kept, { autoClose: false });
  openPipe(0);
  await collectOthers();
  t.equal(openFds(), before);
  await openPipe(kept).close();
});

t.test('what is in use stays', async t => {
  const { port, sockets } = await nodeServer(t);
  const before = openFds();
  const results: string[] = [];
  const note = (text: string) => (): void => {
    results.push(text);
  };
  const failed = note('failed');
  const abort = new AbortController();
  const open = (): Promise<Connection> => connect({ port, host: HOST });
  // Nothing but what waits refers to any of these.
  const use = async (): Promise<number> => {
    (await open()).read().then(note('read'), failed);
    (await open()).readInto(Buffer.alloc(4)).then(note('readInto'), failed);
    (await open()).readUntil('\n').then(note('readUntil'), failed);
    (async () => {
      for await (const _chunk of await open()) break;
    })().then(note('for await'), failed);
    (await open()).toDuplex().once('data', note('duplex')).on('error', failed);
    (await open()).pipeTo(await open(), { length: 5 }).then(note('pipeTo'), failed);
    (await open()).readable.getReader().read().then(note('web stream'), failed);
    const server = await listen({ port: 0, host: HOST });
    server.accept({ signal: abort.signal }).then(failed, note('accept'));
    const socket = await bind({ port: 0, host: HOST });
    socket.recv().then(note('recv'), failed);
    return socket.address.port;
  };
  const target = await use();
  await collectOthers();
  await collectOthers();
  t.same(results, []);
  for (const socket of sockets) socket.write('bytes\n');
  abort.abort();
  const other = await bind({ port: 0, host: HOST });
  await other.send('x', target, HOST);
  await other.close();
  const all = [
    'accept',
    'duplex',
    'for await',
    'pipeTo',
    'read',
    'readInto',
    'readUntil',
    'recv',
    'web stream',
  ];
  while (results.length < all.length) await sleep(5);
  t.same(results.sort(), all);
  for (const socket of sockets) socket.end();
  await collectUntil(() => openFds() <= before && loop().stats().inFlight === 0);
});

t.test('pipes that are read stay, and datagram sockets that wait to send', async t => {
  const before = openFds();
  const fifo = makeFifo(folder, 'in-use');
  const writer = openSync(fifo, 'r+');
  const path = join(folder, 'full');
  const server = await bind({ path });
  const filler = await bind({ family: 'Unix' });
  const filling: Promise<number>[] = [];
  // More than net.unix.max_dgram_qlen has room for.
  const limit = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
  for (let i = 0; i < limit + 10; i++) filling.push(filler.send('x', path));
  const results: string[] = [];
  const note = (text: string) => (): void => {
    results.push(text);
  };
  const failed = (error: Error): void => {
    results.push(error.message);
  };
  // Nothing but what waits refers to any of these.
  const use = async (): Promise<void> => {
    const pipe = (): Pipe => openPipe(openSync(fifo, 'r'));
    pipe().read().then(note('read'), failed);
    pipe().readInto(Buffer.alloc(1)).then(note('readInto'), failed);
    pipe().readExactly(1).then(note('readExactly'), failed);
    pipe().readUntil('\n').then(note('readUntil'), failed);
    (await bind({ family: 'Unix' })).send('y', path).then(note('send'), failed);
    (await bind({ family: 'Unix' })).sendMany([{ data: 'y', path }]).then(note('sendMany'), failed);
  };
  await use();
  await collectOthers();
  await collectOthers();
  t.same(results, []);
  // Each takes a line, or what is left of one.
  while (results.length < 4) {
    writeSync(writer, '\n');
    await sleep(5);
  }
  for (let got = 0; got < limit + 12; got++) await server.recv();
  await Promise.all(filling);
  while (results.length < 6) await sleep(5);
  t.same(results.sort(), ['read', 'readExactly', 'readInto', 'readUntil', 'send', 'sendMany']);
  closeSync(writer);
  await Promise.all([server.close(), filler.close()]);
  await collectUntil(() => openFds() <= before && loop().stats().inFlight === 0);
});

t.test('a connection whose two sides have ended is closed', async t => {
  const over: [string, (conn: Connection) => Promise<unknown>][] = [
    ['read to its end, then shut down', conn => readAll(conn).then(() => conn.shutdown())],
    ['shut down, then read to its end', conn => conn.shutdown().then(() => readAll(conn))],
    [
      'shut down, then read into a buffer',
      async conn => {
        await conn.shutdown();
        while ((await conn.readInto(Buffer.alloc(3))) !== 0);
      },
    ],
    ['piped to itself', conn => conn.pipeTo(conn)],
  ];
  for (const [how, end] of over) {
    const [client, conn] = await pair(t);
    client.send('hello');
    const ended = client.shutdown();
    await end(conn);
    await ended;
    await readAll(client);
    while (conn.fd >= 0 || client.fd >= 0) await sleep(1);
    for (const one of [conn, client]) {
      t.ok(one.closed, how);
      t.equal(await one.read(), null, 'the end stays the end');
      t.equal(await one.readInto(Buffer.alloc(1)), 0);
      await t.rejects(one.write('x'), { code: 'ERR_CLOSED' });
      await one.shutdown();
      await one.drained();
      await one.close();
      await one.reset();
      await t.rejects(one.read(), { code: 'ERR_CLOSED' }, 'until it is closed here');
      await t.rejects(one.shutdown(), { code: 'ERR_CLOSED' });
    }
  }
});

t.test('one side is not enough', async t => {
  const [client, conn] = await pair(t);
  await client.shutdown();
  t.equal(await conn.read(), null);
  t.notOk(conn.closed);
  await conn.write('still here');
  t.equal(String(await client.readExactly(10)), 'still here');
  // Unread bytes keep it open after both ends.
  const [other, one] = await pair(t);
  await other.write('unread');
  await other.shutdown();
  await one.shutdown();
  t.equal(String(await one.peek(100)), 'unread');
  t.notOk(one.closed);
  t.equal(String(await one.read()), 'unread');
  t.equal(await one.read(), null);
  t.ok(one.closed);
});

t.test('a connection that has failed is closed once a read has found out', async t => {
  const [client, conn] = await pair(t);
  const reading = t.rejects(conn.read(), { code: 'ECONNRESET' });
  await client.reset();
  await reading;
  t.ok(conn.closed);
  await t.rejects(conn.read(), { code: 'ECONNRESET' });
  await t.rejects(conn.write('x'), { code: 'EPIPE' });
  while (conn.fd >= 0) await sleep(1);
  await conn.close();
});

t.test('what was closed is collected, with the errors that its calls got', async t => {
  const { port } = await nodeServer(t);
  const fifo = makeFifo(folder, 'closed');
  const refs: WeakRef<object>[] = [];

  /** Uses one of each kind for longer than it is young. The frame of this function must not keep them. */
  async function use(): Promise<void> {
    const connection = await connect({ port, host: HOST });
    const listener = await listen({ port: 0, host: HOST });
    const datagrams = await bind({ host: HOST });
    const pipe = openPipe(openSync(fifo, 'r+'));
    await sleep(250);
    const waiting = Promise.allSettled([connection.read(), listener.accept(), datagrams.recv(), pipe.read()]);
    for (const one of [connection, listener, datagrams, pipe]) {
      refs.push(new WeakRef(one));
      await one.close();
    }
    for (const result of await waiting) t.match(result, { reason: { code: 'ERR_CLOSED' } });
  }

  await use();
  await collectUntil(() => refs.every(ref => ref.deref() === undefined));
});

t.test('what has failed in a call is closed when it is forgotten, as others are', async t => {
  const before = openFds();
  const { port, sockets } = await nodeServer(t);
  const fifo = makeFifo(folder, 'failed');
  const uses: ((conn: Connection) => Promise<unknown>)[] = [
    conn => conn.write('x'),
    conn => conn.drained(),
    conn => conn.shutdown(),
  ];
  const refs: WeakRef<object>[] = [];

  async function fail(use: (conn: Connection) => Promise<unknown>): Promise<void> {
    const conn = await connect({ port, host: HOST });
    refs.push(new WeakRef(conn));
    // Watched, and then reset. Two writes: the first one may be told, and the second fails in the call.
    await sleep(250);
    while (sockets.size === 0) await sleep(1);
    for (const socket of sockets) socket.resetAndDestroy();
    while (sockets.size !== 0) await sleep(1);
    for (let i = 0; i < 2; i++) {
      await use(conn).then(
        () => {},
        error => t.match(error.code, /^(?:ECONNRESET|EPIPE|ENOTCONN)$/),
      );
    }
  }

  async function failPipe(): Promise<void> {
    const reader = openSync(fifo, 'r+');
    const pipe = openPipe(openSync(fifo, 'w'));
    refs.push(new WeakRef(pipe));
    closeSync(reader);
    await sleep(250);
    await t.rejects(pipe.write('x'), { code: 'EPIPE' });
  }

  for (const use of uses) await fail(use);
  await failPipe();
  await collectUntil(() => refs.every(ref => ref.deref() === undefined));
  // The server itself is still there.
  await collectUntil(() => openFds() <= before + 1);
});
