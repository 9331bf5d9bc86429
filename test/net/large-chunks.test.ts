/** Large chunks, which are received by readiness and a call of their own. */
import net from 'node:net';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import { type Connection, listen } from 'uasync/net';
import { checkLeaks, seededRandom, turns, withoutInline } from '../harness.js';
import { HOST, pair, pattern, portOf, readAll } from './sockets.js';

checkLeaks();

const KB = 1024;

function deferred(): { promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {};
  const promise = new Promise<void>(settle => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** More chunks in a row than it takes to change the way. */
const MANY = 12;

/** A connection, and a socket of Node's as its peer, whose writes are no operations of the loop. */
async function peers(t: Test): Promise<[net.Socket, Connection]> {
  const listener = await listen({ port: 0, host: HOST });
  const socket = net.connect(portOf(listener), HOST);
  const conn = await listener.accept();
  await listener.close();
  socket.on('error', () => {});
  t.teardown(async () => {
    socket.destroy();
    await conn.reset();
  });
  return [socket, conn];
}

/** The peer sends `size` bytes while a read waits for them. Returns the number of operations that this took. */
async function receive(socket: net.Socket, conn: Connection, size: number): Promise<number> {
  const { submitted } = loop().stats();
  let reading = conn.read();
  await turns();
  socket.write(Buffer.alloc(size, 1));
  for (let left = size; ; reading = conn.read()) {
    left -= (await reading)!.length;
    if (left === 0) return loop().stats().submitted - submitted;
  }
}

async function receiveMany(socket: net.Socket, conn: Connection, size: number): Promise<number> {
  let operations = 0;
  for (let i = 0; i < MANY; i++) operations += await receive(socket, conn, size);
  return operations;
}

t.test('a connection learns how to receive from the length of its chunks', async t => {
  const [socket, conn] = await peers(t);
  t.ok((await receiveMany(socket, conn, 1000)) <= 1, 'small ones: one receive for all');
  await receiveMany(socket, conn, 200 * KB);
  t.ok((await receiveMany(socket, conn, 200 * KB)) >= MANY, 'large ones: each wait is a poll');
  await receiveMany(socket, conn, 1000);
  t.ok((await receiveMany(socket, conn, 1000)) <= 1, 'small ones again');
});

/** A connection that receives large chunks, and its peer. */
async function largePeers(t: Test): Promise<[net.Socket, Connection]> {
  const [socket, conn] = await peers(t);
  await receiveMany(socket, conn, 200 * KB);
  return [socket, conn];
}

t.test('what waits is read without an operation', async t => {
  const [socket, conn] = await largePeers(t);
  const data = pattern(8_000_000);
  socket.write(data);
  const { submitted } = loop().stats();
  let reads = 0;
  for (let left = data.length; left > 0; reads++) left -= (await conn.read())!.length;
  const operations = loop().stats().submitted - submitted;
  t.ok(operations < reads, `${operations} operations for ${reads} reads`);
});

t.test('an end, a reset, a read that is given up', async t => {
  const [ending, ended] = await largePeers(t);
  const last = ended.read();
  await turns();
  ending.end();
  t.equal(await last, null);

  const [resetting, reset] = await largePeers(t);
  const failing = t.rejects(reset.read(), { code: 'ECONNRESET' });
  await turns();
  resetting.resetAndDestroy();
  await failing;

  const [socket, conn] = await largePeers(t);
  await t.rejects(conn.read({ timeout: 1 }), { code: 'ETIMEDOUT' });
  const controller = new AbortController();
  const aborted = t.rejects(conn.read({ signal: controller.signal }), { name: 'AbortError' });
  controller.abort();
  await aborted;
  socket.write('still');
  t.equal(String(await conn.read()), 'still');
});

t.test('closing while a read waits', async t => {
  const [, conn] = await largePeers(t);
  const reading = t.rejects(conn.read(), { code: 'ERR_CLOSED' });
  await turns();
  await conn.close();
  await reading;
});

t.test('a large buffer that is not pinned is filled in place', async t => {
  const [socket, conn] = await largePeers(t);
  const data = pattern(300 * KB);
  const buffer = Buffer.alloc(128 * KB);
  const parts: Buffer[] = [];
  socket.end(data);
  for (let n = await conn.readInto(buffer); n > 0; n = await conn.readInto(buffer)) {
    parts.push(Buffer.from(buffer.subarray(0, n)));
  }
  t.ok(data.equals(Buffer.concat(parts)));
  t.ok(buffer.subarray(0, 10).some(byte => byte !== 0));
});

t.test('chunks that the user keeps never change', async t => {
  const [socket, conn] = await largePeers(t);
  const data = pattern(4_000_000);
  socket.end(data);
  t.ok(data.equals(await readAll(conn)));
});

t.test('memory that was taken away is not received into', async t => {
  const [socket, conn] = await largePeers(t);
  const data = pattern(300 * KB);
  const { promise: sent, resolve } = deferred();
  socket.write(data.subarray(0, 100), () => resolve());
  await sent;
  const chunk = (await conn.read())!;
  try {
    (chunk.buffer as { transfer?: () => void }).transfer?.();
  } catch {
    // Node 24 refuses.
  }
  socket.end(data);
  t.ok(data.equals(await readAll(conn)));
});

t.test('small chunks, too: the next of another connection has memory of its own', async t => {
  const [socket, conn] = await peers(t);
  const [other, reader] = await peers(t);
  socket.write('chunk');
  const chunk = (await conn.read())!;
  const stream = new ReadableStream({ type: 'bytes', start: controller => take(controller, chunk) });
  other.write('of another');
  t.equal(String(await reader.read()), 'of another');
  await stream.cancel();
});

/** Before Node 24 a byte stream takes the memory of what it is given. */
function take(controller: ReadableByteStreamController, chunk: Buffer): void {
  try {
    controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

t.test('a read of another kind comes first, and the last has given up', async t => {
  const asks: Record<string, (conn: Connection) => Promise<unknown>> = {
    readExactly: conn => conn.readExactly(500_000),
    readUntil: conn => conn.readUntil('\n', { max: 600_000 }),
    peek: conn => conn.peek(100_000),
  };
  for (const [name, ask] of Object.entries(asks)) {
    const [socket, conn] = await largePeers(t);
    const first = ask(conn);
    await t.rejects(conn.read({ timeout: 1 }), { code: 'ETIMEDOUT' });
    const data = pattern(600_000).fill(10, 550_000, 550_001);
    for (let at = 0; at < 550_000; at++) if (data[at] === 10) data[at] = 11;
    socket.write(data);
    t.ok(((await first) as Buffer).length >= 100_000, name);
  }
});

t.test('a pipe into a connection that reads large chunks ends when that is reset', async t => {
  const [socket, conn] = await largePeers(t);
  const [, from] = await peers(t);
  const piped = t.rejects(from.pipeTo(conn), { code: /EPIPE|ECONNRESET/ });
  // It reads on, and then waits no more.
  await receiveMany(socket, conn, 200 * KB);
  socket.resetAndDestroy();
  await piped;
});

t.test('the same, where they become large while it is piped', async t => {
  const [socket, conn] = await peers(t);
  const [, from] = await peers(t);
  const piped = t.rejects(from.pipeTo(conn), { code: /EPIPE|ECONNRESET/ });
  await receiveMany(socket, conn, 200 * KB);
  socket.resetAndDestroy();
  await piped;
});

t.test('reads of all kinds, in any order', async t => {
  const random = seededRandom(t);
  const below = (n: number): number => Math.floor(random() * n);
  const data = pattern(6_000_000);
  const [a, b] = await pair(t);
  const writing = (async () => {
    for (let at = 0; at < data.length; ) {
      const size = [100, 20 * KB, 200 * KB, 700 * KB][below(4)]!;
      await a.write(data.subarray(at, at + size));
      at += size;
    }
    await a.shutdown();
  })();
  const buffer = Buffer.alloc(256 * KB);
  let at = 0;
  const got = (bytes: Uint8Array): void => {
    if (!data.subarray(at, at + bytes.length).equals(bytes)) t.fail(`other bytes at ${at}`);
    at += bytes.length;
  };
  for (let ended = false; !ended; ) {
    const kind = below(8);
    if (kind < 4) {
      const chunk = await b.read();
      if (chunk === null) ended = true;
      else got(chunk);
    } else if (kind < 6) {
      const into = buffer.subarray(0, [10, 40 * KB, 256 * KB][below(3)]!);
      const n = await b.readInto(into);
      got(into.subarray(0, n));
      ended = n === 0;
    } else if (kind === 6) {
      const peeked = await b.peek(1000);
      if (peeked !== null && !data.subarray(at, at + peeked.length).equals(peeked)) t.fail(`peeked at ${at}`);
      ended = peeked === null;
    } else if (data.length - at > 100 * KB) got(await b.readExactly(1 + below(100 * KB)));
  }
  t.equal(at, data.length);
  await writing;
});

t.test('without calls there is one receive for all', async t => {
  withoutInline();
  const [socket, conn] = await peers(t);
  await receiveMany(socket, conn, 200 * KB);
  t.ok((await receiveMany(socket, conn, 200 * KB)) <= 1);
});
