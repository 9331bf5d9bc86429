/** Reads and writes of pinned memory, which the kernel fills and sends in place. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { allocPinned, loop, sleep } from 'uasync';
import { type Connection, connect, listen } from 'uasync/net';
import { checkLeaks, collectGarbage, seededRandom, turns, withoutInline } from '../harness.js';
import { built } from '../programs.js';
import { HOST, pair, pattern, portOf, readAll } from './sockets.js';

checkLeaks();
withoutInline();

const KB = 1024;

t.test('an echo through one buffer', async t => {
  const [a, b] = await pair(t);
  const echo = async (): Promise<void> => {
    const buffer = allocPinned(256 * KB);
    for (let n = await b.readInto(buffer); n > 0; n = await b.readInto(buffer)) {
      await b.write(buffer.subarray(0, n));
    }
    await b.shutdown();
  };
  const data = pattern(3_000_000);
  const echoing = echo();
  const writing = a.write(data).then(() => a.shutdown());
  t.ok(data.equals(await readAll(a)));
  await Promise.all([writing, echoing]);
  t.equal(b.bytesRead, data.length);
  t.equal(b.bytesWritten, data.length);
});

t.test('the bytes go where they are wanted, and nowhere else', async t => {
  const [a, b] = await pair(t);
  const buffer = allocPinned(64 * KB);
  const reading = b.readInto(buffer.subarray(10_000, 20_000));
  await turns();
  const data = pattern(30_000);
  await a.write(data);
  let length = await reading;
  while (length < 10_000) length += await b.readInto(buffer.subarray(10_000 + length, 20_000));
  t.ok(data.subarray(0, 10_000).equals(buffer.subarray(10_000, 20_000)));
  t.ok(buffer.subarray(0, 10_000).every(byte => byte === 0));
  t.ok(buffer.subarray(20_000).every(byte => byte === 0));
  t.ok(data.subarray(10_000).equals(await b.readExactly(20_000)), 'the rest is there');
  await a.write(buffer.subarray(10_000, 14_096));
  t.ok(data.subarray(0, 4096).equals(await b.readExactly(4096)), 'a part is sent');
});

t.test('writes of pinned and of other bytes leave in the order of the calls', async t => {
  const [a, b] = await pair(t);
  const data = pattern(2_000_000);
  const writes: Promise<void>[] = [];
  for (let at = 0, i = 0; at < data.length; i++) {
    const part = data.subarray(at, at + [10, 5000, 300_000, 70_000][i % 4]!);
    at += part.length;
    const pinned = allocPinned(part.length);
    pinned.set(part);
    writes.push(a.write(i % 3 === 0 ? part : pinned));
  }
  t.equal(a.bufferedAmount, data.length);
  const closing = Promise.all(writes).then(() => a.shutdown());
  collectGarbage();
  t.ok(data.equals(await readAll(b)));
  await closing;
  t.equal(a.bufferedAmount, 0);
});

t.test('a close sends what was written', async t => {
  const [a, b] = await pair(t);
  const pinned = allocPinned(1_000_000);
  pinned.set(pattern(1_000_000));
  const writing = a.write(pinned);
  const closing = a.close();
  t.equal((await readAll(b)).length, 1_000_000);
  await Promise.all([writing, closing]);
});

t.test('without the kernel’s copy either, it is copied first', async t => {
  const [a, b] = await pair(t);
  a.setZeroCopy(1);
  const pinned = allocPinned(500_000);
  pinned.set(pattern(500_000));
  const reading = b.readExactly(500_000);
  await a.write(pinned);
  pinned.fill(0);
  t.ok(pattern(500_000).equals(await reading), 'what was written, though the buffer has changed since');
});

t.test('a read that is given up takes nothing, and leaves the buffer alone', async t => {
  const [a, b] = await pair(t);
  const buffer = allocPinned(64 * KB);
  await t.rejects(b.readInto(buffer, { timeout: 5 }), { code: 'ETIMEDOUT' });
  const abort = new AbortController();
  const aborted = b.readInto(buffer, { signal: abort.signal });
  const next = b.readExactly(5000);
  await turns();
  abort.abort();
  await t.rejects(aborted, { name: 'AbortError' });
  await a.write(pattern(5000));
  t.ok(pattern(5000).equals(await next));
  t.ok(buffer.every(byte => byte === 0));
  await t.rejects(b.readInto(buffer, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

t.test('what was put back comes first', async t => {
  const [a, b] = await pair(t);
  const buffer = allocPinned(64 * KB);
  const reading = b.readInto(buffer);
  await turns();
  b.unread(Buffer.from('first, '));
  t.equal(buffer.toString('latin1', 0, await reading), 'first, ');
  const again = b.readInto(buffer);
  await turns();
  // In one submission: the bytes come before the receive is cancelled, or after.
  const writing = a.write('third');
  b.unread(Buffer.from('second, '));
  await writing;
  let text = buffer.toString('latin1', 0, await again);
  while (text.length < 13) text += String(await b.read());
  t.equal(text, 'second, third');
});

t.test('reads that wait end with the connection, the peer and the idle limit', async t => {
  for (const end of ['close', 'reset'] as const) {
    const [, b] = await pair(t);
    const reading = b.readInto(allocPinned(64 * KB));
    const behind = b.readInto(allocPinned(64 * KB));
    await turns();
    const ended = b[end]();
    await Promise.all([
      t.rejects(reading, { code: 'ERR_CLOSED' }),
      t.rejects(behind, { code: 'ERR_CLOSED' }),
    ]);
    await ended;
    await t.rejects(b.readInto(allocPinned(64 * KB)), { code: 'ERR_CLOSED' });
  }
  const [a, b] = await pair(t);
  b.setTimeout(10);
  const idle = b.readInto(allocPinned(64 * KB));
  const behind = b.read();
  await Promise.all([t.rejects(idle, { code: 'ETIMEDOUT' }), t.rejects(behind, { code: 'ETIMEDOUT' })]);
  b.setTimeout(0);
  const reading = b.readInto(allocPinned(64 * KB));
  await turns();
  await a.shutdown();
  t.equal(await reading, 0);
  t.equal(await b.readInto(allocPinned(64 * KB)), 0);
  const [c, d] = await pair(t);
  const reset = d.readInto(allocPinned(64 * KB));
  await turns();
  const rejected = t.rejects(reset, { code: 'ECONNRESET', syscall: 'read' });
  await c.reset();
  await rejected;
});

t.test('nobody else is needed to keep the memory', async t => {
  const [a, b] = await pair(t);
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  const start = (conn: Connection): Promise<number> => {
    const buffer = allocPinned(64 * KB);
    registry.register(buffer.buffer, null);
    return conn.readInto(buffer);
  };
  const reading = start(b);
  for (let i = 0; i < 3; i++) {
    await turns();
    collectGarbage();
  }
  t.equal(collected, 0, 'while the kernel may write to it');
  await a.write('x');
  t.equal(await reading, 1);
  for (let tries = 0; tries < 100 && collected === 0; tries++) {
    collectGarbage();
    await sleep(2);
  }
  t.equal(collected, 1, 'and no longer');
});

const noTransfer =
  !('transfer' in ArrayBuffer.prototype) &&
  'this Node has no ArrayBuffer.prototype.transfer: it came with Node 22';

t.test('a buffer that is moved away while the kernel has it', { skip: noTransfer }, async t => {
  // Its own `transfer` refuses; the prototype's cannot be kept from it.
  const { transfer } = ArrayBuffer.prototype as ArrayBuffer & { transfer(): ArrayBuffer };
  const move = (buffer: Buffer): ArrayBuffer => transfer.call(buffer.buffer as ArrayBuffer);
  const [a, b] = await pair(t);
  const buffer = allocPinned(64 * KB);
  const reading = t.rejects(b.readInto(buffer), { code: 'ERR_INVALID_STATE' });
  await turns();
  const moved = move(buffer);
  await a.write('x');
  await reading;
  t.equal(new Uint8Array(moved).filter(byte => byte !== 0).length, 1, 'its memory is still there');
  await t.rejects(b.readInto(buffer), { code: 'ERR_OUT_OF_RANGE' });
  const putBack = allocPinned(64 * KB);
  const behind = t.rejects(b.readInto(putBack), { code: 'ERR_INVALID_STATE' });
  await turns();
  move(putBack);
  // In one submission: the byte is there before the receive is cancelled.
  const byte = a.write('y');
  b.unread(Buffer.from('put back'));
  await byte;
  await behind;
  t.equal(String(await b.read()), 'put back');
  await a.write('z');
  let next = '';
  while (!next.endsWith('z')) {
    const chunk = await b.read();
    t.ok(chunk!.length > 0);
    next += String(chunk);
  }
  const large = allocPinned(8_000_000);
  const writing = a.write(large);
  await turns();
  move(large);
  const reset = b.read().then(() => a.reset());
  await t.rejects(writing, { code: /ERR_CLOSED|ERR_INVALID_STATE/ });
  await reset;
  collectGarbage();
});

t.test('readers of both kinds see every byte once, in order, whatever is given up', async t => {
  const random = seededRandom(t);
  const [a, b] = await pair(t);
  const source = pattern(3_000_000);
  const write = async (): Promise<void> => {
    for (let at = 0; at < source.length; ) {
      const part = source.subarray(at, at + Math.ceil(random() ** 3 * 100_000));
      at += part.length;
      if (random() < 0.5) {
        const pinned = allocPinned(part.length);
        pinned.set(part);
        await a.write(pinned);
      } else await a.write(part);
      if (random() < 0.2) await sleep(random());
    }
    await a.shutdown();
  };
  const writing = write();
  const seen: Buffer[] = [];
  const pinned = allocPinned(128 * KB);
  for (let ended = false; !ended; ) {
    const controller = new AbortController();
    const signal = random() < 0.3 ? controller.signal : undefined;
    if (random() < 0.5) setImmediate(() => controller.abort());
    else setTimeout(() => controller.abort(), random() * 3);
    try {
      const dice = random();
      if (dice < 0.5) {
        const from = Math.floor(random() * 1000);
        const target = pinned.subarray(from, from + 4096 + Math.floor(random() * 100_000));
        const reading = b.readInto(target, { signal });
        let waits = true;
        const settled = (): void => {
          waits = false;
        };
        reading.then(settled, settled);
        if (random() < 0.2) {
          await turns(random() * 2);
          if (waits && seen.length > 0) b.unread(seen.pop()!);
        }
        const length = await reading;
        seen.push(Buffer.from(target.subarray(0, length)));
        ended = length === 0;
      } else if (dice < 0.8) {
        const chunk = await b.read({ signal });
        if (chunk === null) ended = true;
        else seen.push(chunk);
      } else if (dice < 0.9) seen.push(await b.readExactly(Math.floor(random() * 9000), { signal }));
      else {
        const both = await Promise.allSettled([b.readInto(pinned.subarray(0, 70_000), { signal }), b.read()]);
        if (both[0].status === 'fulfilled') seen.push(Buffer.from(pinned.subarray(0, both[0].value)));
        if (both[1].status === 'fulfilled' && both[1].value !== null) seen.push(both[1].value);
      }
    } catch (error) {
      if (!['ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as { code: string }).code))
        throw error;
    }
  }
  await writing;
  t.ok(source.equals(Buffer.concat(seen)));
});

t.test('a loop that is closed under them, and a thread that ends with them', async t => {
  const server = await listen({ port: 0, host: HOST });
  const start = (): Worker =>
    new Worker(built('test/fixtures/in-place-worker.js'), {
      workerData: { port: portOf(server), host: HOST },
    });
  const closing = start();
  await once(closing, 'message');
  closing.postMessage('close');
  t.strictSame(await once(closing, 'message'), [['ERR_CLOSED', 'ERR_CLOSED']]);
  const first = await server.accept();
  const terminated = start();
  await once(terminated, 'message');
  const second = await server.accept();
  await Promise.all([closing.terminate(), terminated.terminate()]);
  // Nobody is there to read it.
  await Promise.all([first, second].map(conn => conn.write(pattern(100_000)).catch(() => {})));
  await Promise.all([first.reset(), second.reset(), server.close()]);
  t.equal(loop().stats().inFlight, 0);
});

t.test('a proxy that reads in place on one side and pipes on the other', async t => {
  const [client, front] = await pair(t);
  const echo = await listen({ port: 0, host: HOST });
  void (async () => {
    for await (const conn of echo) conn.pipeTo(conn).finally(() => conn.close());
  })();
  const back = await connect({ port: portOf(echo), host: HOST });
  const forward = async (): Promise<void> => {
    const buffer = allocPinned(100_000);
    for (let n = await front.readInto(buffer); n > 0; n = await front.readInto(buffer)) {
      await back.write(buffer.subarray(0, n));
    }
    await back.shutdown();
  };
  const moving = Promise.all([forward(), back.pipeTo(front)]);
  const data = pattern(4_000_000);
  const writing = client.write(data).then(() => client.shutdown());
  t.ok(data.equals(await readAll(client)));
  await Promise.all([writing, moving]);
  await Promise.all([back.close(), echo.close()]);
});
