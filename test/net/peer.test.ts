/** What a connection knows of its peer without reading. */
import { once } from 'node:events';
import { inspect } from 'node:util';
import t from 'tap';
import { loop, sleep } from 'uasync';
import { type Connection, connect, type InetAddress, listen } from 'uasync/net';
import { checkLeaks, collectGarbage, turns } from '../harness.js';
import { HOST, pair, pattern, portOf, readAll, unixPair } from './sockets.js';

checkLeaks();

/** Whether a promise is pending still, some turns later. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  void promise.finally(() => {
    pending = false;
  });
  await sleep(5);
  await turns();
  return pending;
}

for (const makePair of [pair, unixPair]) {
  const kind = makePair === pair ? 'TCP' : 'Unix';

  t.test(`${kind}: a peer that ends its side has ended, and is not gone`, async t => {
    const [client, conn] = await makePair(t);
    const { signal } = conn;
    const ended = conn.whenEnded();
    const closed = conn.whenClosed();
    t.equal(conn.signal, signal);
    // More than is received without a reader.
    const data = pattern(100_000);
    await client.write(data);
    t.ok(await isPending(ended), 'bytes are not the end');
    await client.shutdown();
    await ended;
    await conn.whenEnded();
    t.notOk(signal.aborted);
    t.equal(conn.bytesRead, 0, 'nothing is read');
    await conn.write('an answer');
    t.equal(String(await client.readExactly(9)), 'an answer');
    t.ok(data.equals(await readAll(conn)), 'all that came before the end is there');
    t.notOk(signal.aborted);
    t.ok(await isPending(closed));
    await Promise.all([client.close(), conn.close()]);
    await closed;
    t.ok(signal.aborted);
    t.match(signal.reason, { code: 'ERR_CLOSED' });
  });

  t.test(`${kind}: a peer that goes while bytes are unread`, async t => {
    const [client, conn] = await makePair(t);
    const { signal } = conn;
    const aborted = once(signal, 'abort');
    const closed = conn.whenClosed();
    await client.write('unread');
    await client.reset();
    await aborted;
    await closed;
    await conn.whenEnded();
    t.match(signal.reason, { code: 'ECONNRESET', syscall: 'poll' });
    t.equal(conn.signal, signal);
    t.notOk(conn.closed, 'it is for its user to close');
    t.equal(String(await conn.read()), 'unread');
  });

  t.test(`${kind}: a connection that is closed here`, async t => {
    for (const end of ['close', 'reset'] as const) {
      const [client, conn] = await makePair(t);
      const { signal } = conn;
      const calls = [conn.whenEnded(), conn.whenClosed(), once(signal, 'abort')];
      await Promise.all([conn[end](), client.close()]);
      await Promise.all(calls);
      t.match(signal.reason, { code: 'ERR_CLOSED' });
      await conn.whenEnded();
      await conn.whenClosed();
      t.ok(client.signal.aborted, 'asked for too late');
      t.equal(client.signal, client.signal);
      await client.whenEnded();
      await client.whenClosed();
    }
  });

  t.test(`${kind}: a pipe to a peer that goes ends, though nothing moves and nobody reads there`, async t => {
    const [, from] = await makePair(t);
    const [client, to] = await makePair(t);
    const piping = t.rejects(from.pipeTo(to), { code: 'EPIPE' });
    await turns();
    await client.reset();
    await piping;
    // And one that goes after it has ended its side.
    const [, from2] = await makePair(t);
    const [client2, to2] = await makePair(t);
    const [, sink] = await makePair(t);
    const there = to2.pipeTo(sink);
    const back = t.rejects(from2.pipeTo(to2), { code: 'EPIPE' });
    await client2.shutdown();
    t.equal(await there, 0);
    await client2.reset();
    await back;
  });

  t.test(`${kind}: calls that give up, and what keeps the process alive`, async t => {
    const [, conn] = await makePair(t);
    const { inFlight, referenced } = loop().stats();
    await t.rejects(conn.whenEnded({ timeout: 5 }), { code: 'ETIMEDOUT' });
    const abort = new AbortController();
    const given = t.rejects(conn.whenClosed({ signal: abort.signal }), { name: 'AbortError' });
    t.equal(loop().stats().referenced, referenced + 1);
    conn.unref();
    t.equal(loop().stats().referenced, referenced);
    conn.ref();
    t.equal(loop().stats().referenced, referenced + 1);
    abort.abort();
    await given;
    t.equal(loop().stats().inFlight, inFlight + 1, 'one poll for all');
    t.equal(loop().stats().referenced, referenced, 'which nobody waits for');
    await t.rejects(conn.whenEnded({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
    await t.rejects(conn.whenClosed(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  t.test(`${kind}: bytes that arrive complete nothing`, async t => {
    const [client, conn] = await makePair(t);
    const ended = conn.whenEnded();
    await turns();
    for (let i = 0; i < 10; i++) {
      await client.write('x');
      await turns();
    }
    await client.drained();
    const { completed } = loop().stats();
    client.send('y');
    await turns(10);
    t.ok(loop().stats().completed - completed <= 1, 'but the send itself');
    await client.shutdown();
    await ended;
  });

  t.test(`${kind}: a loop that is closed`, async t => {
    const [, conn] = await makePair(t);
    const { signal } = conn;
    const calls = [conn.whenEnded(), conn.whenClosed(), once(signal, 'abort')];
    loop().close();
    await Promise.all(calls);
    t.match(signal.reason, { code: 'ERR_CLOSED' });
    await conn.whenEnded();
    await conn.close();
  });
}

t.test('a read that finds a reset tells the signal too', async t => {
  const [client, conn] = await pair(t);
  const { signal } = conn;
  const reading = t.rejects(conn.read(), { code: 'ECONNRESET' });
  const aborted = once(signal, 'abort');
  await client.reset();
  await Promise.all([reading, aborted]);
  t.match(signal.reason, { code: 'ECONNRESET' });
  const [client2, conn2] = await pair(t);
  await client2.reset();
  await t.rejects(conn2.read(), { code: 'ECONNRESET' });
  t.match(conn2.signal, { aborted: true, reason: { code: 'ECONNRESET' } });
});

t.test('a shutdown after a reset names the peer', async t => {
  const [client, conn] = await pair(t);
  const { address, port } = conn.remoteAddress as InetAddress;
  await client.reset();
  await conn.whenEnded();
  await t.rejects(conn.shutdown(), { code: 'ENOTCONN', syscall: 'shutdown', address, port });
  await conn.close();
});

t.test('a peer that was gone before it was accepted has no address', async t => {
  await using server = await listen({ port: 0, host: HOST });
  const client = await connect(server.address);
  await client.reset();
  const conn = await server.accept();
  t.equal(conn.remoteAddress, undefined);
  t.match(inspect(conn), / <- \?,/);
  const error = await conn.read().catch(error => error);
  t.match(error, { code: 'ECONNRESET', syscall: 'read' });
  t.equal(error.path, undefined);
  await conn.close();
});

t.test('a peer that has closed is gone once it is written to', async t => {
  const [client, conn] = await pair(t);
  const aborted = once(conn.signal, 'abort');
  const closing = client.close();
  await conn.whenEnded();
  t.notOk(conn.signal.aborted);
  await conn.write('for nobody');
  await closing;
  await conn.write('for nobody').catch(() => {});
  await aborted;
});

t.test('a server cancels what nobody waits for', async t => {
  const server = await listen({ port: 0, host: HOST });
  const client = await connect({ port: portOf(server), host: HOST });
  const conn = await server.accept();
  await client.write('work');
  await conn.read();
  const working = sleep(60_000, { signal: conn.signal });
  const cancelled = t.rejects(working, { name: 'AbortError' });
  await client.reset();
  await cancelled;
  await Promise.all([conn.close(), server.close()]);
});

t.test('who asks does not keep a forgotten connection', async () => {
  const server = await listen({ port: 0, host: HOST });
  const signals: AbortSignal[] = [];
  const forget = async (): Promise<void> => {
    const conn: Connection = await connect({ port: portOf(server), host: HOST });
    signals.push(conn.signal);
  };
  await forget();
  const peer = await server.accept();
  const ended = peer.whenEnded();
  while (await isPending(ended)) {
    await sleep(20);
    collectGarbage();
  }
  await Promise.all([peer.close(), server.close()]);
  while (!signals[0]!.aborted) await sleep(1);
});
