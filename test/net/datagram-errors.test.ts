/** What can go wrong with datagrams: refusals, limits, wrong arguments, buffers that go away. */
import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { bind, type DatagramSocket, type InetAddress, SendManyError } from 'uasync/net';
import { systemError } from '../../src/sys/errors/errors.js';
import { libc } from '../../src/sys/libc/libc.js';
import { checkLeaks, turns, withoutInline } from '../harness.js';
import { quietPort } from '../ports.js';
import { HOST, noIPv6, portOf } from './sockets.js';

checkLeaks();

t.test('a refusal (ICMP) is the error of the next call, and the socket goes on', async t => {
  const port = await quietPort(HOST, 'udp');
  const refused = { code: 'ECONNREFUSED', address: HOST, port };
  await using client = await bind({ host: HOST });
  await client.connect(port, HOST);

  await client.send('nobody is there');
  await t.rejects(client.recv(), { ...refused, syscall: 'recvmsg' });
  const receiving = t.rejects(client.recv(), refused);
  await client.send('still nobody');
  await receiving;
  const many = t.rejects(client.recvMany(), refused);
  await client.send('nobody yet');
  await many;

  // Nobody waits: it is kept for the next call, whichever that is.
  let refusal: object | undefined;
  while (refusal === undefined) {
    await turns(10);
    refusal = await client.send('x').then(
      () => undefined,
      error => error,
    );
  }
  t.match(refusal, { ...refused, syscall: 'send' });

  const step = t.rejects(client[Symbol.asyncIterator]().next(), refused);
  await client.send('z');
  await step;

  await using server = await bind({ host: HOST, port });
  // A refusal of one that went before may be told by this one.
  while (!(await client.send('now').catch(() => false)));
  const { data, ...from } = await server.recv();
  await server.send(data, from.port, from.address);
  t.equal(String((await client.recv()).data), 'now');
});

t.test('errors name whom the datagram was for', async t => {
  await using socket = await bind({ host: HOST });
  const port = 9;
  await t.rejects(socket.send(Buffer.alloc(65508), port, HOST), {
    code: 'EMSGSIZE',
    syscall: 'send',
    address: HOST,
    port,
  });
  await t.rejects(socket.send(Buffer.alloc(300_000), port, HOST), { code: 'EMSGSIZE', address: HOST, port });
  const broadcast = '255.255.255.255';
  await t.rejects(socket.send('x', port, broadcast), { code: 'EACCES', address: broadcast, port });
  await t.rejects(socket.send('x', port, '::1'), { code: 'EAFNOSUPPORT', address: '::1', port });
  await t.rejects(socket.send('x', port, 'no.such.name.invalid'), { message: /getaddrinfo/ });
  await t.rejects(socket.connect(port, 'no.such.name.invalid'), { message: /getaddrinfo/ });
  await t.rejects(bind({ host: 'no.such.name.invalid' }), { message: /getaddrinfo/ });
  await t.rejects(bind({ host: '192.0.2.1' }), {
    code: 'EADDRNOTAVAIL',
    syscall: 'bind',
    address: '192.0.2.1',
  });
  await using unix = await bind({ path: '' });
  const path = '/nowhere/at/all';
  await t.rejects(unix.send('x', path), { code: 'ENOENT', syscall: 'send', path });
  await t.rejects(unix.connect(path), { code: 'ENOENT', syscall: 'connect', path });
  await t.rejects(bind({ path }), { code: 'ENOENT', syscall: 'bind', path });
});

t.test('sendMany says exactly what was not sent, and why', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  const port = portOf(server);
  t.equal(await client.sendMany([]), 0);
  const list = [
    { data: 'one', port, address: HOST },
    { data: 'two', port, address: '255.255.255.255' },
    { data: 'thr', port, address: HOST },
    { data: Buffer.alloc(65508), port, address: HOST },
    { data: 'five', port, address: HOST },
  ];
  const error = await client.sendMany(list).then(
    () => t.fail('not all can have been sent'),
    error => error,
  );
  t.ok(error instanceof SendManyError);
  t.match(error, { code: 'EACCES', syscall: 'send', address: '255.255.255.255', port, sent: 3 });
  t.strictSame(
    error.failures.map(({ index, error }: { index: number; error: { code: string } }) => [index, error.code]),
    [
      [1, 'EACCES'],
      [3, 'EMSGSIZE'],
    ],
  );
  const texts = new Set<string>();
  while (texts.size < 3) for (const { data } of await server.recvMany()) texts.add(String(data));
  t.strictSame([...texts].sort(), ['five', 'one', 'thr']);
  // Checked as a whole before anything goes out.
  await t.rejects(
    client.sendMany([
      { data: 'six', port, address: HOST },
      { data: 7 as never, port },
    ]),
    TypeError,
  );
  await t.rejects(server.recv({ timeout: 20 }), { code: 'ETIMEDOUT' });
});

