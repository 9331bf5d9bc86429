/** What is written while nothing else goes on is sent by a call of its own: what the socket does not take follows. */
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { bind, listen } from 'uasync/net';
import { checkLeaks, scratchFolder, turns } from '../harness.js';
import { quietPort } from '../ports.js';
import { built, output } from '../programs.js';
import { HOST, pair, pattern, portOf, readAll } from './sockets.js';

checkLeaks();

t.beforeEach(() => {
  loop().close();
  loop({ inline: true });
});

t.test('the first write of a quiet loop takes no operation, those behind it go together', async t => {
  const [a, b] = await pair(t);
  await turns();
  const before = loop().stats().submitted;
  const first = a.write('one ');
  t.equal(loop().stats().submitted, before);
  t.equal(a.bytesWritten, 4);
  t.equal(a.bufferedAmount, 0);
  const others = [a.write('two '), a.write(Buffer.from('three '))];
  t.equal(a.bufferedAmount, 10);
  await Promise.all([first, ...others]);
  t.equal(loop().stats().submitted, before + 1);
  t.equal(a.bufferedAmount, 0);
  await a.shutdown();
  t.equal((await readAll(b)).toString(), 'one two three ');
});

t.test('after a burst of writes those of the next leave together from the first on', async t => {
  const [a, b] = await pair(t);
  const burst = async (...texts: string[]) => {
    await turns();
    const before = loop().stats().submitted;
    const sent = a.bytesWritten;
    const writes = texts.map((text, i) => a.write(i % 2 === 0 ? text : Buffer.from(text)));
    const atOnce = a.bytesWritten - sent;
    await Promise.all(writes);
    const operations = loop().stats().submitted - before;
    t.equal((await b.read())?.toString(), texts.join(''));
    return { atOnce, operations };
  };
  // The first chunk may come by itself.
  await Promise.all([a.write('first,'), a.write('second,'), a.write('third')]);
  t.equal((await b.readExactly(18)).toString(), 'first,second,third');
  t.strictSame(await burst('one,', 'two,', 'three'), { atOnce: 0, operations: 1 });
  t.strictSame(await burst('€,', 'two'), { atOnce: 0, operations: 1 });
  // One by itself ends that.
  t.strictSame(await burst('alone'), { atOnce: 0, operations: 0 });
  t.strictSame(await burst('again'), { atOnce: 5, operations: 0 });
});

t.test(
  'the loop is closed, or the connection is reset, before a burst has left: its writes reject',
  async t => {
    const [a] = await pair(t);
    const [c, d] = await pair(t);
    await turns();
    await a.write('first');
    await c.write('first');
    const [reset, closed] = [a.write('gathered'), c.write('gathered')];
    const resets = a.reset();
    await t.rejects(reset, { code: 'ERR_CLOSED' });
    await resets;
    t.equal((await d.read())?.toString().startsWith('first'), true);
    await closed;
    await turns();
    c.send('second');
    const late = c.write('gathered');
    c.send('behind it');
    loop().close();
    await t.rejects(late, { code: 'ERR_CLOSED' });
  },
);

const EXITS = {
  burst: 'one,two,three',
  several: `${'x'.repeat(10_000)}${'y'.repeat(40_000)}z`,
  text: 'ä'.repeat(60_000),
  'texts of several blocks': `a${'ä'.repeat(150_000)}`,
};
for (const [what, whole] of Object.entries(EXITS)) {
  t.test(`what was written leaves before process.exit(), of a process and of a worker: ${what}`, async t => {
    await using server = await listen({ port: 0, host: HOST });
    const fixture = built('test/fixtures/connection-exit.js');
    const argv = [String(portOf(server)), what];
    for (const [by, start] of [
      ['a process', () => output(process.execPath, [fixture, ...argv])],
      ['its listener of exit', () => output(process.execPath, [fixture, ...argv, 'late'])],
      ['a worker', () => once(new Worker(fixture, { argv }), 'exit')],
    ] as const) {
      const exit = start();
      const connection = await server.accept();
      const text = String(await readAll(connection));
      t.ok(text === whole, `${by}: ${text.length} characters`);
      await connection.close();
      await exit;
    }
  });
}

t.test('a write does not ask Node whether the process exits', async t => {
  const [a, b] = await pair(t);
  await turns();
  const before = Object.getOwnPropertyDescriptor(process, '_exiting')!;
  const callers: string[] = [];
  t.teardown(() => Object.defineProperty(process, '_exiting', before));
  Object.defineProperty(process, '_exiting', {
    ...before,
    get() {
      callers.push(new Error('asked').stack!.split('\n')[2]!);
      return before.get!.call(process);
    },
  });
  const writes = ['x'.repeat(10_000), 'one', 'two'].map(text => a.write(text));
  await Promise.all(writes);
  t.strictSame(
    callers.filter(caller => !caller.includes('node:')),
    [],
  );
  await a.shutdown();
  t.equal((await readAll(b)).length, 10_006);
});

