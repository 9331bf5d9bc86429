/** Reading by count, to a delimiter, ahead and again. */
import net from 'node:net';
import t from 'tap';
import { sleep } from 'uasync';
import { listen } from 'uasync/net';
import { ReceiveQueue } from '../../src/net/stream/receive-queue.js';
import { checkLeaks, seededRandom, turns } from '../harness.js';
import { HOST, pair, pattern, portOf, readAll } from './sockets.js';

checkLeaks();

t.test('readExactly resolves to so many bytes, however they arrive', async t => {
  const [a, b] = await pair(t);
  const both = Promise.all([b.readExactly(4), b.readExactly(0), b.readExactly(6)]);
  for (const piece of ['on', 'e-', 'tw', 'o-thr', 'ee']) {
    await a.write(piece);
    await turns();
  }
  t.strictSame((await both).map(String), ['one-', '', 'two-th']);
  t.equal(String(await b.readExactly(3)), 'ree');
  const large = pattern(3_000_000);
  const sent = a.write(large);
  t.ok(large.equals(await b.readExactly(large.length)), 'more than the receiver would queue');
  await sent;
});

t.test('what an early end, an abort or a timeout leaves unread is there for the next read', async t => {
  const [a, b] = await pair(t);
  await a.write('1234');
  const abort = new AbortController();
  const aborted = b.readExactly(10, { signal: abort.signal });
  await sleep(5);
  abort.abort();
  await t.rejects(aborted, { name: 'AbortError' });
  await t.rejects(b.readExactly(10, { timeout: 5 }), { code: 'ETIMEDOUT', syscall: 'read' });
  await t.rejects(b.readUntil('\n', { timeout: 5 }), { code: 'ETIMEDOUT' });
  t.equal(String(await b.readExactly(2)), '12');
  await a.write('5');
  await a.shutdown();
  await t.rejects(b.readExactly(10), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
  await t.rejects(b.readUntil('x'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
  t.equal(String(await b.peek(10)), '345', 'fewer at the end');
  t.equal(String(await readAll(b)), '345');
  t.equal(await b.peek(), null);
  await t.rejects(b.readExactly(1), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
});

t.test('a reader that gives up lets those behind it have the bytes', async t => {
  const [a, b] = await pair(t);
  const abort = new AbortController();
  const first = b.readExactly(100, { signal: abort.signal });
  const second = b.readUntil('.');
  const third = b.read();
  await a.write('first.rest');
  await sleep(5);
  abort.abort();
  await t.rejects(first, { name: 'AbortError' });
  t.equal(String(await second), 'first.');
  t.equal(String(await third), 'rest');
});

t.test('readUntil ends with the delimiter: text, bytes or one byte, wherever it is cut', async t => {
  const [a, b] = await pair(t);
  for (const cut of [0, 3, 4, 5, 6, 7, 8]) {
    const message = 'head\r\n\r\nbody';
    const head = b.readUntil('\r\n\r\n');
    await a.write(message.slice(0, cut));
    await turns();
    await a.write(message.slice(cut));
    t.equal(String(await head), 'head\r\n\r\n', `cut at ${cut}`);
    t.equal(String(await b.readExactly(4)), 'body');
  }
  await a.write('a,b;c\0');
  t.equal(String(await b.readUntil(Buffer.from(','))), 'a,');
  t.equal(String(await b.readUntil(0x3b)), 'b;');
  t.equal(String(await b.readUntil('\0')), 'c\0');
});

t.test('a delimiter beyond max is refused, and nothing is lost', async t => {
  const [a, b] = await pair(t);
  await a.write('0123456789\n');
  await t.rejects(b.readUntil('\n', { max: 10 }), { code: 'ERR_DELIMITER_NOT_FOUND' });
  t.equal(String(await b.readUntil('\n', { max: 11 })), '0123456789\n');
  const long = Buffer.concat([Buffer.alloc(1_000_000, 'x'), Buffer.from('\n')]);
  const sent = a.write(long);
  t.ok(long.equals(await b.readUntil('\n', { max: 2_000_000 })), 'more than the receiver would queue');
  await sent;
});

t.test('peeked bytes stay when a web stream takes what it yields', async t => {
  const [a, b] = await pair(t);
  const data = pattern(600_000);
  const writing = a.write(data);
  const seen = await b.peek(data.length);
  await writing;
  const reader = b.readable.getReader();
  for (let left = data.length; left > 0; left -= (await reader.read()).value!.length);
  t.ok(data.equals(seen!));
});

t.test('peek leaves what it shows, and unread puts bytes back', async t => {
  const [a, b] = await pair(t);
  const early = b.peek(3);
  await a.write('ab');
  await turns();
  await a.write('cdef');
  t.equal(String(await early), 'abc');
  t.match(String(await b.peek()), /^a/);
  t.equal(String(await b.readExactly(6)), 'abcdef');
  const waiting = b.read();
  b.unread(Buffer.from('again'));
  t.equal(String(await waiting), 'again', 'also for one who waits');
  b.unread(Buffer.from('2'));
  b.unread(Buffer.from('1'));
  b.unread(Buffer.alloc(0));
  t.equal(String(await b.readExactly(2)), '12');
  // They are a copy: what becomes of the buffer does not matter, nor that it had been detached already.
  const bytes = new Uint8Array([97, 98, 99]);
  b.unread(bytes);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  b.unread(bytes);
  t.equal(String(await b.readExactly(3)), 'abc');
  await b.close();
  t.throws(() => b.unread(Buffer.from('x')), { code: 'ERR_CLOSED' });
  await t.rejects(b.peek(), { code: 'ERR_CLOSED' });
});

t.test('unread comes first, also before what a waiting reader has taken or looked through', async t => {
  const [a, b] = await pair(t);
  await a.write('hello world');
  const line = b.readUntil('\n');
  await sleep(5);
  b.unread(Buffer.from('abc\n'));
  t.equal(String(await line), 'abc\n');
  const exactly = b.readExactly(14);
  await sleep(5);
  b.unread(Buffer.from('XYZ'));
  t.equal(String(await exactly), 'XYZhello world');
});

t.test('a delimiter is found in a trickle of thousands of pieces', async t => {
  const [a, b] = await pair(t);
  const [c, d] = await pair(t);
  // Two in turns, so that pieces of one do not lie side by side.
  const lines = [b.readUntil('\n'), d.readUntil('\n')];
  for (let i = 0; i < 5000; i++) await Promise.all([a.write('a'), c.write('c')]);
  await Promise.all([a.write('\n'), c.write('\n')]);
  t.strictSame((await Promise.all(lines)).map(String), [`${'a'.repeat(5000)}\n`, `${'c'.repeat(5000)}\n`]);
});

t.test('wrong arguments are refused', async t => {
  const [, b] = await pair(t);
  await t.rejects(b.readExactly(-1), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(b.readExactly('1' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(b.readUntil(''), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(b.readUntil(256), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(b.readUntil({} as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(b.readUntil('abc', { max: 2 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(b.peek(0), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(b.read(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(b.readUntil('x', null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => b.setKeepAlive(true, null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => b.unread('x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('readers of all kinds together see every byte once, in order', async t => {
  const random = seededRandom(t);
  const [a, b] = await pair(t);
  const source = pattern(400_000);
  const write = async (): Promise<void> => {
    for (let at = 0; at < source.length; ) {
      const length = Math.ceil(random() ** 3 * 20_000);
      await a.write(source.subarray(at, at + length));
      at += length;
    }
    await a.shutdown();
  };
  const seen: Buffer[] = [];
  const writing = write();
  for (;;) {
    const dice = random();
    const signal = random() < 0.1 ? AbortSignal.timeout(1) : undefined;
    try {
      if (dice < 0.3) {
        const chunk = await b.read({ signal });
        if (chunk === null) break;
        seen.push(chunk);
      } else if (dice < 0.5) {
        const target = Buffer.alloc(1 + random() * 9000);
        seen.push(target.subarray(0, await b.readInto(target, { signal })));
      } else if (dice < 0.7) seen.push(await b.readExactly(Math.floor(random() * 9000), { signal }));
      else if (dice < 0.8) seen.push(await b.readUntil(Math.floor(random() * 256), { signal }));
      else if (dice < 0.9) await b.peek(1 + Math.floor(random() * 5000), { signal });
      else {
        const chunk = await b.read({ signal });
        if (chunk !== null) b.unread(chunk);
      }
    } catch (error) {
      if (!['ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as { code: string }).code))
        throw error;
    }
  }
  await writing;
  t.ok(source.equals(Buffer.concat(seen)));
});

t.test('the inbox finds what is cut over many chunks', async t => {
  const random = seededRandom(t);
  for (let round = 0; round < 300; round++) {
    const text = Buffer.from(Array.from({ length: 40 }, () => (random() < 0.5 ? 97 : 98)));
    const inbox = new ReceiveQueue();
    for (let at = 0; at < text.length; ) {
      const length = 1 + Math.floor(random() * 4);
      inbox.push(text.subarray(at, at + length));
      at += length;
    }
    const delimiter = Buffer.from(
      Array.from({ length: 1 + Math.floor(random() * 7) }, () => (random() < 0.5 ? 97 : 98)),
    );
    const from = Math.floor(random() * 20);
    const found = inbox.indexOf(delimiter, from);
    if (found !== text.indexOf(delimiter, from)) {
      t.fail(`${delimiter} from ${from} in ${text}: ${found}, not ${text.indexOf(delimiter, from)}`);
    }
    const head = Math.floor(random() * 41);
    if (!inbox.peek(head).equals(text.subarray(0, head))) t.fail('peek');
    if (!Buffer.concat([inbox.take(head), inbox.take(inbox.length)]).equals(text)) t.fail('take');
  }
  t.pass('300 texts');
});

t.test('a closed connection has nothing to read, whatever arrives while it closes', async t => {
  const server = await listen({ port: 0, host: HOST });
  const socket = net.connect(portOf(server), HOST);
  socket.on('error', () => {});
  const gone = new Promise(resolve => socket.once('close', resolve));
  const conn = await server.accept();
  await server.close();
  socket.write('one');
  t.equal(String(await conn.read()), 'one');
  // It has arrived when the call returns, and the loop has not looked yet.
  socket.write('two');
  const closing = conn.close();
  for (let i = 0; i < 3; i++) {
    await t.rejects(conn.read(), { code: 'ERR_CLOSED' });
    await turns(1);
  }
  await closing;
  await t.rejects(conn.read(), { code: 'ERR_CLOSED' });
  await t.rejects(conn.readInto(Buffer.alloc(3)), { code: 'ERR_CLOSED' });
  socket.destroy();
  await gone;
});
