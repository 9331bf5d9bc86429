/** What sockets can be asked and told. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { sleep } from 'uasync';
import { bind, type Connection, connect, listen } from 'uasync/net';
import { firstOf, interleave } from '../../src/net/address/happy-eyeballs.js';
import { libc } from '../../src/sys/libc/libc.js';
import { inetAddress } from '../../src/sys/socket/sockaddr.js';
import { checkLeaks, openFds, scratchFolder, until } from '../harness.js';
import { boundSocket, quietPort } from '../ports.js';
import { built, output } from '../programs.js';
import { HOST, noIPv6, pair, portOf, readAll } from './sockets.js';

checkLeaks();
const folder = scratchFolder();

const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_TYPE = 3;
const SOCK_STREAM = 1;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IPPROTO_TCP = 6;
const TCP_CORK = 3;

t.test('options are set, and read back', async t => {
  const [a, b] = await pair(t);
  t.equal(a.getOption(SOL_SOCKET, SO_TYPE).readInt32LE(), SOCK_STREAM);
  a.setRecvBufferSize(20_000).setSendBufferSize(30_000);
  t.equal(a.recvBufferSize, 40_000, 'the kernel doubles it');
  t.equal(a.sendBufferSize, 60_000);
  a.setTypeOfService(0x10);
  t.equal(a.getOption(IPPROTO_IP, IP_TOS)[0], 0x10);
  a.setLinger(3);
  t.equal(a.getOption(SOL_SOCKET, SO_LINGER, 8).readInt32LE(4), 3);
  a.setLinger(null);
  t.equal(a.getOption(SOL_SOCKET, SO_LINGER, 8).readInt32LE(0), 0);
  a.cork();
  t.equal(a.getOption(IPPROTO_TCP, TCP_CORK)[0], 1);
  await a.write('held ');
  await a.write('back');
  a.uncork();
  t.equal(String(await b.readExactly(9)), 'held back');
  a.setOption(SOL_SOCKET, SO_LINGER, Buffer.alloc(8));
  a.setOption(IPPROTO_IP, IP_TOS, 0);
  t.throws(() => a.getOption(SOL_SOCKET, 9999), { code: 'ENOPROTOOPT', syscall: 'getsockopt' });
  t.throws(() => a.setOption(SOL_SOCKET, 9999, 1), { code: 'ENOPROTOOPT', syscall: 'setsockopt' });
  t.throws(() => a.setOption(SOL_SOCKET, 1, 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => a.setTypeOfService(256), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => a.setLinger(-1), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => a.getOption(0, 0, 5000), { code: 'ERR_OUT_OF_RANGE' });
  await a.close();
  for (const call of [() => a.cork(), () => a.info(), () => a.recvBufferSize, () => a.setTypeOfService(0)]) {
    t.throws(call, { code: 'ERR_CLOSED' });
  }
});

t.test('info() is what the kernel knows of the connection', async t => {
  const [a, b] = await pair(t);
  await a.write(Buffer.alloc(100_000));
  await b.readExactly(100_000);
  await until(() => a.info().bytesAcknowledged > 100_000);
  const info = a.info();
  t.equal(info.state, 1, 'established');
  t.equal(info.bytesAcknowledged, 100_001, 'and the SYN');
  t.equal(b.info().bytesReceived, 100_000);
  t.ok(info.rtt > 0 && info.rtt < 1e6, `${info.rtt} us`);
  t.ok(info.sendSegmentSize > 500 && info.congestionWindow > 0 && info.pathMtu > 500);
  t.equal(info.notSent, 0);
});

t.test('setTimeout ends waits in which nothing moves, and only those', async t => {
  const [a, b] = await pair(t);
  b.setTimeout(40);
  let unread = 0;
  for (const start = performance.now(); performance.now() - start < 100; ) {
    const asked = performance.now();
    const read = b.read().catch(error => error);
    await sleep(15);
    await a.write('x');
    unread++;
    const chunk = await read;
    // A busy machine may have held us up for as long.
    if (chunk.code === 'ETIMEDOUT') t.ok(performance.now() - asked >= 39, 'only when nothing has moved');
    else unread -= chunk.length;
  }
  if (unread > 0) await b.readExactly(unread);
  await t.rejects(b.read(), { code: 'ETIMEDOUT', syscall: 'read' });
  await a.write('y');
  t.equal(String(await b.read()), 'y', 'it can be read from again');
  await sleep(100);
  b.setTimeout(0);
  const [c] = await pair(t);
  c.setTimeout(30);
  await t.rejects(c.write(Buffer.alloc(20_000_000)), { code: 'ETIMEDOUT', syscall: 'write' });
  await t.rejects(c.write('more'), { code: 'ETIMEDOUT' });
  t.throws(() => c.setTimeout(-1), { code: 'ERR_OUT_OF_RANGE' });
  await c.reset();
  t.throws(() => c.setTimeout(1), { code: 'ERR_CLOSED' });
});

t.test('a connection comes from where it is told to', async t => {
  const server = net
    .createServer(socket => socket.on('error', () => {}).end(`${socket.remoteAddress} ${socket.remotePort}`))
    .listen(0, HOST);
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const free = await quietPort('127.0.0.2');
  const conn = await connect({ port, host: 'localhost', localAddress: '127.0.0.2', localPort: free });
  t.equal(String(await conn.read()), `127.0.0.2 ${free}`);
  await conn.close();
  await t.rejects(connect({ port, host: HOST, localAddress: '::1' }), { code: 'EADDRNOTAVAIL' });
  await t.rejects(connect({ port, host: HOST, localAddress: '192.0.2.1' }), {
    code: 'EADDRNOTAVAIL',
    syscall: 'bind',
  });
  await t.rejects(connect({ port, host: HOST, localAddress: 'localhost' }), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
  await t.rejects(connect({ port, host: HOST, localPort: 70_000 }), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('fast open works, whatever the kernels agree on', async t => {
  const listener = await listen({ port: 0, host: HOST, fastOpen: 16 });
  for (let i = 0; i < 2; i++) {
    const conn = await connect({ port: portOf(listener), host: HOST, fastOpen: true });
    const [, peer] = await Promise.all([conn.write('early'), listener.accept()]);
    t.equal(String(await peer.readExactly(5)), 'early');
    await Promise.all([conn.close(), peer.close()]);
  }
  await listener.close();
});

t.test('a close after fast open sends what was written, whatever the peer has sent unread', async t => {
  const SIZE = 1_500_000;
  const listener = await listen({ port: 0, host: HOST, fastOpen: 16 });
  for (let i = 0; i < 2; i++) {
    const conn = await connect({ port: portOf(listener), host: HOST, fastOpen: true });
    const [peer] = await Promise.all([listener.accept(), conn.write('early')]);
    await peer.write('unread');
    conn.send(Buffer.alloc(SIZE));
    const closing = conn.close();
    const bytes = await readAll(peer);
    t.equal(bytes.length, 5 + SIZE);
    await Promise.all([closing, peer.close()]);
  }
  await listener.close();
});

t.test('a port to connect from goes with either family', { skip: noIPv6 }, async t => {
  await using server = await listen({ port: 0, host: '::1' });
  const free = await quietPort('::1');
  const conn = await connect({ port: portOf(server), host: '::1', localPort: free });
  t.match(conn.localAddress, { address: '::1', family: 'IPv6', port: free });
  await conn.reset();
});

t.test('a close that lingers does not hold up the event loop', async t => {
  const [a, b] = await pair(t);
  a.setSendBufferSize(64 * 1024).setLinger(60);
  b.setRecvBufferSize(64 * 1024);
  // More than the peer takes, and no more than the kernel does.
  const writing = a.write(Buffer.alloc(150_000));
  await writing;
  t.ok(a.info().notSent > 0, 'the kernel has some of it still');
  const start = performance.now();
  const closed = a.close();
  for (let turned = 0; turned < 20; turned++) await sleep(5);
  t.ok(performance.now() - start < 30_000, 'it turns, and the close would have waited for a minute');
  await b.reset();
  await closed;
});

/** Whether a network of its own can be made for a program, with Fast Open on. */
const noNetwork = ((): string | false => {
  try {
    execFileSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'this machine makes no network namespace for us';
  }
})();

