/** Writing without waiting, files, and from one connection to another. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { open as nodeOpen } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { sleep } from 'uasync';
import { open } from 'uasync/fs';
import { type Connection, connect, listen } from 'uasync/net';
import { checkLeaks, collectGarbage, scratchFolder, seededRandom, standstill, turns } from '../harness.js';
import { HOST, pair, pattern, portOf, readAll } from './sockets.js';

checkLeaks();
const folder = scratchFolder();

t.test('send is not waited for; bufferedAmount and drained() tell', async t => {
  const [a, b] = await pair(t);
  const data = pattern(20_000_000);
  a.send(data);
  a.send('');
  a.send([' and ', Buffer.from('text')]);
  // The kernel takes a part of it at once.
  t.equal(a.bufferedAmount + a.bytesWritten, data.length + 9);
  t.ok(a.bufferedAmount > 10_000_000);
  let drained = false;
  const draining = a.drained().then(() => {
    drained = true;
  });
  await sleep(20);
  t.notOk(drained, 'the peer does not read');
  const received = await b.readExactly(data.length + 9);
  await draining;
  t.equal(a.bufferedAmount, 0);
  t.ok(data.equals(received.subarray(0, data.length)));
  await a.drained();
  t.throws(() => a.send(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => a.send(['x', 5 as never]), { code: 'ERR_INVALID_ARG_TYPE' });
  await b.reset();
  while (a.bufferedAmount === 0) {
    a.send('x');
    await a.drained().catch(error => t.match(error.code, /EPIPE|ECONNRESET/));
    if (
      await a.drained().then(
        () => false,
        () => true,
      )
    )
      break;
  }
  await a.close();
  t.throws(() => a.send('x'), { code: 'ERR_CLOSED' });
});

t.test('waiting for a peer that does not read can be given up; what was written still goes', async t => {
  const [a, b] = await pair(t);
  const data = pattern(10_000_000);
  const timeout = 20;
  const late = { code: 'ETIMEDOUT', syscall: 'write' };
  await t.rejects(a.write(data, { timeout }), late);
  await t.rejects(a.write('x', { timeout }), late);
  await t.rejects(a.writev(['y', 'z'], { timeout }), late);
  await t.rejects(a.drained({ timeout }), late);
  await t.rejects(a.drained({ signal: AbortSignal.timeout(timeout) }), { name: 'AbortError' });
  const { bufferedAmount } = a;
  await t.rejects(a.write('!', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  t.equal(a.bufferedAmount, bufferedAmount, 'aborted before, nothing was written');
  await t.rejects(a.shutdown({ timeout }), late);
  await t.rejects(a.write('!', { timeout }), { code: 'ERR_CLOSED' });
  for (const wrong of [{ timeout: -1 }, { signal: 1 }, 5, null]) {
    await t.rejects(a.drained(wrong as never), { code: /ERR_INVALID_ARG_TYPE|ERR_OUT_OF_RANGE/ });
  }
  const received = await readAll(b);
  t.ok(received.equals(Buffer.concat([data, Buffer.from('xyz')])));
  await a.shutdown({ timeout });
  await a.drained({ timeout });
});

t.test('writev sends its parts together', async t => {
  const [a, b] = await pair(t);
  await a.writev(['a', Buffer.from('b'), '', 'c']);
  t.equal(String(await b.readExactly(3)), 'abc');
  await a.writev([]);
  await t.rejects(a.writev('abc' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await a.shutdown();
  await t.rejects(a.writev(['x']), { code: 'ERR_CLOSED' });
});

t.test('sendFile sends a file between what is written before and after', async t => {
  const [a, b] = await pair(t);
  const data = pattern(1_500_000);
  const path = join(folder, 'file');
  writeFileSync(path, data);
  const received = readAll(b);
  const file = await open(path);
  const nodes = await nodeOpen(path);
  const before = a.write('before:');
  const sent = a.sendFile(file);
  const after = a.write(':after:');
  const part = a.sendFile(nodes, { offset: 1_000_000, length: 10 });
  const short = a.sendFile(nodes.fd, { offset: data.length - 5, length: 100 });
  const none = a.sendFile(nodes.fd, { offset: data.length + 5 });
  t.strictSame(await Promise.all([sent, part, short, none]), [data.length, 10, 5, 0]);
  await Promise.all([before, after]);
  t.equal(a.bytesWritten, 14 + data.length + 15);
  await a.close();
  const expected = ['before:', data, ':after:', data.subarray(1_000_000, 1_000_010), data.subarray(-5)];
  t.ok(Buffer.concat(expected.map(part => Buffer.from(part as string))).equals(await received));
  await Promise.all([file.close(), nodes.close()]);
});

t.test('a file that is closed while it is sent: no byte of another file that gets its number', async t => {
  const [own, other] = ['own', 'other'].map(name => join(folder, name)) as [string, string];
  writeFileSync(own, Buffer.alloc(8_000_000, 'a'));
  writeFileSync(other, Buffer.alloc(8_000_000, 'b'));
  for (const openOne of [open, nodeOpen]) {
    const [a, b] = await pair(t);
    const file = await openOne(own);
    const sent = a.sendFile(file);
    await standstill(() => a.bytesWritten);
    await file.close();
    const impostor = await open(other);
    const received = await b.readExactly(8_000_000);
    t.equal(received.indexOf('b'), -1);
    t.equal(await sent, 8_000_000);
    await impostor.close();
    await a.close();
  }
});

t.test('sendFile waits for a peer that does not read: until an abort, a reset, a timeout', async t => {
  const path = join(folder, 'large');
  writeFileSync(path, pattern(20_000_000));
  const fd = openSync(path, 'r');
  const [a] = await pair(t);
  const abort = new AbortController();
  const aborted = a.sendFile(fd, { signal: abort.signal });
  const behind = t.rejects(a.write('never sent'), { name: 'AbortError' }, 'half a file is before it');
  while (a.bytesWritten === 0) await sleep(5);
  await sleep(30);
  t.ok(a.bytesWritten < 20_000_000);
  abort.abort();
  await t.rejects(aborted, { name: 'AbortError' });
  const [c] = await pair(t);
  const reset = t.rejects(c.sendFile(fd), { code: 'ERR_CLOSED' });
  await sleep(30);
  await c.reset();
  await reset;
  await a.reset();
  await behind;
  const [e] = await pair(t);
  const late = t.rejects(e.sendFile(fd, { timeout: 60 }), { code: 'ETIMEDOUT', syscall: 'write' });
  await t.rejects(e.sendFile(fd, { timeout: 20 }), { code: 'ETIMEDOUT' }, 'before it is its turn');
  await t.rejects(e.write('waits its turn'), { code: 'ETIMEDOUT' }, 'half a file is before it');
  await late;
  await e.reset();
  const [d] = await pair(t);
  t.equal(await d.sendFile(fd, { length: 5, timeout: 1e6 }), 5);
  await t.rejects(d.sendFile(fd, { timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(d.sendFile(0x7ffffff0), { code: 'EBADF' });
  const file = await open(path);
  await file.close();
  await t.rejects(d.sendFile(file), { code: 'ERR_CLOSED', message: /The file/ });
  await t.rejects(d.sendFile(fd, { offset: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(d.sendFile('x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await d.write('still works');
  closeSync(fd);
});

t.test('pipeTo moves everything, then ends the other side', async t => {
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const data = pattern(2_000_000);
  const moving = Promise.all([front.pipeTo(back), back.pipeTo(front)]);
  const echoed = readAll(client);
  void (async () => {
    for await (const chunk of server) await server.write(chunk);
  })();
  await client.write(data);
  await client.shutdown();
  t.ok(data.equals(await echoed));
  t.strictSame(await moving, [data.length, data.length]);
});

t.test('pipeTo with a length moves just that, and leaves the rest to be read', async t => {
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const data = pattern(1_000_000);
  const sent = client.write(data);
  let at = 0;
  for (const length of [0, 1, 5, 70_000, 300_001, 4096]) {
    const moving = front.pipeTo(back, { length });
    t.ok(data.subarray(at, at + length).equals(await server.readExactly(length)));
    t.equal(await moving, length);
    at += length;
    const byte = await front.readExactly(1);
    t.equal(byte[0], data[at], 'what comes after it was left');
    at++;
  }
  await back.write('goes on');
  t.equal(String(await server.read()), 'goes on', 'the other side does not end with it');

  const rest = front.pipeTo(back, { length: data.length, end: true });
  const got = readAll(server);
  await sent;
  await client.shutdown();
  t.equal(await rest, data.length - at, 'fewer where the peer ends before');
  t.ok(data.subarray(at).equals(await got));
  await t.rejects(front.pipeTo(back, { length: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(front.pipeTo(back, { length: 1.5 }), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('pipeTo with a length ends in the midst of what one turn brings', async t => {
  const random = seededRandom(t);
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const data = pattern(400_000);
  const writing = (async () => {
    for (let at = 0; at < data.length; ) {
      const end = Math.min(at + 1 + Math.floor(random() * 40_000), data.length);
      await client.write(data.subarray(at, end));
      at = end;
    }
    await client.shutdown();
  })();
  const got = readAll(server);
  let moved = 0;
  while (moved < data.length) {
    const length = 1 + Math.floor(random() * (random() < 0.5 ? 100 : 60_000));
    const count = await front.pipeTo(back, { length });
    t.ok(count === length || moved + count === data.length, `${count} of ${length}`);
    moved += count;
  }
  await back.shutdown();
  t.ok(data.equals(await got));
  await writing;
});

t.test('pipeTo ends with an abort or with the other side’s failure, though nothing arrives', async t => {
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const abort = new AbortController();
  const aborted = front.pipeTo(back, { signal: abort.signal });
  await client.write('one');
  t.equal(String(await server.read()), 'one');
  abort.abort();
  await t.rejects(aborted, { name: 'AbortError' });
  await client.write('two');
  let failed = false;
  const failing = t.rejects(front.pipeTo(back), { code: /EPIPE|ECONNRESET/ }).then(() => {
    failed = true;
  });
  t.equal(String(await server.read()), 'two', 'nothing was lost to the abort');
  await server.reset();
  while (!failed) {
    await client.write('x');
    await sleep(1);
  }
  await failing;
  await t.rejects(front.pipeTo({} as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('pipeTo ends when its other side does, though nothing arrives', async t => {
  const ways: [end: (back: Connection) => Promise<unknown>, code: string][] = [
    [back => back.close(), 'ERR_CLOSED'],
    [back => back.reset(), 'ERR_CLOSED'],
    [back => back.shutdown(), 'ERR_CLOSED'],
  ];
  for (const [end, code] of ways) {
    const [client, front] = await pair(t);
    const [back] = await pair(t);
    const piping = t.rejects(front.pipeTo(back), { code });
    await turns();
    await Promise.all([end(back), piping]);
    await t.rejects(front.pipeTo(back), { code }, 'nor does it begin');
    await client.write('kept');
    t.equal(String(await front.read()), 'kept', 'what arrives stays unread');
  }
});

t.test('pipeTo whose other side is stuck ends when its source does', async t => {
  const flooded = async (): Promise<[front: Connection, piping: Promise<number>]> => {
    const [client, front] = await pair(t);
    const [back] = await pair(t);
    back.setSendBufferSize(64 * 1024);
    client.send(Buffer.alloc(30_000_000));
    const piping = front.pipeTo(back);
    while (back.bufferedAmount === 0) await sleep(1);
    return [front, piping];
  };
  const [timed, late] = await flooded();
  timed.setTimeout(30);
  await t.rejects(late, { code: 'ETIMEDOUT' });
  const [source, closed] = await flooded();
  await Promise.all([t.rejects(closed, { code: 'ERR_CLOSED' }), source.close()]);
});

t.test('drained() that is given up leaves nothing behind', async t => {
  const [a] = await pair(t);
  a.send(Buffer.alloc(20_000_000));
  const giveUp = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const abort = new AbortController();
      const drained = a.drained({ signal: abort.signal });
      abort.abort();
      if ((await drained.catch(error => error.name)) !== 'AbortError') t.fail('it is given up');
    }
    await turns();
    collectGarbage();
  };
  await giveUp(1000);
  // The heap also grows by compiled code and by what finalizers hold, once. Waiters would make it grow each time.
  const growths: number[] = [];
  for (let round = 0; round < 8 && (growths.at(-1) ?? Number.POSITIVE_INFINITY) >= 4000 * 200; round++) {
    const before = process.memoryUsage().heapUsed;
    await giveUp(4000);
    growths.push(process.memoryUsage().heapUsed - before);
  }
  t.ok(growths.at(-1)! < 4000 * 200, `not one waiter: ${growths} bytes`);
  await t.rejects(a.drained({ timeout: 1 }), { code: 'ETIMEDOUT', syscall: 'write' });
  const drained = t.rejects(a.drained(), { code: 'ERR_CLOSED' });
  await a.reset();
  await drained;
});

t.test('pipes whose peers do not read hold up nobody, and lose nothing', async t => {
  const data = pattern(1_500_000);
  for (let round = 0; round < 2; round++) {
    // More than there are buffers to lend.
    const stuck = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const [client, front] = await pair(t);
        const [back, server] = await pair(t);
        back.setSendBufferSize(64 * 1024);
        server.setRecvBufferSize(64 * 1024);
        const piping = front.pipeTo(back);
        const writing = client.write(data).then(() => client.shutdown());
        return { front, server, piping, writing };
      }),
    );
    await sleep(20);
    const [client, front] = await pair(t);
    const [back, server] = await pair(t);
    const piping = front.pipeTo(back);
    const arriving = readAll(server);
    await client.write(data);
    await client.shutdown();
    t.ok(data.equals(await arriving), 'another pipe moves');
    t.equal(await piping, data.length);
    const ends = stuck.map(async ({ front, server, piping, writing }, i) => {
      if (i % 4 === 3) {
        const rejected = t.rejects(piping, { code: /EPIPE|ECONNRESET/ });
        await server.reset();
        await rejected;
        await front.reset();
        await writing.catch(() => {});
      } else {
        t.ok(data.equals(await readAll(server)));
        t.equal(await piping, data.length);
        await writing;
      }
    });
    await Promise.all(ends);
  }
});

t.test('an abort ends pipeTo while its last bytes leave, and while it ends the other side', async t => {
  const piped = async (): Promise<[Connection, Connection, Connection, Connection]> => {
    const [client, front] = await pair(t);
    const [back, server] = await pair(t);
    back.setSendBufferSize(16 * 1024);
    server.setRecvBufferSize(16 * 1024);
    return [client, front, back, server];
  };
  const abort = new AbortController();
  const { signal } = abort;
  const [client, front, back] = await piped();
  const failed = front.pipeTo(back, { signal });
  while (back.bufferedAmount === 0) {
    await client.write(pattern(20_000));
    await turns(4);
  }
  await client.reset();

  const [client2, front2, back2] = await piped();
  const ended = front2.pipeTo(back2, { signal });
  await client2.write('all there is');
  while (front2.bytesRead === 0) await turns();
  const behind = back2.write(pattern(10_000_000));
  await client2.shutdown();
  await sleep(20);
  abort.abort();
  await Promise.all([failed, ended].map(piping => t.rejects(piping, { name: 'AbortError' })));
  const dropped = t.rejects(behind, { code: 'ERR_CLOSED' });
  await back2.reset();
  await dropped;
});

/** Has a connection take little at a time. */
function narrow(from: Connection, to: Connection): void {
  from.setSendBufferSize(16 * 1024);
  to.setRecvBufferSize(16 * 1024);
}

