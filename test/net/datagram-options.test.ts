/** Options of datagram sockets: what the kernel is asked for, and what it tells beside a datagram. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { bind, type Datagram, type DatagramSocket } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { built, output } from '../programs.js';
import { HOST, noIPv6, portOf } from './sockets.js';

checkLeaks();

/** What was received within a tenth of a second, or null. */
function soon(socket: DatagramSocket): Promise<Datagram | null> {
  return socket.recv({ timeout: 100 }).catch(() => null);
}

t.test('GSO: what is sent with a segmentSize arrives as datagrams of that size', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  const sent = Buffer.alloc(5500, 'abcdefg');
  t.equal(await client.send(sent, portOf(server), HOST, { segmentSize: 1000 }), 5500);
  const sizes: number[] = [];
  const parts: Buffer[] = [];
  while (parts.length < 6) {
    const { data } = await server.recv();
    sizes.push(data.length);
    parts.push(data);
  }
  t.strictSame(sizes, [1000, 1000, 1000, 1000, 1000, 500]);
  t.ok(Buffer.concat(parts).equals(sent));
  await t.rejects(client.send(Buffer.alloc(1000), portOf(server), HOST, { segmentSize: 1 }), {
    code: 'EINVAL',
  });
});

t.test('GRO: it may arrive as one, which says how to cut it', async t => {
  await using server = await bind({ host: HOST, gro: true });
  await using client = await bind({ host: HOST });
  const sent = Buffer.alloc(60_000, 'abcdefg');
  await client.send(sent, portOf(server), HOST, { segmentSize: 1200 });
  const parts: Buffer[] = [];
  for (let got = 0; got < sent.length; ) {
    const { data, segmentSize, truncated } = await server.recv();
    t.notOk(truncated);
    t.ok(segmentSize === 1200 || data.length <= 1200);
    parts.push(data);
    got += data.length;
  }
  t.ok(Buffer.concat(parts).equals(sent));
  await client.send('alone', portOf(server), HOST);
  t.equal((await server.recv()).segmentSize, undefined);
  // What was received goes back as it came.
  await client.send(sent, portOf(server), HOST, { segmentSize: 1200 });
  const back = await server.recvMany();
  t.equal(await server.sendMany(back), back.length);
  t.equal((await client.recv()).data.length, 1200);
  await client.recvMany();
});

for (const [family, host, mapped] of [
  ['IPv4', HOST, HOST],
  ['IPv6', '::1', '::1'],
  ['IPv4 on an IPv6 socket', HOST, `::ffff:${HOST}`],
] as const) {
  const onSix = family !== 'IPv4';
  t.test(`packet info and type of service, ${family}`, { skip: onSix ? noIPv6 : false }, async t => {
    const own = onSix ? {} : { host };
    await using server = await bind({ ...own, packetInfo: true, receiveTos: true });
    await using client = await bind({ ...own, packetInfo: true, receiveTos: true });
    await client.send('plain', portOf(server), host);
    const plain = await server.recv();
    t.match(plain, { localAddress: mapped, tos: 0, ecn: 0 });
    t.ok(plain.interfaceIndex! > 0);
    await client.send('marked', portOf(server), host, { tos: 0xb8, ecn: 1 });
    t.match(await server.recv(), { tos: 0xb9, ecn: 1 });
    await client.send('only ecn', portOf(server), host, { ecn: 2 });
    t.match(await server.recv(), { tos: 2, ecn: 2 });
    // A reply from the address that was asked, as a server with several needs it.
    const { localAddress, interfaceIndex } = plain;
    await server.send('reply', plain.port, plain.address, {
      localAddress: localAddress!,
      interfaceIndex: interfaceIndex!,
    });
    t.match(await client.recv(), { address: mapped, localAddress: mapped });
  });
}

