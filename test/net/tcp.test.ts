/** TCP between our server and node:net clients, our client and node:net servers, and ours with ours. */
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { loop, sleep } from 'uasync';
import { type Connection, connect, type InetAddress, type Listener, listen } from 'uasync/net';
import { checkLeaks, scratchFolder, seededRandom, standstill, turns, until } from '../harness.js';
import { refusingPort } from '../ports.js';
import { built } from '../programs.js';

checkLeaks();

const HOST = '127.0.0.1';

/** States of a connection, as `info()` gives them. */
const TCP_CLOSE = 7;
const TCP_CLOSE_WAIT = 8;

function portOf(server: Listener): number {
  return (server.address as InetAddress).port;
}

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk);
}

/** An echo server of ours, closed with the test. */
async function echoServer(): Promise<Listener> {
  const server = await listen({ port: 0, host: HOST });
  void (async () => {
    for await (const conn of server) echo(conn).catch(() => {});
  })();
  return server;
}

/** A pair of our own connections. */
async function pair(server: Listener): Promise<[Connection, Connection]> {
  return Promise.all([connect({ port: portOf(server), host: HOST }), server.accept()]);
}

async function readAll(conn: Connection): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let chunk = await conn.read(); chunk !== null; chunk = await conn.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function randomBytes(random: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = random() * 256;
  return bytes;
}

t.test('a node:net client gets back what it sent, of every size around the buffers’ bounds', async t => {
  const random = seededRandom(t);
  const server = await echoServer();
  const socket = net.connect(portOf(server), HOST);
  const sizes = [1, 2, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 16383, 16384, 16385];
  sizes.push(65535, 65536, 65537, 262143, 262144, 262145, 524288, 1048577);
  const source = randomBytes(random, 1048577);
  for (const size of sizes) {
    const sent = source.subarray(0, size);
    socket.write(sent);
    const chunks: Buffer[] = [];
    let received = 0;
    while (received < size) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      chunks.push(chunk);
      received += chunk.length;
    }
    t.ok(Buffer.concat(chunks).equals(sent), `${size} bytes`);
  }
  socket.end();
  await once(socket, 'close');
  await server.close();
});

t.test('our client against a node:net server', async t => {
  const random = seededRandom(t);
  const server = net.createServer(socket => socket.pipe(socket));
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await using conn = await connect({ port, host: HOST });
  const sent = randomBytes(random, 700_001);
  const writing = conn.write(sent).then(() => conn.shutdown());
  t.ok((await readAll(conn)).equals(sent));
  await writing;
  t.equal(conn.bytesWritten, sent.length);
  t.equal(conn.bytesRead, sent.length);
  server.close();
});

t.test('addresses, IPv4 and IPv6, and host names', async t => {
  for (const host of ['127.0.0.1', '::1', 'localhost']) {
    const server = await listen({ port: 0, host });
    const address = server.address as InetAddress;
    const [a, b] = await Promise.all([connect({ port: address.port, host }), server.accept()]);
    t.strictSame(a.remoteAddress, address);
    t.strictSame(a.localAddress, b.remoteAddress);
    t.strictSame(a.remoteAddress, b.localAddress);
    t.equal(address.family, address.address.includes(':') ? 'IPv6' : 'IPv4');
    await Promise.all([a.close(), b.close()]);
    t.strictSame(a.remoteAddress, address, 'known after the close');
    await server.close();
  }
  const dual = await listen({ port: 0 });
  t.equal((dual.address as InetAddress).address, '::');
  const conn = await connect({ port: portOf(dual), host: HOST });
  await conn.close();
  await dual.close();
});

t.test('Unix sockets, by path and by abstract name', async t => {
  for (const path of [join(scratchFolder(), 'socket'), `\0uasync-test-${process.pid}`]) {
    const server = await listen({ path });
    t.strictSame(server.address, { path });
    const [a, b] = await Promise.all([connect({ path }), server.accept()]);
    await a.write('over a Unix socket');
    t.equal(String(await b.read()), 'over a Unix socket');
    t.strictSame(a.remoteAddress, { path });
    await Promise.all([a.close(), b.close(), server.close()]);
  }
  await t.rejects(connect({ path: '/nowhere/at/all' }), {
    code: 'ENOENT',
    syscall: 'connect',
    path: '/nowhere/at/all',
  });
});