/** Sends `data` piece by piece; `send` resolves to how much was sent so far, once that has arrived and had its turn. */
function feed(from: Connection, to: Connection): { data: Buffer; send: () => Promise<number> } {
  const data = pattern(4_000_000);
  let sent = 0;
  const send = async (): Promise<number> => {
    await from.write(data.subarray(sent, sent + 20_000));
    sent += 20_000;
    while (to.bytesRead < sent) await sleep(0.1);
    await turns(4);
    return sent;
  };
  return { data, send };
}

t.test('a pipe whose other side closes ends, and sends what it was sending', async t => {
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const [others, end] = await pair(t);
  narrow(back, server);
  const { data, send } = feed(client, front);
  const useBuffers = async (length: number): Promise<void> => {
    const writing = others.write(Buffer.alloc(length, 255));
    await end.readExactly(length);
    await writing;
  };
  const piping = front.pipeTo(back);
  while (back.bufferedAmount === 0) await send();
  // What gathers now lies in another buffer than what is under way.
  await useBuffers(300_000);
  let sent = await send();
  // What the pipe has written, be it sent or not: the rest has gathered.
  const written = (): number => back.bytesWritten + back.bufferedAmount;
  while (written() === sent) sent = await send();
  const underWay = written();
  const closing = back.close();
  await t.rejects(piping, { code: 'ERR_CLOSED' });
  await useBuffers(10_000_000);
  const arrived = await readAll(server);
  t.ok(arrived.length >= underWay, `${arrived.length} of ${underWay} bytes`);
  // What the pipe had no room for is unread.
  const rest = await front.readExactly(sent - arrived.length);
  t.ok(Buffer.concat([arrived, rest]).equals(data.subarray(0, sent)));
  await closing;
});