t.test('an IPv4 address is one however it is spelled', { skip: noIPv6 }, async t => {
  await using server = await bind({ host: HOST, receiveTos: true });
  await using client = await bind();
  for (const address of [
    '::ffff:127.0.0.1',
    '::FFFF:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:7f00:1',
    '0000:0000:0000:0000:0000:FFFF:127.0.0.1',
  ]) {
    await client.send('x', portOf(server), address, { tos: 0x28, localAddress: '127.0.0.3' });
    t.match(await server.recv(), { tos: 0x28, address: '127.0.0.3' }, address);
  }
  // One that looks like it is not.
  await t.rejects(client.send('x', portOf(server), '::ffff:0:0:1', { localAddress: HOST }), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
});

t.test('the address to send from', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: '0.0.0.0' });
  await client.send('x', portOf(server), HOST, { localAddress: '127.0.0.9' });
  t.equal((await server.recv()).address, '127.0.0.9');
  await t.rejects(client.send('x', portOf(server), HOST, { localAddress: '192.0.2.1' }), {
    message: /^send E/,
  });
});

t.test('buffer sizes', async t => {
  await using socket = await bind({ host: HOST, recvBufferSize: 20_000, sendBufferSize: 30_000 });
  t.equal(socket.getRecvBufferSize(), 40_000, 'the kernel doubles it');
  t.equal(socket.getSendBufferSize(), 60_000);
  t.equal(socket.setRecvBufferSize(25_000).getRecvBufferSize(), 50_000);
  t.equal(socket.setSendBufferSize(35_000).getSendBufferSize(), 70_000);
});

t.test('any option by its number', async t => {
  const socket = await bind({ host: HOST });
  const [IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_WANT] = [0, 10, 2, 1];
  socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  t.equal(socket.getOption(IPPROTO_IP, IP_MTU_DISCOVER).readInt32LE(), IP_PMTUDISC_DO);
  t.equal(socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, Buffer.from([IP_PMTUDISC_WANT, 0, 0, 0])), socket);
  t.strictSame([...socket.getOption(IPPROTO_IP, IP_MTU_DISCOVER, 1)], [IP_PMTUDISC_WANT]);
  t.throws(() => socket.getOption(1, 9999), { code: 'ENOPROTOOPT', syscall: 'getsockopt' });
  t.throws(() => socket.setOption(1, 9999, 1), { code: 'ENOPROTOOPT', syscall: 'setsockopt' });
  t.throws(() => socket.setOption(1, 1, 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => socket.setOption(1, 1, 2 ** 32), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => socket.getOption(0, 0, 5000), { code: 'ERR_OUT_OF_RANGE' });
  // What was sent before leaves as things were.
  const IP_TOS = 1;
  await using server = await bind({ host: HOST, receiveTos: true });
  for (const tos of [0x10, 0x20]) {
    socket.setOption(IPPROTO_IP, IP_TOS, tos);
    for (let i = 0; i < 2; i++) await socket.send(Buffer.from('x'), portOf(server), HOST);
  }
  for (const tos of [0x10, 0x10, 0x20, 0x20]) t.match(await server.recv(), { tos });
  await socket.close();
  t.throws(() => socket.getOption(IPPROTO_IP, IP_MTU_DISCOVER), { code: 'ERR_CLOSED' });
  t.throws(() => socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, 0), { code: 'ERR_CLOSED' });
});

t.test('broadcast', async t => {
  await using server = await bind({ host: '0.0.0.0' });
  await using client = await bind({ host: HOST });
  const broadcast = '127.255.255.255';
  await t.rejects(client.send('x', portOf(server), broadcast), { code: 'EACCES' });
  client.setBroadcast(true);
  await client.send('to all', portOf(server), broadcast);
  t.equal(String((await server.recv()).data), 'to all');
  client.setBroadcast(false);
  await t.rejects(client.send('x', portOf(server), broadcast), { code: 'EACCES' });
  await using from = await bind({ host: HOST, broadcast: true });
  await from.send('at once', portOf(server), broadcast);
  t.equal(String((await server.recv()).data), 'at once');
});