t.test('a train that the route does not take goes out one by one', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  // Longer ones than a train may have: each is refused, and sent, by itself.
  const big = Array.from({ length: 3 }, () => ({ data: Buffer.alloc(30_000, 'x'), port: portOf(server) }));
  t.equal(await client.sendMany(big), 3);
  for (let i = 0; i < 3; i++) t.equal((await server.recv()).data.length, 30_000);
  const error = await client
    .sendMany(Array.from({ length: 5 }, () => ({ data: 'same', port: 9, address: '255.255.255.255' })))
    .catch(error => error);
  t.equal(error.sent, 0);
  t.strictSame(
    error.failures.map(({ index }: { index: number }) => index),
    [0, 1, 2, 3, 4],
  );
});

const SOL_SOCKET = 1;
const SO_BROADCAST = 6;
const SO_NO_CHECK = 11;

/** Sets an option behind the socket's back. */
function setBehind(socket: DatagramSocket, name: number, value: number, level = SOL_SOCKET): void {
  const bytes = new Uint8Array(new Int32Array([value]).buffer);
  const failed = libc().setsockopt(socket.fd, level, name, bytes);
  if (failed < 0) throw systemError(failed, 'setsockopt');
}

t.test('a kernel that cuts no datagrams gets them one by one', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  // Without checksums there is no GSO: EINVAL
  setBehind(client, SO_NO_CHECK, 1);
  const port = portOf(server);
  t.equal(await client.sendMany(Array.from({ length: 20 }, (_, i) => ({ data: `${10 + i}`, port }))), 20);
  for (let i = 0; i < 20; i++) await client.send(Buffer.from(`${30 + i}`), port, HOST);
  const texts: string[] = [];
  while (texts.length < 40) texts.push(...(await server.recvMany()).map(({ data }) => String(data)));
  t.strictSame(
    texts.sort(),
    Array.from({ length: 40 }, (_, i) => `${10 + i}`),
  );
});

const IPPROTO_IPV6 = 41;
const IPV6_MTU = 24;
const IPV6_DONTFRAG = 62;

t.test(
  'that a train went out says nothing about a datagram as long as all of it',
  { skip: noIPv6 },
  async t => {
    await using server = await bind({ host: '::1' });
    await using client = await bind({ host: '::1' });
    setBehind(client, IPV6_MTU, 1280, IPPROTO_IPV6);
    setBehind(client, IPV6_DONTFRAG, 1, IPPROTO_IPV6);
    const to = [portOf(server), '::1'] as const;
    const [port, address] = to;
    const train = Array.from({ length: 10 }, () => ({ data: Buffer.alloc(1000), port, address }));
    for (const send of [
      () => client.sendMany(train),
      () => client.send(Buffer.alloc(10_000), ...to, { segmentSize: 1000 }),
    ]) {
      await send();
      await t.rejects(client.send(Buffer.alloc(5000), ...to), { code: 'EMSGSIZE', port });
      t.equal(await client.send(Buffer.alloc(1000), ...to), 1000);
    }
    for (let received = 0; received < 22; ) received += (await server.recvMany()).length;
  },
);

t.test('a refusal after the send has resolved is the error of the next call', async t => {
  // A send that is made at once rejects itself.
  withoutInline();
  await using server = await bind({ host: '0.0.0.0' });
  await using client = await bind({ host: HOST, broadcast: true });
  const to = [portOf(server), '127.255.255.255'] as const;
  const refused = { code: 'EACCES', syscall: 'send', address: to[1], port: to[0] };
  for (let i = 0; i < 3; i++) await client.send(Buffer.from('x'), ...to);
  await turns();
  setBehind(client, SO_BROADCAST, 0);
  t.equal(await client.send(Buffer.from('x'), ...to), 1);
  await turns();
  await t.rejects(client.recv(), refused);
  await t.rejects(client.send(Buffer.from('x'), ...to), refused, 'which waits for the verdict again');
  // The socket knows what it has changed itself.
  client.setBroadcast(true);
  for (let i = 0; i < 2; i++) await client.send(Buffer.from('x'), ...to);
  client.setBroadcast(false);
  await t.rejects(client.send(Buffer.from('x'), ...to), refused);
  for (let i = 0; i < 5; i++) await server.recv();
});

t.test('what is longer than maxSize is cut, and says so', async t => {
  await using server = await bind({ host: HOST, maxSize: 10 });
  await using client = await bind({ host: HOST });
  for (const [text, kept, truncated] of [
    ['0123456789', '0123456789', false],
    ['0123456789a', '0123456789', true],
    ['short', 'short', false],
  ] as const) {
    await client.send(text, portOf(server), HOST);
    const datagram = await server.recv();
    t.strictSame([String(datagram.data), datagram.truncated], [kept, truncated]);
  }
});