t.test('what a pipe has gathered when it is given up goes first', async t => {
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  narrow(back, server);
  const { data, send } = feed(client, front);
  const abort = new AbortController();
  const piping = front.pipeTo(back, { signal: abort.signal });
  while (back.bufferedAmount === 0) await send();
  await send();
  abort.abort();
  const again = front.pipeTo(back);
  await t.rejects(piping, { name: 'AbortError' });
  const sent = await send();
  await client.shutdown();
  t.ok(data.subarray(0, sent).equals(await readAll(server)));
  await again;
});

t.test('pipes that are given up at any moment leave the rest unread', async t => {
  const random = seededRandom(t);
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const data = pattern(6_000_000);
  // What is read faster than it leaves gathers.
  back.setSendBufferSize(32 * 1024);
  server.setRecvBufferSize(32 * 1024);
  const arriving = (async () => {
    const chunks: Buffer[] = [];
    for (let chunk = await server.read(); chunk !== null; chunk = await server.read()) {
      chunks.push(chunk);
      if (random() < 0.1) await sleep(random() * 3);
    }
    return Buffer.concat(chunks);
  })();
  const writing = (async () => {
    for (let at = 0; at < data.length; ) {
      const part = data.subarray(at, at + Math.ceil(random() ** 2 * 60_000));
      at += part.length;
      await client.write(part);
      if (random() < 0.3) await sleep(random());
    }
    await client.shutdown();
  })();
  for (let ended = false; !ended; ) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), random() * 3);
    try {
      await front.pipeTo(back, { signal: abort.signal });
      ended = true;
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_CLOSED') {
        // The last one was given up while the other connection's end waited for what was sent before it.
        t.equal(await front.read(), null);
        break;
      }
      if ((error as Error).name !== 'AbortError') throw error;
      // What the pipe has read and not sent yet comes before this.
      const chunk = random() < 0.5 ? await front.read() : null;
      if (chunk !== null) back.write(chunk);
    }
    clearTimeout(timer);
  }
  await writing;
  t.ok(data.equals(await arriving));
});