t.test('writes that are awaited one after the other are no burst', async t => {
  const [a, b] = await pair(t);
  const { turns: before } = loop().stats();
  for (let i = 0; i < 100; i++) await a.write('x');
  t.ok(loop().stats().turns - before <= 60, `${loop().stats().turns - before} turns`);
  const closing = a.shutdown();
  t.equal((await readAll(b)).length, 100);
  await closing;
});

for (const [name, make] of [
  ['bytes', (i: number) => Buffer.alloc(16384, `${i},`)],
  ['text', (i: number) => `${i}€`.repeat(900)],
] as const) {
  t.test(`${name} that the socket takes in part arrive whole, in order`, async t => {
    const [a, b] = await pair(t);
    const sent: Buffer[] = [];
    const writes: Promise<void>[] = [];
    // Until the peer, who reads nothing, has a full buffer.
    for (let i = 0; a.bufferedAmount === 0; i++) {
      await turns(1);
      const data = make(i);
      sent.push(Buffer.from(data as string));
      writes.push(a.write(data));
      if (i > 5000) t.fail('it takes everything');
    }
    const closing = Promise.all(writes).then(() => a.shutdown());
    t.ok((await readAll(b)).equals(Buffer.concat(sent)));
    await closing;
    t.equal(a.bytesWritten, Buffer.concat(sent).length);
  });
}

t.test('a peer that has reset: the write rejects, and so do later ones', async t => {
  const server = await listen({ port: 0, host: HOST });
  const peer = net.connect(portOf(server), HOST);
  const connection = await server.accept();
  peer.resetAndDestroy();
  await once(peer, 'close');
  await t.rejects(
    async () => {
      for (;;) await connection.write('x');
    },
    { code: /ECONNRESET|EPIPE/, syscall: 'write' },
  );
  await t.rejects(connection.write('x'), { code: /ECONNRESET|EPIPE/ });
  await connection.close();
  await server.close();
});

t.test('a peer that resets between the part that was sent at once and the rest', async t => {
  const server = await listen({ port: 0, host: HOST });
  const peer = net.connect(portOf(server), HOST).pause();
  const connection = await server.accept();
  let written = 0;
  let last = Promise.resolve();
  // Until the socket takes a write in part or not at all, and the rest waits in the ring.
  while (connection.bufferedAmount === 0) {
    await turns(1);
    last = connection.write(Buffer.alloc(16384));
    written += 16384;
  }
  t.ok(connection.bytesWritten < written);
  t.equal(connection.bytesWritten + connection.bufferedAmount, written);
  const behind = connection.write('behind it');
  peer.resetAndDestroy();
  const reset = { code: /ECONNRESET|EPIPE/, syscall: 'write' };
  await Promise.all([t.rejects(last, reset), t.rejects(behind, reset)]);
  await t.rejects(connection.write('later'), reset);
  t.equal(connection.bufferedAmount, 0);
  await connection.close();
  await server.close();
});

t.test('a write that is sent at once settles in a microtask, not within the call', async t => {
  const [a, b] = await pair(t);
  await turns();
  const seen: string[] = [];
  const writing = a.write('x').then(() => seen.push('settled'));
  queueMicrotask(() => seen.push('after'));
  seen.push('returned');
  await writing;
  t.same(seen, ['returned', 'settled', 'after']);
  t.equal(String(await b.read()), 'x');
});

t.test('what is made late keeps to what was asked before: unref, bytes, close', async t => {
  const server = await listen({ port: 0, host: HOST });
  const peer = net.connect(portOf(server), HOST);
  const connection = await server.accept();
  const { referenced } = loop().stats();
  t.same([connection.bytesRead, connection.bytesWritten, connection.bufferedAmount], [0, 0, 0]);
  connection.unref();
  const reading = connection.read();
  t.equal(loop().stats().referenced, referenced, 'a read after unref() keeps nothing alive');
  connection.ref();
  t.equal(loop().stats().referenced, referenced + 1);
  peer.write('one');
  t.equal(String(await reading), 'one');
  await connection.close();
  await t.rejects(connection.write('x'), { code: 'ERR_CLOSED' });
  await t.rejects(connection.read(), { code: 'ERR_CLOSED' });
  // One that was never used.
  const unused = net.connect(portOf(server), HOST);
  const second = await server.accept();
  await second.close();
  await t.rejects(second.read(), { code: 'ERR_CLOSED' });
  unused.destroy();
  peer.destroy();
  await server.close();
});

t.test('empty writes send nothing, and detached ones are refused', async t => {
  const [a, b] = await pair(t);
  await a.write('');
  await a.write(new Uint8Array(0));
  const gone = new Uint8Array(10);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  await t.rejects(a.write(gone), { code: 'ERR_INVALID_STATE' });
  t.equal(a.bytesWritten, 0);
  await a.shutdown();
  t.equal((await readAll(b)).length, 0);
});

