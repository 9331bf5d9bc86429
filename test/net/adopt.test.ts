/** Sockets that come from elsewhere: taken over by descriptor. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { bind, connect, type InetAddress, listen, openConnection } from 'uasync/net';
import { libc } from '../../src/sys/libc/libc.js';
import { checkLeaks, scratchFolder, until } from '../harness.js';
import { built } from '../programs.js';
import { HOST, pair, readAll } from './sockets.js';

checkLeaks();

const AF_UNIX = 1;
const AF_INET = 2;
const STREAM = 1;
const DGRAM = 2;
const NONBLOCK = 0o4000;
const ANY = { address: HOST, family: 'IPv4', port: 0 } as const;

/** A bare socket, as C makes it: it is inherited, and of no use yet. */
function socket(domain: number, type: number): number {
  const fd = libc().socket(domain, type, 0);
  assert.ok(fd >= 0);
  return fd;
}

async function listens(port: number): Promise<boolean> {
  try {
    await (await connect({ port, host: HOST })).reset();
    return true;
  } catch {
    return false;
  }
}

function isInherited(fd: number): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!;
  return (Number.parseInt(flags, 8) & 0o2000000) === 0;
}

for (const [title, flags] of [
  ['blocking', 0],
  ['non-blocking', NONBLOCK],
] as const) {
  t.test(`listen({ fd }): a ${title} socket that is bound`, async t => {
    const fd = socket(AF_INET, STREAM | flags);
    await loop().submit(sqe => sqe.bind(fd, ANY));
    t.ok(isInherited(fd));
    const server = await listen({ fd });
    t.equal(server.fd, fd);
    t.notOk(isInherited(fd), 'programs started later do not have it');
    t.notSame(server.address, { ...ANY, port: 0 });
    const { port } = server.address as InetAddress;
    // It waits for the connection, and the server's side for its bytes.
    const accepting = server.accept();
    const client = await connect({ port, host: HOST });
    const conn = await accepting;
    const reading = conn.read();
    await client.write('hello');
    t.equal(String(await reading), 'hello');
    await Promise.all([client.close(), conn.close(), server.close()]);
    t.equal(server.fd, -1);
    t.throws(() => closeSync(fd), { code: 'EBADF' }, 'closed with its listener');
  });

  t.test(`openConnection: a ${title} socket that is connected`, async t => {
    await using server = await listen({ port: 0, host: HOST });
    const fd = socket(AF_INET, STREAM | flags);
    const [, peer] = await Promise.all([
      loop().submit(sqe => sqe.connect(fd, server.address as InetAddress)),
      server.accept(),
    ]);
    const conn = openConnection(fd);
    t.same(conn.remoteAddress, server.address);
    t.notOk(isInherited(fd));
    t.equal(conn.getOption(6, 1).readInt32LE(), 1, 'TCP_NODELAY');
    const reading = conn.read();
    await peer.write('ping');
    t.equal(String(await reading), 'ping');
    // More than the socket holds: it waits for the peer.
    const bytes = Buffer.alloc(8 << 20, 'x');
    const [received] = await Promise.all([readAll(peer), conn.write(bytes).then(() => conn.close())]);
    t.equal(received.length, bytes.length);
    await peer.close();
    t.throws(() => closeSync(fd), { code: 'EBADF' }, 'closed with its connection');
  });
}

t.test('listen({ fd }): one that listens already, with a backlog of its own', async t => {
  const fd = socket(AF_INET, STREAM);
  await loop().submit(sqe => sqe.bind(fd, ANY));
  await loop().submit(sqe => sqe.listen(fd, 7));
  const server = await listen({ fd, noDelay: false, maxConnections: 1 });
  const { port } = server.address as InetAddress;
  t.match(readFileSync('/proc/net/tcp', 'utf8'), new RegExp(`:${port.toString(16).padStart(4, '0')}`, 'i'));
  await using client = await connect({ port, host: HOST });
  await using conn = await server.accept();
  t.equal(conn.getOption(6, 1).readInt32LE(), 0, 'TCP_NODELAY was left alone');
  t.equal(client.getOption(6, 1).readInt32LE(), 1);
  await server.close();
});