t.test('an abort of pipeTo loses nothing: what was read is written, the rest is unread', async t => {
  const [client, front] = await pair(t);
  const [back, server] = await pair(t);
  const data = pattern(20_000_000);
  const abort = new AbortController();
  const aborted = t.rejects(front.pipeTo(back, { signal: abort.signal }), { name: 'AbortError' });
  const writing = client.write(data).then(() => client.shutdown());
  // Nobody reads there: it comes to a standstill.
  await standstill(() => front.bytesRead);
  abort.abort();
  await aborted;
  const rest = readAll(front);
  const moved = readAll(server);
  await back.shutdown();
  t.ok(data.equals(Buffer.concat([await moved, await rest])));
  await writing;
});

t.test('a proxy of two lines', async t => {
  const target = await listen({ port: 0, host: HOST });
  const proxy = await listen({ port: 0, host: HOST });
  void (async () => {
    for await (const conn of target)
      conn.pipeTo(conn).then(
        () => conn.close(),
        () => {},
      );
  })();
  void (async () => {
    for await (const inner of proxy) {
      const outer = await connect({ port: portOf(target), host: HOST });
      void Promise.all([inner.pipeTo(outer), outer.pipeTo(inner)]).finally(() =>
        inner.close().then(() => outer.close()),
      );
    }
  })();
  await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const conn = await connect({ port: portOf(proxy), host: HOST });
      await conn.write(`through the proxy ${i}`);
      await conn.shutdown();
      t.equal(String(await readAll(conn)), `through the proxy ${i}`);
      await conn.close();
    }),
  );
  await Promise.all([proxy.close(), target.close()]);
});