t.test('fast open: a peer that speaks first is heard', { skip: noNetwork }, async t => {
  const enable = 'ip link set lo up && echo 3 > /proc/sys/net/ipv4/tcp_fastopen && exec "$0" "$1"';
  const program = built('test/fixtures/fast-open.js');
  const text = await output('unshare', ['-n', 'sh', '-c', enable, process.execPath, program]);
  t.equal(text, 'cookie\ndeferred: true\nbanner\n');
});

t.test('a listener takes both families, or IPv6 alone', { skip: noIPv6 }, async t => {
  for (const ipv6Only of [false, true]) {
    // A port that is free in the other family, too.
    const port = await quietPort('::');
    await using server = await listen({ port, ipv6Only });
    const six = await connect({ port, host: '::1' });
    t.match(six.remoteAddress, { address: '::1', family: 'IPv6', port });
    await (await server.accept()).close();
    await six.close();
    if (ipv6Only) {
      await t.rejects(connect({ port, host: HOST }), { code: 'ECONNREFUSED' });
      continue;
    }
    const four = await connect({ port, host: HOST });
    const accepted = await server.accept();
    t.match(accepted.remoteAddress, { address: `::ffff:${HOST}` });
    await Promise.all([four.close(), accepted.close()]);
  }
});

t.test('several listeners share a port only if all of them agree', async t => {
  await using first = await listen({ port: 0, host: HOST, reusePort: true });
  const port = portOf(first);
  await t.rejects(listen({ port, host: HOST }), {
    code: 'EADDRINUSE',
    syscall: 'listen',
    address: HOST,
    port,
  });
  await using second = await listen({ port, host: HOST, reusePort: true });
  const servers = [first, second];
  const served = new Set<number>();
  const serving = servers.map(async (server, i) => {
    for await (const conn of server) {
      served.add(i);
      await conn.close();
    }
  });
  while (served.size < 2) {
    const conn = await connect({ port, host: HOST });
    await conn.read();
    await conn.close();
  }
  await Promise.all(servers.map(server => server.close()));
  await Promise.all(serving);
  t.equal(served.size, 2);
});

