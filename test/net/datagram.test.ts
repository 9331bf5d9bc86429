/** UDP and Unix datagrams between our sockets, and with node:dgram on the other side. */
import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { loop } from 'uasync';
import { bind } from 'uasync/net';
import { checkLeaks, scratchFolder, seededRandom, turns } from '../harness.js';
import { built, output } from '../programs.js';
import { HOST, noIPv6, portOf, texts } from './sockets.js';

checkLeaks();

t.test('a datagram and its answer, of every size around the blocks’ bounds', async t => {
  const random = seededRandom(t);
  await using server = await bind({ port: 0, host: HOST });
  await using client = await bind({ host: HOST });
  for (const size of [0, 1, 15, 16, 511, 512, 513, 1400, 4095, 4096, 4097, 16384, 16385, 65506, 65507]) {
    const sent = Buffer.alloc(size);
    for (let i = 0; i < size; i++) sent[i] = random() * 256;
    t.equal(await client.send(sent, portOf(server), HOST), size);
    const { data, address, port, family, truncated } = await server.recv();
    t.ok(data.equals(sent), `${size} bytes`);
    t.strictSame([address, port, family, truncated], [HOST, portOf(client), 'IPv4', false]);
    await server.send(data, port, address);
    t.ok((await client.recv()).data.equals(sent), 'and back');
  }
});

t.test('text, arrays, names, and this host by default', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  await client.send('grüße', portOf(server), 'localhost');
  await client.send(['one ', Buffer.from('two')], portOf(server));
  await client.sendMany([
    { data: 'three', port: portOf(server), address: 'localhost' },
    { data: 'four', port: portOf(server) },
  ]);
  for (const text of ['grüße', 'one two', 'three', 'four']) {
    t.equal(String((await server.recv()).data), text);
  }
});

t.test('iteration: it ends with the socket, and leaving it closes the socket', async t => {
  const server = await bind({ host: HOST });
  const client = await bind({ host: HOST });
  const iterating = (async () => {
    const texts: string[] = [];
    for await (const { data, address, port } of server) {
      texts.push(String(data));
      await server.send(data, port, address);
    }
    return texts;
  })();
  for (const text of ['a', 'b', 'c']) {
    await client.send(text, portOf(server), HOST);
    await client.recv();
  }
  await server.close();
  t.strictSame(await iterating, ['a', 'b', 'c']);
  await client.send('to itself', portOf(client), HOST);
  for await (const { data } of client) {
    t.equal(String(data), 'to itself');
    break;
  }
  t.ok(client.closed);
  t.equal(client.fd, -1);
});

t.test('recvMany takes what is there, in order, up to its maximum', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  const list = Array.from({ length: 100 }, (_, i) => ({ data: `${i}`, port: portOf(server), address: HOST }));
  const receiving = server.recvMany();
  t.equal(await client.sendMany(list), 100);
  const texts = (await receiving).map(({ data }) => String(data));
  const calls: number[] = [];
  while (texts.length < 100) {
    const some = await server.recvMany({ max: 7 });
    calls.push(some.length);
    texts.push(...some.map(({ data }) => String(data)));
  }
  t.strictSame(
    texts,
    Array.from({ length: 100 }, (_, i) => `${i}`),
  );
  t.ok(calls.every(count => count <= 7));
});

t.test('sends of one turn are one system call', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  await client.send('first', portOf(server), HOST);
  const { enters } = loop().stats();
  await Promise.all(Array.from({ length: 50 }, (_, i) => client.send(`${i}`, portOf(server), HOST)));
  // On epoll each is a call of its own, and none asks what is ready.
  t.equal(loop().stats().enters - enters, loop().backend === 'epoll' ? 0 : 1);
  for (let i = -1; i < 50; i++) await server.recv();
});