t.test('sends without a copy: every byte once, and the memory comes back', async t => {
  const [a, b] = await pair(t);
  a.setZeroCopy(16_384);
  const data = pattern(5_000_000);
  const received = readAll(b);
  for (let at = 0; at < data.length; ) {
    const length = 1 + ((at * 7919) % 400_000);
    const part = data.subarray(at, at + length);
    at += length;
    if (at % 3 === 0) await a.write(part);
    else a.send(part);
  }
  a.setZeroCopy(null);
  await a.write('the end');
  await a.close();
  t.ok(Buffer.concat([data, Buffer.from('the end')]).equals(await received));
  const path = join(folder, 'unix');
  const server = await listen({ path });
  const [c, d] = await Promise.all([connect({ path }), server.accept()]);
  c.setZeroCopy(1);
  const reading = d.readExactly(300_000);
  await c.write(data.subarray(0, 300_000));
  t.ok(data.subarray(0, 300_000).equals(await reading), 'where it cannot be, with a copy');
  await Promise.all([c.close(), d.close(), server.close()]);
  const [e] = await pair(t);
  e.setZeroCopy(1);
  const stuck = t.rejects(e.write(Buffer.alloc(20_000_000)), { code: 'ERR_CLOSED' });
  await sleep(20);
  await e.reset();
  await stuck;
  t.throws(() => e.setZeroCopy(1), { code: 'ERR_CLOSED' });
  const [f] = await pair(t);
  t.throws(() => f.setZeroCopy(0), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('whatever waits for a stuck peer can be ended', async t => {
  const path = join(folder, 'stuck');
  writeFileSync(path, 'x');
  const fd = openSync(path, 'r');
  const [a] = await pair(t);
  a.send(Buffer.alloc(20_000_000));
  const abort = new AbortController();
  const queued = t.rejects(a.sendFile(fd, { signal: abort.signal }), { name: 'AbortError' });
  await sleep(5);
  abort.abort();
  await queued;
  a.setTimeout(30);
  await a.close();
  t.pass('its timeout ends a close too');
  const [client, front] = await pair(t);
  const [back] = await pair(t);
  const piping = new AbortController();
  const piped = t.rejects(front.pipeTo(back, { signal: piping.signal }), { name: 'AbortError' });
  const flood = client.write(Buffer.alloc(30_000_000)).catch(() => {});
  await sleep(30);
  piping.abort();
  await piped;
  await Promise.all([client.reset(), flood]);
  closeSync(fd);
});

t.test('small files are sent at once', async t => {
  const path = join(folder, 'small');
  writeFileSync(path, 'small');
  const [a, b] = await pair(t);
  const file = await open(path);
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    t.equal(await a.sendFile(file), 5);
    await b.readExactly(5);
    times.push(performance.now() - start);
  }
  t.ok(Math.min(...times) < 150, 'no delay of 200 ms each');
  await file.close();
});

t.test('a shutdown hits its own connection, even if a close follows at once', async t => {
  const server = await listen({ port: 0, host: HOST });
  for (let i = 0; i < 80; i++) {
    const [first, peer] = await Promise.all([connect({ port: portOf(server), host: HOST }), server.accept()]);
    const ended = first.shutdown();
    const closed = first.close();
    const [second, other] = await Promise.all([
      connect({ port: portOf(server), host: HOST }),
      server.accept(),
    ]);
    await Promise.all([ended, closed, peer.close()]);
    await second.write('not shut down');
    if (String(await other.readExactly(13)) !== 'not shut down') t.fail('not its own');
    await Promise.all([second.close(), other.close()]);
  }
  await server.close();
});

t.test('a sendFile that a failed connection refuses, aborted before it has said so', async t => {
  const server = await listen({ port: 0, host: HOST });
  const peer = net.connect(portOf(server), HOST);
  const conn = await server.accept();
  // Nothing was ever written here.
  peer.resetAndDestroy();
  await t.rejects(conn.read(), { code: 'ECONNRESET' });
  const file = openSync(process.execPath, 'r');
  const controller = new AbortController();
  const sending = conn.sendFile(file, { signal: controller.signal });
  controller.abort();
  await t.rejects(sending, { code: /^(EPIPE|ERR_CLOSED|ABORT_ERR)$/ });
  closeSync(file);
  await conn.close();
  await server.close();
});