t.test('listen({ fd }): the file of a Unix socket stays', async t => {
  const path = join(scratchFolder(), 'socket');
  const fd = socket(AF_UNIX, STREAM);
  await loop().submit(sqe => sqe.bind(fd, { path }));
  const server = await listen({ fd });
  t.same(server.address, { path });
  const [client, conn] = await Promise.all([connect({ path }), server.accept()]);
  await Promise.all([client.close(), conn.close(), server.close()]);
  t.ok(existsSync(path), 'it is whoever’s who made it');
});

t.test('bind({ fd }): UDP, bound and not', async t => {
  const fd = socket(AF_INET, DGRAM | NONBLOCK);
  await loop().submit(sqe => sqe.bind(fd, ANY));
  const bound = await bind({ fd, packetInfo: true });
  t.notOk(isInherited(fd));
  const { port } = bound.address as InetAddress;
  const other = await bind({ fd: socket(AF_INET, DGRAM) });
  const receiving = bound.recv();
  await other.send('to the bound one', port, HOST);
  const datagram = await receiving;
  t.equal(String(datagram.data), 'to the bound one');
  t.equal(datagram.localAddress, HOST, 'packetInfo');
  t.equal((other.address as InetAddress).port, datagram.port);
  await Promise.all([bound.close(), other.close()]);
  t.throws(() => closeSync(fd), { code: 'EBADF' });
});