t.test('answers that are awaited one by one leave together, in order and whole', async t => {
  const random = seededRandom(t);
  await using server = await bind({ host: HOST, recvBufferSize: 1 << 21 });
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => bind({ host: HOST, recvBufferSize: 1 << 20 })),
  );
  for (const client of clients) await client.send(Buffer.alloc(1500), portOf(server), HOST);
  for (let i = 0; i < 5; i++) {
    const { data, address, port } = await server.recv();
    await server.send(data, port, address);
  }
  for (const client of clients) await client.recv();
  const { enters } = loop().stats();
  const sent: Buffer[][] = clients.map(() => []);
  const scratch = Buffer.alloc(1500);
  for (let i = 0; i < 500; i++) {
    const to = Math.floor(random() * 5);
    const data = scratch.subarray(0, random() < 0.7 ? 100 : 1 + random() * 1500);
    for (let at = 0; at < data.length; at++) data[at] = random() * 256;
    sent[to]!.push(Buffer.from(data));
    // The buffer is free again as soon as this has resolved.
    await server.send(data, portOf(clients[to]!), HOST);
  }
  t.ok(loop().stats().enters - enters < 50, `${loop().stats().enters - enters} system calls`);
  for (const [to, client] of clients.entries()) {
    for (const expected of sent[to]!) {
      const { data } = await client.recv();
      if (!data.equals(expected)) t.fail('another datagram was expected');
    }
    t.equal(client.queued, 0);
    await client.close();
  }
});

t.test('what was sent leaves before process.exit(), and before a close', async t => {
  await using server = await bind({ host: HOST });
  await output(process.execPath, [built('test/fixtures/datagram-exit.js'), String(portOf(server))]);
  for (let i = 0; i < 20; i++) t.equal((await server.recv()).data[0], i);
  const client = await bind({ host: HOST });
  for (let i = 0; i < 20; i++) await client.send(Buffer.from([i]), portOf(server), HOST);
  await client.close();
  for (let i = 0; i < 20; i++) t.equal((await server.recv()).data[0], i);
});

t.test('node:dgram to us and back', async t => {
  await using server = await bind({ host: HOST });
  const socket = dgram.createSocket('udp4');
  void (async () => {
    for await (const { data, address, port } of server) await server.send(data, port, address);
  })();
  for (let i = 0; i < 300; i++) {
    socket.send(`datagram ${i}`, portOf(server), HOST);
    const [message, { address, port }] = await once(socket, 'message');
    if (String(message) !== `datagram ${i}`) t.fail(`${message} for ${i}`);
    if (address !== HOST || port !== portOf(server)) t.fail(`from ${address}:${port}`);
  }
  t.pass('300 came back');
  socket.close();
  await once(socket, 'close');
});

t.test('we to node:dgram and back', async t => {
  const server = dgram.createSocket('udp4', (data, { address, port }) => server.send(data, port, address));
  server.bind(0, HOST);
  await once(server, 'listening');
  await using client = await bind({ host: HOST });
  await client.connect(server.address().port, HOST);
  for (let i = 0; i < 300; i++) {
    await client.send(`datagram ${i}`);
    const { data } = await client.recv();
    if (String(data) !== `datagram ${i}`) t.fail(`${data} for ${i}`);
  }
  // A train of equal ones, which the kernel cuts.
  await client.sendMany(Array.from({ length: 20 }, () => ({ data: 'same length' })));
  for (let i = 0; i < 20; i++) t.equal(String((await client.recv()).data), 'same length');
  server.close();
  await once(server, 'close');
});

t.test('IPv6, and both on one socket', async t => {
  const six = await bind({ host: '::1' }).catch(() => null);
  if (six === null) {
    t.comment('this machine has no IPv6');
    return;
  }
  await six.send('hi', portOf(six), '::1');
  t.match(await six.recv(), { address: '::1', family: 'IPv6', port: portOf(six) });
  await using dual = await bind();
  t.match(dual.address, { address: '::', family: 'IPv6' });
  await using four = await bind({ host: HOST });
  await four.send('from IPv4', portOf(dual), HOST);
  const { data, address, port } = await dual.recv();
  t.equal(address, `::ffff:${HOST}`);
  await dual.send(data, port, address);
  t.equal(String((await four.recv()).data), 'from IPv4');
  await dual.send('plain', port, HOST);
  t.equal(String((await four.recv()).data), 'plain');
  await six.send('from IPv6', portOf(dual), '::1');
  t.equal((await dual.recv()).address, '::1');
  await using only = await bind({ ipv6Only: true });
  await t.rejects(only.send('x', port, HOST), { code: 'ENETUNREACH', address: HOST, port });
  await six.close();
});