t.test('the first datagram of a quiet loop to a known peer takes no operation', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  const { port } = server.address;
  await client.send('known', port, HOST);
  await server.recv();
  for (const text of ['one', 'two', 'three']) {
    await turns();
    const before = loop().stats().submitted;
    const sent = client.send(Buffer.from(text), port, HOST);
    t.equal(loop().stats().submitted, before, text);
    t.equal(await sent, text.length);
    t.equal(String((await server.recv()).data), text);
  }
});

t.test('so does one to a new address, as text, of a connected and of a Unix socket', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  await using connected = await bind({ host: HOST });
  await connected.connect(server.address.port, HOST);
  const folder = scratchFolder();
  const path = join(folder, 'server');
  await using unixServer = await bind({ path });
  await using unix = await bind({ path: join(folder, 'client') });
  const sends: [string, () => Promise<number>, typeof server | typeof unixServer][] = [
    ['new', () => client.send('new', server.address.port, HOST), server],
    ['connected', () => connected.send('connected'), server],
    ['unix', () => unix.send('unix', path), unixServer],
  ];
  for (const [text, send, receiver] of sends) {
    await turns();
    const before = loop().stats().submitted;
    const sent = send();
    t.equal(loop().stats().submitted, before, text);
    t.equal(await sent, text.length);
    t.equal(String((await receiver.recv()).data), text);
  }
});

t.test('a connected socket: the refusal of what was sent at once is that of a later call', async t => {
  const port = await quietPort(HOST, 'udp');
  await using client = await bind({ host: HOST });
  await client.connect(port, HOST);
  await t.rejects(
    async () => {
      for (;;) {
        await client.send('x');
        await turns(1);
      }
    },
    { code: 'ECONNREFUSED', syscall: 'send', address: HOST, port },
  );
});

t.test('datagrams of one turn arrive in their order, and a refused one rejects at once', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  const { port } = server.address;
  const texts = Array.from({ length: 100 }, (_, i) => String(i));
  await Promise.all(texts.map(text => client.send(Buffer.from(text), port, HOST)));
  for (const text of texts) t.equal(String((await server.recv()).data), text);
  await turns();
  const refused = { code: 'EACCES', syscall: 'send', address: '127.255.255.255', port };
  await t.rejects(client.send(Buffer.from('x'), port, '127.255.255.255'), refused);
});

t.test('on epoll answers to what has just arrived are sent at once, however many they are', async t => {
  loop().close();
  loop({ inline: true, backend: 'epoll' });
  const server = await listen({ port: 0, host: HOST });
  // Together more than the budget of a turn, and less than the buffers that are received into, which they fill evenly.
  const [count, message] = [350, Buffer.alloc(4096, 'x')];
  const peers: net.Socket[] = [];
  const echoes: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    peers.push(net.connect(portOf(server), HOST));
    const connection = await server.accept();
    const echo = async () => {
      for await (const chunk of connection) await connection.write(chunk);
    };
    echoes.push(echo());
  }
  await turns();
  const exchange = async () => {
    const answers = peers.map(async peer => {
      for (let length = 0; length < message.length; ) {
        const [chunk] = (await once(peer, 'data')) as [Buffer];
        length += chunk.length;
      }
    });
    for (const peer of peers) peer.write(message);
    await Promise.all(answers);
  };
  await exchange();
  const before = loop().stats().submitted;
  await exchange();
  t.equal(loop().stats().submitted, before);
  for (const peer of peers) peer.end();
  await Promise.all(echoes);
  await server.close();
});

t.test('a buffer that grows before it is sent: the bytes that it had are sent, on every way', async t => {
  const rest = pattern(3_000_000);
  for (const inline of [true, false]) {
    loop().close();
    loop({ inline });
    const [a, b] = await pair(t);
    const buffer = new (ArrayBuffer as new (size: number, options: object) => ArrayBuffer)(8, {
      maxByteLength: 1024,
    });
    const bytes = new Uint8Array(buffer).fill(65);
    const grow = (size: number): void => (buffer as unknown as { resize(size: number): void }).resize(size);
    await turns();
    // The second is gathered alone.
    const alone = [a.write('first,'), a.write(bytes)];
    grow(100);
    await Promise.all(alone);
    t.equal(a.bytesWritten, 6 + 8);
    grow(8);
    const queued = [a.write(rest), a.write(bytes), a.write('last')];
    grow(100);
    t.equal((await b.readExactly(6 + 8)).toString(), 'first,AAAAAAAA');
    t.ok(rest.equals(await b.readExactly(rest.length)));
    t.equal((await b.readExactly(8 + 4)).toString(), 'AAAAAAAAlast');
    await Promise.all(queued);
    await Promise.all([a.close(), b.close()]);
  }
});