t.test('a name that is being looked up is waited for no longer than it should be', async t => {
  await using socket = await bind({ host: HOST });
  const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
    signal => listen({ port: 0, host: 'localhost', signal }),
    signal => connect({ port: 1, host: 'localhost', signal }),
    signal => bind({ host: 'localhost', signal }),
    signal => socket.send('x', 9, 'localhost', { signal }),
    signal => socket.sendMany([{ data: 'x', port: 9, address: 'localhost' }], { signal }),
  ];
  for (const start of calls) {
    const controller = new AbortController();
    const given = t.rejects(start(controller.signal), { name: 'AbortError', code: 'ABORT_ERR' });
    controller.abort();
    await given;
  }
  await t.rejects(listen({ port: 0, host: '', signal: new AbortController().signal }), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
  await t.rejects(connect({ port: 1, host: '' }), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(listen({ port: 0, signal: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('addresses are tried family by family in turns', async t => {
  const of = (...addresses: string[]) => addresses.map(address => inetAddress(address, 1));
  t.strictSame(
    interleave(of('::1', '::2', '::3', '1.1.1.1', '2.2.2.2')).map(({ address }) => address),
    ['::1', '1.1.1.1', '::2', '2.2.2.2', '::3'],
  );
  t.strictSame(interleave(of('1.1.1.1')), of('1.1.1.1'));
});

/** How many connections wait to be accepted from a port of 127.0.0.1: the `rx_queue` of a listener. proc(5) */
function acceptQueue(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const listening = new RegExp(`: 0100007F:${hex} \\w+:0000 0A \\w+:(\\w+)`);
  return Number.parseInt(listening.exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1] ?? '0', 16);
}

/** A port that answers no SYN: nobody accepts, and the backlog is full. */
async function silentPort(test: { teardown(end: () => void): void }): Promise<number> {
  const { fd, port } = boundSocket(test);
  libc().listen(fd, 0);
  const only = net.connect(port, HOST).on('error', () => {});
  test.teardown(() => void only.destroy());
  await once(only, 'connect');
  await until(() => acceptQueue(port) === 1);
  return port;
}

t.test('an address that does not answer holds up the next one by 250 ms only', async t => {
  const silent = await silentPort(t);
  const server = await listen({ port: 0, host: HOST });
  const accepting = server.accept();
  const before = openFds();
  const start = performance.now();
  const tries: number[] = [];
  const conn = await firstOf(
    [silent, portOf(server), silent],
    (port, signal) => {
      tries.push(port);
      return connect({ port, host: HOST, signal });
    },
    late => late.reset(),
  );
  const took = performance.now() - start;
  t.ok(took >= 240, `${took} ms`);
  t.strictSame(tries.slice(0, 2), [silent, portOf(server)]);
  t.ok(tries.length === 2 || took >= 490, `the third is tried after 500 ms only, not after ${took}`);
  const peer = await accepting;
  await Promise.all([conn.close(), peer.close()]);
  await server.close();
  await until(() => openFds() < before);
  const refused = (): Promise<Connection> => connect({ port: 1, host: HOST });
  await t.rejects(
    firstOf([1, 2], refused, () => {}),
    { code: 'ECONNREFUSED' },
  );
  await t.rejects(connect({ port: silent, host: HOST, timeout: 30 }), {
    code: 'ETIMEDOUT',
    address: HOST,
    port: silent,
  });
});

t.test('a name with two families finds the server of one', async () => {
  const server = await listen({ port: 0, host: HOST });
  const [conn, peer] = await Promise.all([
    connect({ port: portOf(server), host: 'localhost' }),
    server.accept(),
  ]);
  await Promise.all([conn.close(), peer.close()]);
  await server.close();
});

t.test('maxConnections leaves the others in the backlog until there is room', async t => {
  const server = await listen({ port: 0, host: HOST, maxConnections: 3 });
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => connect({ port: portOf(server), host: HOST })),
  );
  const served: Connection[] = [];
  for (let i = 0; i < 3; i++) served.push(await server.accept());
  await t.rejects(server.accept({ timeout: 30 }), { code: 'ETIMEDOUT' });
  for (let i = 0; i < 5; i++) {
    await served[i]!.close();
    served.push(await server.accept());
  }
  t.equal(served.length, 8);
  await Promise.all([...clients, ...served].map(conn => conn.close()));
  await server.close();
  await t.rejects(listen({ port: 0, maxConnections: 0 }), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('a Unix socket’s file goes with its listener; one left behind is replaced', async t => {
  const path = join(folder, 'socket');
  const first = await listen({ path });
  await t.rejects(listen({ path }), { code: 'EADDRINUSE', path });
  await first.close();
  t.notOk(existsSync(path));
  // A server that dies leaves its file.
  const dead = await listen({ path });
  const copy = join(folder, 'stale');
  const stale = libc().socket(1, SOCK_STREAM, 0);
  const sockaddr = Buffer.alloc(110);
  sockaddr.writeUInt16LE(1);
  sockaddr.write(copy, 2);
  libc().bind(stale, sockaddr.subarray(0, 3 + copy.length));
  libc().close(stale);
  t.ok(existsSync(copy));
  const again = await listen({ path: copy });
  const [conn, peer] = await Promise.all([connect({ path: copy }), again.accept()]);
  await Promise.all([conn.close(), peer.close(), again.close(), dead.close()]);
  // What is no socket is not touched.
  const file = join(folder, 'plain');
  writeFileSync(file, 'x');
  await t.rejects(listen({ path: file }), { code: 'EADDRINUSE' });
  t.ok(existsSync(file));
  const name = `\0uasync-options-${process.pid}`;
  const abstract = await listen({ path: name });
  await t.rejects(listen({ path: name }), { code: 'EADDRINUSE' });
  await abstract.close();
});