t.test('what arrives beyond queueLimit is dropped and counted', async t => {
  await using server = await bind({ host: HOST, queueLimit: 10 });
  await using client = await bind({ host: HOST });
  const send = (count: number) =>
    client.sendMany(
      Array.from({ length: count }, (_, i) => ({ data: `${i}`, port: portOf(server), address: HOST })),
    );
  await send(1);
  await server.recv();
  t.equal(server.dropped, 0);
  await send(35);
  while (server.dropped < 25) await turns(1);
  t.equal(server.dropped, 25);
  t.equal(server.queued, 10);
  t.strictSame(
    (await server.recvMany()).map(({ data }) => String(data)),
    Array.from({ length: 10 }, (_, i) => `${i}`),
  );
  server.queueLimit = 100;
  await send(35);
  while (server.queued < 35) await turns(1);
  t.equal(server.dropped, 25);
});

t.test('what the kernel had no room for is counted, also after the close', async t => {
  const server = await bind({ host: HOST, recvBufferSize: 4096 });
  await using client = await bind({ host: HOST });
  for (let i = 0; i < 50; i++) await client.send(Buffer.alloc(1000), portOf(server), HOST);
  let received = 0;
  while (received + server.dropped < 50) {
    await server.recv();
    received++;
  }
  t.ok(received > 0 && received < 50, `${received} of 50`);
  t.equal(server.dropped, 50 - received);
  await server.close();
  t.equal(server.dropped, 50 - received);
});

t.test('a socket that is closed says so', async t => {
  const socket = await bind({ host: HOST });
  const closed = { code: 'ERR_CLOSED' };
  const waiting = [t.rejects(socket.recv(), closed), t.rejects(socket.recvMany(), closed)];
  const step = socket[Symbol.asyncIterator]().next();
  const closing = socket.close();
  t.equal(socket.close(), closing, 'a second close is the first');
  await Promise.all(waiting);
  t.strictSame(await step, { value: undefined, done: true });
  await closing;
  await t.rejects(socket.recv(), closed);
  await t.rejects(socket.recvMany({ max: 1 }), closed);
  await t.rejects(socket.send('x', 9, HOST), closed);
  await t.rejects(socket.sendMany([{ data: 'x', port: 9 }]), closed);
  await t.rejects(socket.connect(9), closed);
  await t.rejects(socket.disconnect(), closed);
  for (const call of [
    () => socket.setTTL(1),
    () => socket.setBroadcast(true),
    () => socket.getRecvBufferSize(),
    () => socket.addMembership('224.0.0.114'),
  ]) {
    t.throws(call, closed);
  }
  t.strictSame(await socket[Symbol.asyncIterator]().next(), { value: undefined, done: true });
  t.ok((socket.address as InetAddress).port > 0, 'its address is remembered');
});

t.test('detached buffers are an error, not an empty datagram', async t => {
  await using socket = await bind({ host: HOST });
  const buffer = new Uint8Array(100);
  const { port1 } = new MessageChannel();
  port1.postMessage(buffer, [buffer.buffer]);
  port1.close();
  const port = portOf(socket);
  await t.rejects(socket.send(buffer, port, HOST), { code: 'ERR_INVALID_STATE' });
  await t.rejects(socket.sendMany([{ data: buffer, port }]), { code: 'ERR_INVALID_STATE' });
  await t.rejects(socket.send(['x', buffer], port, HOST), { code: 'ERR_INVALID_STATE' });
  // A view that lies beyond its buffer since that has shrunk.
  const memory = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 8 }]);
  const beyond = new Uint8Array(memory, 4, 4);
  memory.resize(2);
  await t.rejects(socket.send(beyond, port, HOST), { code: 'ERR_INVALID_STATE' });
  // One that goes away while a name is looked up.
  for (const send of [
    (data: Uint8Array) => socket.send(data, port, 'localhost'),
    (data: Uint8Array) => socket.sendMany([{ data, port, address: 'localhost' }]),
  ]) {
    const data = new Uint8Array(100);
    const refused = t.rejects(send(data), { code: 'ERR_INVALID_STATE' });
    structuredClone(data, { transfer: [data.buffer] });
    await refused;
  }
  t.equal(socket.queued, 0);
  // One that goes away after the call has been copied.
  const late = new Uint8Array(100).fill(7);
  const sending = socket.send(late, port, HOST);
  structuredClone(late, { transfer: [late.buffer] });
  await sending;
  t.ok((await socket.recv()).data.every(byte => byte === 7));
});

