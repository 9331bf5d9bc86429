/** How long a close waits for its peer, and what it costs meanwhile. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { loop } from 'uasync';
import { type Connection, listen } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { serve } from '../programs.js';
import { ANSWER, atOnce, CHUNK, Client, connectTo, PLACES, sendOn, slowly } from './closing-peers.js';
import { HOST } from './sockets.js';

checkLeaks();

for (const [place, listenHere] of PLACES) {
  t.test(`${place}: a peer that sends without an end is cut off, once it could read the answer`, async t => {
    const server = await listenHere();
    const socket = connectTo(server, { allowHalfOpen: true });
    const received: Buffer[] = [];
    socket.on('data', chunk => received.push(chunk));
    const ended = once(socket, 'end');
    const sending = sendOn(socket, CHUNK, atOnce);
    const conn = await server.accept();
    await server.close();
    // One that has sent nothing yet is not waited for.
    await conn.peek();
    await conn.write('the answer');
    await conn.close();
    await ended;
    t.equal(String(Buffer.concat(received)), 'the answer');
    t.match(await sending, /ECONNRESET|EPIPE/);
    t.ok(socket.bytesWritten > 1 << 20, 'not at once');
    t.ok(socket.bytesWritten < 128 << 20, `after ${socket.bytesWritten} bytes`);
  });

  t.test(`${place}: the time is bounded too, by SO_LINGER if that is set`, async t => {
    const server = await listenHere();
    const socket = connectTo(server, { allowHalfOpen: true });
    const sending = sendOn(socket, Buffer.from('x'), slowly);
    const conn = await server.accept();
    await server.close();
    conn.setLinger(1);
    await conn.peek();
    await conn.close();
    t.match(await sending, /ECONNRESET|EPIPE/);
  });

  t.test(`${place}: a close is given up, and a reset ends it`, async t => {
    const server = await listenHere();
    const socket = connectTo(server, { allowHalfOpen: true });
    socket.resume();
    const sending = sendOn(socket, Buffer.from('x'), slowly);
    const conn = await server.accept();
    await server.close();
    await conn.peek();
    await conn.write('the answer');
    await t.rejects(conn.close({ timeout: 30 }), { code: 'ETIMEDOUT' });
    await t.rejects(conn.close({ signal: AbortSignal.timeout(30) }), { name: 'AbortError' });
    t.ok(conn.closed);
    t.ok(conn.fd >= 0);
    await conn.reset();
    t.equal(conn.fd, -1);
    await conn.close();
    t.match(await sending, /ECONNRESET|EPIPE/);
  });

  t.test(`${place}: many peers that send while they are closed hold no memory`, async t => {
    const server = await listenHere();
    const COUNT = 30;
    const sockets = Array.from({ length: COUNT }, () => connectTo(server, { allowHalfOpen: true }));
    const sending = sockets.map(socket => sendOn(socket.resume(), CHUNK, atOnce));
    const conns: Connection[] = [];
    while (conns.length < COUNT) conns.push(await server.accept());
    await server.close();
    await Promise.all(conns.map(conn => conn.read()));
    const closing = Promise.all(conns.map(conn => conn.close()));
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, loop().stats().blocks.used);
    }, 5);
    await closing;
    clearInterval(watch);
    t.equal(most, 0);
    for (const end of await Promise.all(sending)) t.match(end, /ECONNRESET|EPIPE/);
  });

  t.test(`${place}: a loop that is closed leaves a peer what the kernel has taken`, async t => {
    const server = await listenHere();
    const client = new Client(server);
    client.socket.pause();
    client.socket.write('x'.repeat(10_000));
    const conn = await server.accept();
    await server.close();
    await conn.peek();
    const answer = ANSWER.subarray(0, 100_000);
    await conn.write(answer);
    loop().close();
    await conn.close();
    t.equal(conn.fd, -1);
    client.socket.resume();
    t.equal(await client.ended, 'end');
    t.ok(client.answer.equals(answer));
  });

  t.test(`${place}: and so does one that is closed while a close goes on`, async t => {
    const server = await listenHere();
    const client = new Client(server);
    client.socket.pause();
    client.socket.write('x'.repeat(10_000));
    const conn = await server.accept();
    await server.close();
    await conn.peek();
    const answer = ANSWER.subarray(0, 100_000);
    await conn.write(answer);
    const closing = conn.close();
    loop().close();
    await closing;
    client.socket.resume();
    t.equal(await client.ended, 'end');
    t.ok(client.answer.equals(answer));
  });
}

t.test('a peer that reads late, and sends before, gets everything', async t => {
  const server = await listen({ port: 0, host: HOST });
  const client = new Client(server);
  client.socket.pause();
  const conn = await server.accept();
  await server.close();
  // More than the peer's window, less than the buffer here: the kernel has taken it and cannot send it yet.
  const answer = ANSWER.subarray(0, 1_000_000);
  await conn.write(answer);
  const closing = conn.close();
  // Longer than a quiet peer is waited for.
  await new Promise(resolve => setTimeout(resolve, 2500));
  client.socket.write('a byte that would be answered by a reset');
  await new Promise(resolve => setTimeout(resolve, 20));
  client.socket.resume();
  t.equal(await client.ended, 'end');
  t.ok(client.answer.equals(answer), `${client.answer.length} bytes`);
  await closing;
});

t.test('a peer that sends and never reads is not drained for ever', async t => {
  const server = await listen({ port: 0, host: HOST });
  const socket = connectTo(server, { allowHalfOpen: true });
  socket.pause();
  const sending = sendOn(socket, CHUNK, atOnce);
  const conn = await server.accept();
  await server.close();
  conn.send(ANSWER);
  conn.send(ANSWER);
  const closing = conn.close();
  // The kernel takes no more of what is sent here, nor of what is sent there.
  for (let last = -1; last !== socket.bytesWritten; await new Promise(resolve => setTimeout(resolve, 300))) {
    last = socket.bytesWritten;
  }
  await t.rejects(conn.close({ timeout: 1 }), { code: 'ETIMEDOUT' });
  await conn.reset();
  await closing;
  t.match(await sending, /ECONNRESET|EPIPE/);
});

t.test('a process that ends after a close: the peer has everything', async t => {
  const { port, child } = await serve('test/fixtures/answers-once.js', `${ANSWER.length}`);
  const exited = once(child, 'exit');
  const client = new Client(port);
  void client.upload();
  t.equal(await client.ended, 'end');
  t.equal(client.answer.length, ANSWER.length);
  t.same(await exited, [0, null]);
});

t.test('a process is not kept alive by a peer that sends on', async t => {
  const { port, child } = await serve('test/fixtures/answers-once.js', '10', '1');
  const exited = once(child, 'exit');
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true }).resume();
  t.match(await sendOn(socket, Buffer.from('x'), slowly), /ECONNRESET|EPIPE/);
  t.same(await exited, [0, null]);
});