t.test('TTL, on sockets of either family', async t => {
  await using four = await bind({ host: HOST });
  t.equal(four.setTTL(5).setMulticastTTL(0), four);
  if (noIPv6) return;
  await using six = await bind({ host: '::1' });
  t.equal(six.setTTL(5).setMulticastTTL(0).setMulticastLoopback(true), six);
});

t.test('multicast over IPv4: join, loopback, leave, one source only', async t => {
  const group = '239.255.77.77';
  await using receiver = await bind({ host: '0.0.0.0', reuseAddr: true });
  const port = portOf(receiver);
  await using second = await bind({ host: '0.0.0.0', port, reuseAddr: true });
  await using sender = await bind({ host: HOST });
  sender.setMulticastInterface(HOST).setMulticastTTL(1);
  receiver.addMembership(group, HOST);
  second.addMembership(group, HOST);
  await sender.send('to the group', port, group);
  t.equal(String((await receiver.recv()).data), 'to the group');
  t.equal(String((await second.recv()).data), 'to the group');
  // The loopback device itself brings back what it is given, so there is nothing more to see here.
  t.equal(sender.setMulticastLoopback(false).setMulticastLoopback(true), sender);
  receiver.dropMembership(group, HOST);
  t.throws(() => receiver.dropMembership(group, HOST), { code: 'EADDRNOTAVAIL', syscall: 'dropMembership' });
  await sender.send('one has left', port, group);
  t.equal(String((await second.recv()).data), 'one has left');

  const source = '232.1.1.7';
  await using choosy = await bind({ host: source });
  choosy.addSourceSpecificMembership(HOST, source, HOST);
  await sender.send('from the source', portOf(choosy), source);
  t.equal(String((await choosy.recv()).data), 'from the source');
  choosy.dropSourceSpecificMembership(HOST, source, HOST);
  choosy.addSourceSpecificMembership('127.0.0.2', source, HOST);
  await sender.send('from another', portOf(choosy), source);
  t.equal(await soon(choosy), null);
});

t.test('multicast over IPv6', { skip: noIPv6 }, async t => {
  const group = 'ff01::7777';
  await using receiver = await bind({ host: '::' });
  await using sender = await bind({ host: '::' });
  receiver.addMembership(group, '::%lo');
  sender.setMulticastInterface('::%lo');
  const sent = await sender.send('to the group', portOf(receiver), group).catch(error => error.code);
  if (sent === 12) t.equal(String((await receiver.recv()).data), 'to the group');
  else t.comment(`lo takes no IPv6 multicast here: ${sent}`);
  receiver.dropMembership(group, '::%lo');
  receiver.addSourceSpecificMembership('::1', 'ff31::7777', '::%lo');
  receiver.dropSourceSpecificMembership('::1', 'ff31::7777', '::%lo');
  t.throws(() => receiver.addMembership(group, '::%nowhere'), { code: 'ERR_INVALID_ARG_VALUE' });
});

/** Why a network namespace with an interface of its own cannot be made here, false if it can. */
function noNamespace(): string | false {
  try {
    execFileSync('unshare', ['-n', 'ip', 'link', 'add', 'uasync0', 'type', 'veth'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    return `no network namespace: ${String(stderr ?? '').trim() || message}`;
  }
}

t.test('interfaces are those of the network namespace', { skip: noIPv6 || noNamespace() }, async t => {
  // /sys still shows those of the namespace that it was mounted in.
  const program = built('test/fixtures/namespaced-interface.js');
  const shell = `ip link set lo up && ip link add name uasync0 type veth peer name uasync1 index 77 &&
    ip addr add fe80::7/64 dev uasync0 nodad && ip link set uasync0 up && ip link set uasync1 up &&
    exec "$0" "$1"`;
  t.equal(await output('unshare', ['-n', 'sh', '-c', shell, process.execPath, program]), 'true\ntrue\n');
});