t.test('bind({ fd }): UDP that is connected, and a node:dgram peer', async t => {
  const peer = dgram.createSocket('udp4');
  peer.bind(0, HOST);
  await once(peer, 'listening');
  const { port } = peer.address();
  const fd = socket(AF_INET, DGRAM);
  await loop().submit(sqe => sqe.connect(fd, { ...ANY, port }));
  const ours = await bind({ fd });
  t.same(ours.remoteAddress, { ...ANY, port });
  await t.rejects(ours.connect(1), { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' });
  const message = once(peer, 'message');
  await ours.send('ping');
  const [data, from] = await message;
  t.equal(String(data), 'ping');
  peer.send('pong', from.port, from.address);
  t.equal(String((await ours.recv()).data), 'pong');
  await ours.disconnect();
  t.equal(ours.remoteAddress, undefined);
  await ours.close();
  peer.close();
  await once(peer, 'close');
});

t.test('bind({ fd }): Unix', async t => {
  const path = join(scratchFolder(), 'socket');
  const fd = socket(AF_UNIX, DGRAM);
  await loop().submit(sqe => sqe.bind(fd, { path }));
  const ours = await bind({ fd });
  t.same(ours.address, { path });
  const other = await bind({ fd: socket(AF_UNIX, DGRAM) });
  await other.send('hello', path);
  t.equal(String((await ours.recv()).data), 'hello');
  await Promise.all([ours.close(), other.close()]);
  t.ok(existsSync(path));
});

t.test('what is no such socket stays the caller’s', async t => {
  const stream = socket(AF_INET, STREAM);
  const datagram = socket(AF_INET, DGRAM);
  const listening = socket(AF_INET, STREAM);
  const netlink = socket(16, DGRAM);
  const raw = socket(AF_UNIX, 5);
  await loop().submit(sqe => sqe.listen(listening, 1));
  const file = openSync('/dev/null', 'r');
  const kind = { code: 'ERR_INVALID_FD_TYPE', name: 'TypeError' };
  const [client, conn] = await pair(t);

  await t.rejects(listen({ fd: datagram }), kind);
  await t.rejects(listen({ fd: raw }), kind);
  await t.rejects(listen({ fd: file }), { ...kind, message: /no socket/ });
  await t.rejects(listen({ fd: client.fd }), { code: 'EINVAL', syscall: 'listen' }, 'a connected one');
  await t.rejects(bind({ fd: stream }), kind);
  await t.rejects(bind({ fd: netlink }), kind);
  await t.rejects(bind({ fd: file }), kind);
  t.throws(() => openConnection(datagram), kind);
  t.throws(() => openConnection(listening), kind);
  t.throws(() => openConnection(file), kind);
  t.throws(() => openConnection(stream), { code: 'ENOTCONN', syscall: 'getpeername' });

  const beyond = 100_000;
  await t.rejects(listen({ fd: beyond }), { code: 'EBADF' });
  await t.rejects(bind({ fd: beyond }), { code: 'EBADF' });
  t.throws(() => openConnection(beyond), { code: 'EBADF' });
  for (const fd of [-1, 1.5, 2 ** 31]) {
    await t.rejects(listen({ fd }), { code: 'ERR_OUT_OF_RANGE' });
    await t.rejects(bind({ fd }), { code: 'ERR_OUT_OF_RANGE' });
    t.throws(() => openConnection(fd), { code: 'ERR_OUT_OF_RANGE' });
  }
  await t.rejects(listen({ fd: '3' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => openConnection(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => openConnection(stream, null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  const value = { code: 'ERR_INVALID_ARG_VALUE', message: /cannot be given with 'fd'/ };
  await t.rejects(listen({ fd: listening, port: 0 }), value);
  await t.rejects(listen({ fd: listening, path: 'x' }), value);
  await t.rejects(bind({ fd: datagram, port: 0 }), value);

  for (const fd of [stream, datagram, listening, netlink, raw]) {
    t.ok(isInherited(fd), 'as it was');
    closeSync(fd);
  }
  closeSync(file);
  await Promise.all([client.close(), conn.close()]);
});

t.test('a child serves on its parent’s socket, after it and beside it', async t => {
  const fd = socket(AF_INET, STREAM);
  await loop().submit(sqe => sqe.bind(fd, ANY));
  await loop().submit(sqe => sqe.listen(fd, 9));
  for (let round = 0; round < 2; round++) {
    const child = spawn(process.execPath, [built('test/fixtures/serves-fd.js'), 'listens'], {
      stdio: ['ignore', 'pipe', 'inherit', fd],
    });
    const exit = once(child, 'close');
    const [line] = await once(child.stdout!, 'data');
    const { port } = JSON.parse(String(line));
    const client = net.connect(port, HOST);
    client.write('ping');
    t.equal(String((await once(client, 'data'))[0]), 'ping');
    client.destroy();
    await once(client, 'close');
    t.same(await exit, [0, null], 'its close left the parent’s listening');
  }
  closeSync(fd);
});

t.test('standard input that is a connection, as inetd’s services have', async t => {
  const server = await listen({ port: 0, host: HOST });
  const client = net.connect((server.address as InetAddress).port, HOST);
  const conn = await server.accept();
  const child = spawn(process.execPath, [built('test/fixtures/serves-fd.js'), 'inetd'], {
    stdio: [conn.fd, 'inherit', 'inherit'],
  });
  const exit = once(child, 'close');
  await conn.remains.abandon();
  client.write('hello\n');
  let answer = '';
  for await (const chunk of client) answer += chunk;
  t.equal(answer, 'you said hello\n', 'and the end, as the child closed it');
  t.same(await exit, [0, null], '0 is /dev/null after that');
  await server.close();
});

t.test('an adopted socket ends with the worker that adopted it', async t => {
  const fd = socket(AF_INET, STREAM);
  await loop().submit(sqe => sqe.bind(fd, ANY));
  const worker = new Worker(built('test/fixtures/adopts-worker.js'), { workerData: fd });
  const [port] = await once(worker, 'message');
  await worker.terminate();
  t.throws(() => closeSync(fd), { code: 'EBADF' });
  // The ring that accepts goes in the kernel's own time.
  await until(async () => !(await listens(port)));
});