for (const [what, options] of [
  ['with ipv6Only', { host: '::', ipv6Only: true }],
  ['bound to an IPv6 address', { host: '::1' }],
] as const) {
  t.test(`a socket ${what}: names and this host by IPv6 only`, { skip: noIPv6 }, async t => {
    const socket = await bind(options);
    const port = portOf(socket);
    await socket.send('to this host', port);
    t.match(await socket.recv(), { address: '::1', port });
    await socket.sendMany([{ data: 'in a list', port }]);
    t.match(await socket.recv(), { address: '::1', port });
    // Whether it has an IPv6 address is this machine's choice.
    const known = await lookup('localhost', { family: 6 }).then(
      () => true,
      () => false,
    );
    const error = await socket.send('by name', port, 'localhost').catch(error => error);
    if (known) t.match(await socket.recv(), { address: '::1', port });
    else t.match(error, { code: 'ENOTFOUND', message: 'localhost has no IPv6 address' });
    await socket.connect(port);
    t.match(socket.remoteAddress, { address: '::1', port });
    await socket.send('to itself');
    t.match(await socket.recv(), { address: '::1', port });
    await socket.close();
  });
}

t.test('connect and disconnect', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ host: HOST });
  await t.rejects(client.send('whom to?'), { code: 'EDESTADDRREQ', syscall: 'send' });
  await t.rejects(client.disconnect(), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
  const signal = AbortSignal.abort();
  await t.rejects(client.connect(portOf(server), 'localhost', { signal }), { name: 'AbortError' });
  const aborted = new AbortController();
  const given = client.connect(portOf(server), 'localhost', { signal: aborted.signal });
  aborted.abort();
  await t.rejects(given, { name: 'AbortError' });
  t.equal(client.remoteAddress, undefined);
  await client.connect(portOf(server), 'localhost', { timeout: 1e6 });
  t.strictSame(client.remoteAddress, server.address);
  await t.rejects(client.connect(portOf(server)), { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' });
  t.equal(await client.send('to the peer'), 11);
  t.equal(await client.sendMany([{ data: 'a' }, { data: 'b' }]), 2);
  t.strictSame(await texts(server, 3), ['to the peer', 'a', 'b']);
  await using stranger = await bind({ host: HOST });
  await stranger.send('not for you', portOf(client), HOST);
  await server.send('for you', portOf(client), HOST);
  t.equal(String((await client.recv()).data), 'for you');
  await client.disconnect();
  t.equal(client.remoteAddress, undefined);
  await stranger.send('now it is', portOf(client), HOST);
  t.equal(String((await client.recv()).data), 'now it is');
});

t.test('without an address until the first send', async t => {
  await using server = await bind({ host: HOST });
  await using client = await bind({ bound: false, family: 'IPv4' });
  t.equal(portOf(client), 0);
  await client.connect(portOf(server));
  t.not(portOf(client), 0);
  await client.send('x');
  t.equal((await server.recv()).port, portOf(client));

  const sends = await bind({ bound: false, family: 'IPv4' });
  t.strictSame(sends.address, { address: '0.0.0.0', family: 'IPv4', port: 0 });
  await sends.send('x', portOf(server), HOST);
  const { port } = await server.recv();
  t.equal(portOf(sends), port, 'not connected either');
  await server.send('an answer', portOf(sends), HOST);
  t.equal(String((await sends.recv()).data), 'an answer');
  await sends.close();
  t.equal(portOf(sends), port, 'which it still tells');
  const never = await bind({ bound: false, family: 'IPv4' });
  await never.close();
  t.equal(portOf(never), 0);
});

t.test('Unix sockets: by path, by abstract name, without a name', async t => {
  const path = `${scratchFolder()}/socket`;
  const server = await bind({ path });
  await using abstract = await bind({ path: `\0uasync-datagram-${process.pid}` });
  await using chosen = await bind({ path: '' });
  await using nameless = await bind({ family: 'Unix', bound: false });
  for (const client of [abstract, chosen]) {
    await client.send('ping', path);
    const { data, address, port, family } = await server.recv();
    t.strictSame({ path: address }, client.address);
    t.equal(family, 'Unix');
    await server.send(data, port, address);
    t.equal(String((await client.recv()).data), 'ping');
  }
  await nameless.connect(path);
  await nameless.send('no answer, please');
  t.match(await server.recv(), { address: '', port: 0 });
  await chosen.send(Buffer.alloc(100_000, 'x'), path);
  const long = await server.recv();
  t.ok(long.truncated, 'longer than a buffer');
  t.ok(long.data.length >= 65535);
  t.equal(
    await chosen.sendMany([
      { data: '1', path },
      { data: '2', address: path },
    ]),
    2,
  );
  await nameless.sendMany([{ data: '3' }, { data: '4' }]);
  t.strictSame(await texts(server, 4), ['1', '2', '3', '4']);
  await t.rejects(bind({ path }), { code: 'EADDRINUSE', syscall: 'bind', path });
  await server.close();
  t.notOk(existsSync(path), 'the file goes with the socket');
});

t.test('a socket file that was left behind is replaced, another file is not', async t => {
  const folder = scratchFolder();
  writeFileSync(`${folder}/file`, 'text');
  const path = `${folder}/socket`;
  const { spawnSync } = await import('node:child_process');
  spawnSync(process.execPath, [built('test/fixtures/leave-socket.js'), path, 'killed']);
  t.ok(existsSync(path));
  const server = await bind({ path });
  await server.close();
  t.notOk(existsSync(path));
  await t.rejects(bind({ path: `${folder}/file` }), { code: 'EADDRINUSE' });
});

t.test('ref and unref', async t => {
  await using socket = await bind({ host: HOST });
  const receiving = socket.unref().recv();
  t.equal(loop().stats().referenced, 0);
  socket.ref();
  t.equal(loop().stats().referenced, 1);
  await socket.send('x', portOf(socket), HOST);
  await receiving;
});

t.test('reusePort spreads peers over sockets; without it the port is taken', async t => {
  const first = await bind({ host: HOST, reusePort: true });
  const port = portOf(first);
  const second = await bind({ host: HOST, port, reusePort: true });
  await t.rejects(bind({ host: HOST, port }), { code: 'EADDRINUSE', syscall: 'bind', address: HOST, port });
  let count = 0;
  const counting = [first, second].map(async socket => {
    let own = 0;
    for await (const _ of socket) {
      own++;
      count++;
    }
    return own;
  });
  const clients = await Promise.all(Array.from({ length: 40 }, () => bind({ host: HOST })));
  await Promise.all(clients.map(client => client.send('x', port, HOST)));
  while (count < 40) await new Promise(resolve => setTimeout(resolve, 1));
  await Promise.all([first, second, ...clients].map(socket => socket.close()));
  t.ok((await Promise.all(counting)).every(own => own > 0));
});

t.test('two sockets that send to one peer do not hold up each other', async t => {
  await using server = await bind({ port: 0, host: HOST, recvBufferSize: 1 << 20 });
  const pair = [await bind({ host: HOST }), await bind({ host: HOST })] as const;
  const port = portOf(server);
  const text = Buffer.alloc(64, 'x');
  let entries = 0;
  // A peer that takes datagrams gets more of them in one entry each time.
  for (let round = 0; round < 10; round++) {
    const before = loop().stats().submitted;
    const sends = Array.from({ length: 64 }, (_, i) => pair[i % 2]!.send(text, port, HOST));
    await Promise.all(sends);
    await turns();
    entries = loop().stats().submitted - before;
    for (let got = 0; got < sends.length; ) got += (await server.recvMany()).length;
  }
  // Each socket sends some of its datagrams as one, whatever the other does; alone each would take 32 entries.
  t.ok(entries <= 16, `${entries} entries for 64 datagrams`);
  for (const socket of pair) await socket.close();
});