t.test('wrong arguments fail before anything reaches the kernel', async t => {
  await using socket = await bind({ host: HOST });
  await using unix = await bind({ path: '' });
  const { submitted } = loop().stats();
  const type = 'ERR_INVALID_ARG_TYPE';
  const value = 'ERR_INVALID_ARG_VALUE';
  const range = 'ERR_OUT_OF_RANGE';
  const wrong: [string, () => unknown, string][] = [
    ['bind: no object', () => bind(7 as never), type],
    ['bind: null', () => bind(null as never), type],
    ['bind: port', () => bind({ port: 65536 }), range],
    ['bind: port of type string', () => bind({ port: '7' as never }), type],
    ['bind: host', () => bind({ host: 7 as never }), type],
    ['bind: path', () => bind({ path: 7 as never }), type],
    ['bind: path with a NUL inside', () => bind({ path: 'a\0b' }), value],
    ['bind: long path', () => bind({ path: 'x'.repeat(200) }), value],
    ['bind: family', () => bind({ family: 'IPv5' as never }), value],
    ['bind: queueLimit', () => bind({ queueLimit: 0 }), range],
    ['bind: maxSize', () => bind({ maxSize: 65536 }), range],
    ['bind: recvBufferSize', () => bind({ recvBufferSize: 1.5 }), range],
    ['bind: signal', () => bind({ signal: 7 as never }), type],
    ['bind: aborted', () => bind({ signal: AbortSignal.abort() }), 'ABORT_ERR'],
    ['send: no data', () => socket.send(undefined as never, 9, HOST), type],
    ['send: number', () => socket.send(7 as never, 9, HOST), type],
    ['send: array of numbers', () => socket.send([7] as never, 9, HOST), type],
    ['send: port', () => socket.send('x', 65536, HOST), range],
    ['send: negative port', () => socket.send(Buffer.from('x'), -1, HOST), range],
    ['send: broken port', () => socket.send('x', 1.5), range],
    ['send: port null', () => socket.send('x', null as never), type],
    ['send: address', () => socket.send('x', 9, 7 as never), type],
    ['send: a path to UDP', () => socket.send('x', '/a/path'), type],
    ['send: options', () => socket.send('x', 9, HOST, 7 as never), type],
    ['send: signal', () => socket.send('x', 9, HOST, { signal: 7 as never }), type],
    ['send: timeout', () => socket.send('x', 9, HOST, { timeout: -1 }), range],
    ['send: segmentSize', () => socket.send('x', 9, HOST, { segmentSize: 0 }), range],
    ['send: tos', () => socket.send('x', 9, HOST, { tos: 256 }), range],
    ['send: ecn', () => socket.send('x', 9, HOST, { ecn: 4 }), range],
    ['send: localAddress', () => socket.send('x', 9, HOST, { localAddress: 'here' }), value],
    ['send: interfaceIndex', () => socket.send('x', 9, HOST, { interfaceIndex: -1 }), range],
    ['send: segments on Unix', () => unix.send('x', '/a', { segmentSize: 1 }), value],
    ['sendMany: no list', () => socket.sendMany('x' as never), type],
    ['sendMany: no object', () => socket.sendMany([7 as never]), type],
    ['sendMany: a path to UDP', () => socket.sendMany([{ data: 'x', port: 9, path: 'localhost' }]), value],
    ['sendMany: tos', () => socket.sendMany([{ data: 'x', port: 9, tos: 256 }]), range],
    ['recv: options', () => socket.recv({ timeout: 'soon' as never }), type],
    ['recv: signal', () => socket.recv({ signal: 7 as never }), type],
    ['recvMany: max', () => socket.recvMany({ max: 0 }), range],
    ['connect: port', () => socket.connect(0), range],
    ['connect: path to UDP', () => socket.connect('/a' as never), type],
    ['connect: host', () => socket.connect(9, 7 as never), type],
    ['connect: port to Unix', () => unix.connect(9 as never), type],
    ['setTTL', () => socket.setTTL(0), range],
    ['setMulticastTTL', () => socket.setMulticastTTL(256), range],
    ['setMulticastInterface', () => socket.setMulticastInterface('eth0'), value],
    ['addMembership', () => socket.addMembership('a.group'), value],
    ['addMembership: no string', () => socket.addMembership(7 as never), type],
    ['addSourceSpecificMembership', () => socket.addSourceSpecificMembership('::1', '232.1.1.1'), value],
    ['setRecvBufferSize', () => socket.setRecvBufferSize(0), range],
    ['setSendBufferSize', () => socket.setSendBufferSize('1' as never), type],
    ['queueLimit', () => Object.assign(socket, { queueLimit: 0 }), range],
  ];
  for (const [what, call, code] of wrong) {
    await t.rejects(async () => call(), { code }, what);
  }
  t.equal(loop().stats().submitted, submitted);
});