t.test('strings, arrays and empty writes', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  await a.write('');
  await a.write(Buffer.alloc(0));
  await a.write([]);
  await Promise.all([
    a.write('héllo '),
    a.write(Buffer.from('wörld ')),
    a.write(['and ', Buffer.from('more')]),
  ]);
  await a.shutdown();
  t.equal(String(await readAll(b)), 'héllo wörld and more');
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('writes of all sizes that queue stay in order', async t => {
  const random = seededRandom(t);
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const parts = Array.from({ length: 200 }, () => randomBytes(random, Math.floor(random() ** 4 * 100_000)));
  parts.push(...Array.from({ length: 500 }, () => randomBytes(random, Math.floor(random() * 50))));
  for (let i = parts.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [parts[i], parts[j]] = [parts[j]!, parts[i]!];
  }
  const writing = Promise.all(parts.map(part => a.write(part))).then(() => a.shutdown());
  t.ok((await readAll(b)).equals(Buffer.concat(parts)));
  await writing;
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('readInto fills a buffer of the caller, across chunks', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  await a.write('abcdefghij');
  await b.read().then(chunk => t.equal(String(chunk), 'abcdefghij'));
  await a.write('abcdefghij');
  await sleep(5);
  const buffer = Buffer.alloc(4);
  const seen: string[] = [];
  for (let left = 10; left > 0; ) {
    const n = await b.readInto(buffer);
    seen.push(buffer.toString('latin1', 0, n));
    left -= n;
  }
  t.strictSame(seen, ['abcd', 'efgh', 'ij']);
  const small = Buffer.alloc(2);
  const reading = b.readInto(small);
  await a.write('xyz');
  t.equal(await reading, 2);
  t.equal(await b.readInto(small), 1);
  await a.close();
  t.equal(await b.readInto(small), 0, 'the end');
  t.equal(await b.readInto(small), 0, 'and again');
  await t.rejects(b.readInto(Buffer.alloc(0)), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(b.readInto('x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await Promise.all([b.close(), server.close()]);
});

t.test('reads that wait are served in order', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const served: string[] = [];
  const reads = [1, 2, 3].map(async read => served.push(`${read}: ${await b.read()}`));
  for (const text of ['a', 'b', 'c']) {
    await a.write(text);
    // What is written before the last piece was read may come with it, as one chunk.
    await reads.shift();
  }
  t.strictSame(served, ['1: a', '2: b', '3: c']);
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('half close: the other direction goes on', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  await a.shutdown();
  await a.shutdown();
  t.equal(await b.read(), null);
  await t.rejects(a.write('x'), { code: 'ERR_CLOSED' });
  await b.write('still here');
  t.equal(String(await a.read()), 'still here');
  await b.close();
  t.equal(await a.read(), null);
  await Promise.all([a.close(), server.close()]);
});

t.test('leaving the loop closes the connection', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  await a.write('one');
  for await (const chunk of b) {
    t.equal(String(chunk), 'one');
    break;
  }
  t.ok(b.closed);
  t.equal(await a.read(), null);
  await t.rejects(
    (async () => {
      for await (const _ of a) throw new Error('unreachable');
      throw new Error('ended');
    })(),
    { message: 'ended' },
  );
  t.ok(a.closed, 'so does its end');
  await server.close();
});

t.test('a reset is an error of read and write, in Node’s shape', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const { port } = a.localAddress as InetAddress;
  const reading = b.read();
  const reset = { code: 'ECONNRESET', errno: -104, syscall: 'read', address: HOST, port };
  const writable = b.write(Buffer.alloc(1 << 24));
  // Both may reject in the same turn.
  writable.catch(() => {});
  reading.catch(() => {});
  await a.reset();
  await t.rejects(reading, { ...reset, message: `read ECONNRESET ${HOST}:${port}` });
  await t.rejects(writable, { message: new RegExp(`^write (?:ECONNRESET|EPIPE) ${HOST}:${port}$`) });
  await t.rejects(b.read(), reset, 'every time');
  await t.rejects(b.write('x'), { message: new RegExp(`^write (?:ECONNRESET|EPIPE) ${HOST}:${port}$`) });
  t.match(b.remoteAddress, { address: HOST, port }, 'it is not forgotten');
  await b.close();

  const [c, d] = await pair(server);
  const iterating = (async () => {
    for await (const _ of d);
  })();
  const rejected = t.rejects(iterating, { code: 'ECONNRESET' });
  await c.reset();
  await rejected;
  t.ok(d.closed);
  await server.close();
});

t.test('a reset is never read as the end, also if a send has heard of it first', async t => {
  const server = await listen({ port: 0, host: '127.0.0.1' });
  const codeOf = async (reading: Promise<unknown>): Promise<string> =>
    reading.then(
      () => 'the end',
      error => error.code,
    );
  const readOn = async (conn: Connection): Promise<void> => {
    for await (const _ of conn);
  };
  for (let i = 0; i < 5; i++) {
    const [a, b] = await pair(server);
    const iterating = codeOf(readOn(a));
    const stuck = a.write(Buffer.alloc(20_000_000)).catch(() => {});
    await b.write('half');
    await sleep(5);
    await b.reset();
    t.equal(await iterating, 'ECONNRESET', 'while a write is stuck');
    await stuck;

    const [c, d] = await pair(server);
    const echoing = codeOf(
      (async () => {
        for await (const chunk of c) await c.write(chunk).catch(() => {});
      })(),
    );
    d.send(Buffer.alloc(3_000_000));
    await sleep(5);
    await d.reset();
    t.equal(await echoing, 'ECONNRESET', 'in an echo');

    const [e, f] = await pair(server);
    await f.write('half');
    await f.reset();
    await until(() => e.info().state === TCP_CLOSE);
    const file = openSync(built('test/net/tcp.test.js'), 'r');
    const sending: Promise<unknown> = i % 2 === 0 ? e.write('x') : e.sendFile(file);
    await t.rejects(sending as Promise<void>, { code: 'ECONNRESET' });
    closeSync(file);
    t.equal(String(await e.read()), 'half');
    t.equal(await codeOf(e.read()), 'ECONNRESET', 'after a write that failed');
    await e.close();

    const [client, front] = await pair(server);
    const [back, other] = await pair(server);
    const up = codeOf(front.pipeTo(back));
    const down = codeOf(back.pipeTo(front));
    other.send(Buffer.alloc(20_000_000));
    await client.write('half');
    await sleep(5);
    await client.reset();
    t.equal(await up, 'ECONNRESET', 'of a pipe');
    t.match(await down, /ECONNRESET|EPIPE/);
    await Promise.all([front, back, other].map(conn => conn.reset()));
  }
  await server.close();
});

t.test('an end that came before a reset is the end', async t => {
  const server = await listen({ port: 0, host: '127.0.0.1' });
  const [a, b] = await pair(server);
  await b.write('all of it');
  await b.shutdown();
  await until(() => a.info().state === TCP_CLOSE_WAIT);
  await b.reset();
  await until(() => a.info().state === TCP_CLOSE);
  await t.rejects(a.write('x'), { code: 'EPIPE' });
  t.equal(String(await readAll(a)), 'all of it');
  await a.close();
  await server.close();
});

t.test('a reset drops what is unsent', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const big = a.write(Buffer.alloc(32 << 20));
  const behind = a.write('behind');
  await sleep(10);
  const outcome = Promise.allSettled([big, behind]);
  await a.reset();
  for (const result of await outcome) t.equal(result.status, 'rejected');
  await b.close();
  await server.close();
});

t.test('close sends what was written, and rejects what waits', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const reading = a.read();
  const writing = a.write(Buffer.alloc(4 << 20, 'x'));
  const closing = a.close();
  t.equal(a.close(), closing, 'a second close is the first');
  await t.rejects(reading, { code: 'ERR_CLOSED' });
  await t.rejects(a.read(), { code: 'ERR_CLOSED' });
  await t.rejects(a.write('x'), { code: 'ERR_CLOSED' });
  await t.rejects(a.shutdown(), { code: 'ERR_CLOSED' });
  t.throws(() => a.setNoDelay(), { code: 'ERR_CLOSED' });
  t.equal((await readAll(b)).length, 4 << 20);
  await Promise.all([writing, closing]);
  t.equal(a.fd, -1);
  await Promise.all([b.close(), server.close()]);
});

t.test('a refused port', async t => {
  const port = refusingPort(t);
  await t.rejects(connect({ port, host: HOST }), {
    code: 'ECONNREFUSED',
    errno: -111,
    syscall: 'connect',
    address: HOST,
    port,
    message: `connect ECONNREFUSED ${HOST}:${port}`,
  });
  await t.rejects(connect({ port: 1, host: 'name.invalid' }), { code: /ENOTFOUND|EAI_AGAIN/ });
});

t.test('a port in use', async t => {
  const server = await listen({ port: 0, host: HOST });
  const port = portOf(server);
  await t.rejects(listen({ port, host: HOST }), {
    code: 'EADDRINUSE',
    syscall: 'listen',
    address: HOST,
    port,
    message: `listen EADDRINUSE ${HOST}:${port}`,
  });
  await server.close();
  const first = await listen({ port: 0, host: HOST, reusePort: true });
  const second = await listen({ port: portOf(first), host: HOST, reusePort: true });
  await Promise.all([first.close(), second.close()]);
});

t.test('reads, accepts and connects can be aborted, and lose nothing', async t => {
  const server = await listen({ port: 0, host: HOST });
  const signal = AbortSignal.timeout(10);
  await t.rejects(server.accept({ signal }), { name: 'AbortError', code: 'ABORT_ERR' });
  await t.rejects(server.accept({ signal }), { name: 'AbortError' }, 'aborted before');
  await t.rejects(server.accept({ timeout: 5 }), { code: 'ETIMEDOUT' });
  const [a, b] = await pair(server);
  await t.rejects(b.read({ signal: AbortSignal.timeout(5) }), { name: 'AbortError' });
  await t.rejects(b.read({ timeout: 5 }), {
    code: 'ETIMEDOUT',
    syscall: 'read',
    errno: undefined,
    message: 'ETIMEDOUT: the timeout has passed, read',
  });
  await a.write('kept');
  t.equal(String(await b.read({ signal: AbortSignal.timeout(1e6), timeout: 1e6 })), 'kept');
  await t.rejects(connect({ port: portOf(server), host: HOST, signal }), { name: 'AbortError' });
  await t.rejects(b.read({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('connect times out on a full backlog', async t => {
  const server = net.createServer();
  server.listen({ port: 0, host: HOST, backlog: 1 });
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  // A listener of ours that never accepts: its queue fills, and the kernel drops further SYNs.
  const silent = await listen({ port: 0, host: HOST, backlog: 0 });
  const target = portOf(silent);
  const held: Promise<Connection>[] = [];
  let timedOut = 0;
  for (let i = 0; i < 4; i++) held.push(connect({ port: target, host: HOST, timeout: 50 }));
  for (const result of await Promise.allSettled(held)) {
    if (result.status === 'fulfilled') await result.value.close();
    else if (result.reason.code === 'ETIMEDOUT') timedOut++;
  }
  t.comment(`${timedOut} of 4 timed out`);
  await t.rejects(connect({ port, host: HOST, timeout: 0, signal: AbortSignal.abort() }), {
    name: 'AbortError',
  });
  server.close();
  await silent.close();
});

t.test('closing a listener rejects who waits and closes who was not asked for', async t => {
  const server = await listen({ port: 0, host: HOST });
  const accepting = server.accept();
  const closing = server.close();
  t.equal(server.close(), closing);
  await t.rejects(accepting, { code: 'ERR_CLOSED' });
  await closing;
  await t.rejects(server.accept(), { code: 'ERR_CLOSED' });

  const other = await listen({ port: 0, host: HOST });
  const clients = await Promise.all([1, 2, 3].map(() => connect({ port: portOf(other), host: HOST })));
  await turns(5);
  await other.close();
  for (const client of clients) {
    const end = await client.read().catch(error => error.code);
    t.ok(end === null || end === 'ECONNRESET');
    await client.close();
  }
});

t.test('a thousand connections at once', async t => {
  const server = await echoServer();
  const port = portOf(server);
  const outcomes = await Promise.all(
    Array.from({ length: 1000 }, async (_, i) => {
      const conn = await connect({ port, host: HOST });
      const message = `message ${i} `.repeat(1 + (i % 50));
      await conn.write(message);
      let got = '';
      while (got.length < message.length) got += await conn.read();
      await conn.close();
      return got === message;
    }),
  );
  t.ok(outcomes.every(Boolean));
  await server.close();
});

t.test('a reader that lags stops the sender, and no byte is lost', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const total = 64 << 20;
  const piece = Buffer.alloc(1 << 20, 'p');
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += piece.length) await a.write(piece);
    await a.shutdown();
  })();
  t.equal((await b.read())?.[0], 'p'.charCodeAt(0));
  await standstill(() => a.bytesWritten);
  t.ok(a.bytesWritten < total / 2, `the sender was held at ${a.bytesWritten >> 20} MiB`);
  t.ok(b.bytesRead < 8 << 20, `the receiver took ${b.bytesRead >> 20} MiB`);
  let received = b.bytesRead;
  received = 0;
  for (let chunk = await b.read(); chunk !== null; chunk = await b.read()) received += chunk.length;
  await writing;
  t.equal(b.bytesRead, total);
  t.ok(received > total / 2);
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('chunks survive what comes after them, and garbage collection', async t => {
  const random = seededRandom(t);
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const sent = randomBytes(random, 3 << 20);
  const writing = (async () => {
    for (let at = 0; at < sent.length; ) {
      const size = 1 + Math.floor(random() ** 3 * 60_000);
      await a.write(Buffer.from(sent.subarray(at, at + size)));
      at += size;
    }
    await a.shutdown();
  })();
  const chunks: Buffer[] = [];
  for (let chunk = await b.read(); chunk !== null; chunk = await b.read()) {
    chunks.push(chunk);
    if (chunks.length % 20 === 0) (globalThis as { gc?: () => void }).gc?.();
  }
  await writing;
  t.ok(Buffer.concat(chunks).equals(sent));
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('a buffer that is taken away while it is sent is an error, not a crash', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const first = a.write(Buffer.alloc(8 << 20));
  const data = new Uint8Array(1 << 20);
  const second = a.write(data);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  const results = Promise.allSettled([first, second]);
  for (let read = 0; read < 8 << 20; ) read += (await b.read())!.length;
  const [one, two] = await results;
  t.equal(one!.status, 'fulfilled');
  t.match(two, { status: 'rejected', reason: { code: 'ERR_INVALID_STATE' } });
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('options', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  t.equal(a.setNoDelay(false).setNoDelay().setKeepAlive(true, { idle: 10, interval: 5, count: 3 }), a);
  t.throws(() => a.setKeepAlive(true, { idle: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('wrong arguments reject before anything reaches the kernel', async t => {
  const type = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  const range = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
  await t.rejects(listen(undefined as never), type);
  await t.rejects(listen({}), type);
  await t.rejects(listen({ port: 65536 }), range);
  await t.rejects(listen({ port: 0, backlog: -1 }), range);
  await t.rejects(listen({ port: 0, host: 5 as never }), type);
  await t.rejects(listen({ path: 5 as never }), type);
  await t.rejects(listen({ path: 'x'.repeat(108) }), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(listen({ path: '' }), { code: 'ERR_INVALID_ARG_VALUE', message: /must not be empty/ });
  await t.rejects(connect({ path: '' }), { code: 'ERR_INVALID_ARG_VALUE', message: /must not be empty/ });
  await t.rejects(connect(null as never), type);
  await t.rejects(connect({}), type);
  await t.rejects(connect({ port: 1.5 }), range);
  await t.rejects(connect({ port: 1, host: {} as never }), type);
  await t.rejects(connect({ port: 1, timeout: 'x' as never }), type);
  await t.rejects(connect({ port: 1, signal: 'x' as never }), type);
  await t.rejects(connect({ path: 'a\0b' }), { code: 'ERR_INVALID_ARG_VALUE' });
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  await t.rejects(a.write(5 as never), type);
  await t.rejects(a.write(['x', 5 as never]), type);
  await t.rejects(a.write(null as never), type);
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('an unreferenced listener does not show in stats as holding the process', async t => {
  const server = await listen({ port: 0, host: HOST });
  t.equal(loop().stats().referenced, 1);
  server.unref();
  t.equal(loop().stats().referenced, 0);
  server.ref();
  t.equal(loop().stats().referenced, 1);
  await server.close();
});

t.test('a buffer that is taken away while it waits for bytes rejects its read, and loses none', async t => {
  const server = await listen({ port: 0, host: HOST });
  const [a, b] = await pair(server);
  const target = new Uint8Array(16);
  const reading = t.rejects(b.readInto(target), { code: 'ERR_INVALID_STATE' });
  structuredClone(target.buffer, { transfer: [target.buffer] });
  await a.write('kept');
  await reading;
  t.equal(String(await b.read()), 'kept');
  await Promise.all([a.close(), b.close(), server.close()]);
});

t.test('a connect is aborted, whenever the abort comes', async t => {
  const server = await listen({ port: 0, host: HOST });
  for (let ticks = 0; ticks < 12; ticks++) {
    const controller = new AbortController();
    const outcome = connect({ port: portOf(server), host: HOST, signal: controller.signal }).then(
      conn => conn.close(),
      error => t.equal(error.code, 'ABORT_ERR'),
    );
    for (let i = 0; i < ticks; i++) await null;
    controller.abort();
    await outcome;
  }
  await server.close();
});
