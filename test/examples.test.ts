/** The examples, run as a user would run them. */
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { loop } from 'uasync';
import { OP_LISTEN, probe } from 'uasync/ring';
import { scratchFolder } from './harness.js';
import { quietPort } from './ports.js';
import { built, output, serve } from './programs.js';

t.test('tcp-echo sends back what it gets, and survives a reset', async t => {
  const { port, child } = await serve('examples/tcp-echo.js', '0');
  t.teardown(() => child.kill());
  const rude = net.connect(port, '127.0.0.1');
  await once(rude, 'connect');
  rude.write('x');
  rude.resetAndDestroy();
  const socket = net.connect(port, '127.0.0.1');
  socket.write('hello');
  const [data] = await once(socket, 'data');
  t.equal(String(data), 'hello');
  socket.end();
  await once(socket, 'close');
});

t.test('threads-echo serves on all its threads, and ends gracefully', async t => {
  const { port, child } = await serve('examples/threads-echo.js', '0', '2');
  t.teardown(() => child.kill('SIGKILL'));
  let printed = '';
  child.stdout!.on('data', text => {
    printed += text;
  });
  for (let i = 0; i < 20; i++) {
    const socket = net.connect(port, '127.0.0.1');
    socket.end(`hello ${i}`);
    const [data] = await once(socket, 'data');
    t.equal(String(data), `hello ${i}`);
    await once(socket, 'close');
  }
  const open = net.connect(port, '127.0.0.1');
  open.write('before');
  await once(open, 'data');
  child.kill('SIGTERM');
  while (!printed.includes('SIGTERM: ending')) await once(child.stdout!, 'data');
  open.end('after');
  const [data] = await once(open, 'data');
  t.equal(String(data), 'after', 'an open connection is finished');
  const [code] = await once(child, 'close');
  t.equal(code, 0);
  const served = [...printed.matchAll(/thread \d: served (\d+) connections/g)].map(match => Number(match[1]));
  t.equal(served.length, 2);
  t.equal(served[0]! + served[1]!, 21);
});

t.test('udp-echo sends every datagram back', async t => {
  const { port, child } = await serve('examples/udp-echo.js', '0');
  t.teardown(() => child.kill());
  const socket = dgram.createSocket('udp4');
  for (const text of ['', 'hello', 'x'.repeat(60_000)]) {
    socket.send(text, port, '127.0.0.1');
    const [message] = await once(socket, 'message');
    t.equal(String(message), text);
  }
  socket.close();
});

t.test('statsd counts, and answers with what it has', async t => {
  const { port, child } = await serve('examples/statsd.js', '0');
  t.teardown(() => child.kill());
  const socket = dgram.createSocket('udp4');
  for (let i = 0; i < 100; i++) socket.send(`hits:1|c\nbytes:${i}|c`, port, '127.0.0.1');
  socket.send('load:0.5|g\nnonsense', port, '127.0.0.1');
  let message = '';
  // Loopback keeps the order, but the counters may be asked for before all has been read.
  for (let tries = 0; tries < 100 && !message.includes('load'); tries++) {
    socket.send('?', port, '127.0.0.1');
    [message] = (await once(socket, 'message')).map(String) as [string];
  }
  t.equal(message, 'hits 100\nbytes 4950\nload 0.5\n');
  socket.close();
});

t.test('http-hello answers fetch, keep-alive, pipelining and nonsense', async t => {
  const { port, child } = await serve('examples/http-hello.js', '0');
  t.teardown(() => child.kill());
  const url = `http://127.0.0.1:${port}/`;
  const replies = await Promise.all(Array.from({ length: 50 }, () => fetch(url).then(reply => reply.text())));
  t.ok(replies.every(text => text === 'Hello, world!\n'));
  const posted = await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) });
  t.equal(posted.status, 200);
  t.equal(await posted.text(), 'Hello, world!\n');

  const head = await new Promise<http.IncomingMessage>((resolve, reject) =>
    http.request(url, { method: 'HEAD' }, resolve).on('error', reject).end(),
  );
  t.equal(head.headers['content-length'], '14');
  head.resume();

  const talk = async (request: string): Promise<string> => {
    const socket = net.connect(port, '127.0.0.1');
    socket.end(request);
    let reply = '';
    for await (const data of socket) reply += data;
    return reply;
  };
  const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  t.equal((await talk(get.repeat(5))).match(/200 OK/g)?.length, 5);
  t.match(await talk('GET / HTTP/1.0\r\n\r\n'), /Connection: close/);
  t.match(await talk('nonsense\r\n\r\n'), /^HTTP\/1.1 400/);
  t.match(await talk(`GET /${'x'.repeat(20_000)}`), /^HTTP\/1.1 431/);
});

t.test('socket-activation serves on the socket it is given, which outlives it', async t => {
  const fd = await loop().submit(sqe => sqe.socket(2, 1));
  await loop().submit(sqe => sqe.bind(fd, { address: '127.0.0.1', family: 'IPv4', port: 0 }));
  await loop().submit(sqe => sqe.listen(fd, 9));
  // As systemd does: the process that asks is the one that was meant.
  const command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$1"';
  const start = [command, process.execPath, built('examples/socket-activation.js')];
  for (let restarts = 0; restarts < 2; restarts++) {
    const child = spawn('/bin/sh', ['-c', ...start], { stdio: ['ignore', 'pipe', 'inherit', fd] });
    t.teardown(() => child.kill('SIGKILL'));
    const port = Number(/port: (\d+)/.exec(String((await once(child.stdout!, 'data'))[0]))![1]);
    const socket = net.connect(port, '127.0.0.1');
    socket.end('hello');
    t.equal(String((await once(socket, 'data'))[0]), 'hello');
    await once(socket, 'close');
    child.kill('SIGTERM');
    t.same(await once(child, 'close'), [0, null]);
  }
  closeSync(fd);
  await t.rejects(output(process.execPath, [built('examples/socket-activation.js')]), {
    message: /No sockets/,
  });
});

t.test('cat prints files, and says what is missing', async t => {
  const path = join(scratchFolder(), 'file');
  writeFileSync(path, 'x'.repeat(300_000));
  const text = await output(process.execPath, [built('examples/cat.js'), path, path]);
  t.equal(text.length, 600_000);
  await t.rejects(output(process.execPath, [built('examples/cat.js'), '/missing']), {
    code: 1,
    stderr: "cat: ENOENT: no such file or directory, open '/missing'\n",
  });
});

t.test('copy-tree copies a folder, and says what is in the way', async t => {
  const folder = scratchFolder();
  mkdirSync(join(folder, 'from', 'deep', 'er'), { recursive: true });
  writeFileSync(join(folder, 'from', 'deep', 'er', 'file'), 'content', { mode: 0o640 });
  symlinkSync('deep/er/file', join(folder, 'from', 'link'));
  const command = [built('examples/copy-tree.js'), join(folder, 'from'), join(folder, 'to')];
  t.equal(await output(process.execPath, command), '2 copied\n');
  t.equal(readFileSync(join(folder, 'to', 'link'), 'utf8'), 'content');
  const [from, to] = ['from', 'to'].map(tree => statSync(join(folder, tree, 'deep', 'er', 'file')));
  t.equal(to!.mode, from!.mode);
  await t.rejects(output(process.execPath, command), { code: 1, stderr: /^copy-tree: EEXIST/ });
});

t.test('on the bare ring: hello, and more operations than the queues hold', async t => {
  t.equal(await output(process.execPath, [built('examples/ring/hello.js')]), 'Hello, world!\n');
  const printed = await output(process.execPath, [built('examples/ring/overflow.js'), '5000']);
  t.match(printed, /overflow: true\n5000 of 5000 completed after \d{3} full queues, in order: true/);
});

t.test('an HTTP request of linked operations', async t => {
  const body = 'x'.repeat(300_000);
  const server = http
    .createServer((request, response) => response.end(request.url + body))
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const get = built('examples/ring/http-get.js');
  const reply = await output(process.execPath, [get, '127.0.0.1', `${port}`, '/some/path']);
  t.match(reply, /^HTTP\/1.1 200 OK\r\n/);
  t.ok(reply.endsWith(`/some/path${body}`));
  server.close();
  await once(server, 'close');
  await t.rejects(output(process.execPath, [get, '127.0.0.1', `${port}`]), {
    code: 1,
    stderr: 'connect: ECONNREFUSED\n',
  });
});

const noListen = probe().supports(OP_LISTEN) ? false : 'this kernel has no LISTEN: it came with Linux 6.11';

t.test('echo over TCP on the bare ring', { skip: noListen }, async t => {
  const { port, child } = await serve('examples/ring/tcp-echo.js', `${await quietPort()}`);
  t.teardown(() => child.kill('SIGKILL'));
  const data = Buffer.alloc(1 << 20, 'abcdefg');
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.end(data);
      const parts: Buffer[] = [];
      for await (const part of socket) parts.push(part);
      t.ok(data.equals(Buffer.concat(parts)));
    }),
  );
});

t.test('echo over UDP on the bare ring', { skip: noListen }, async t => {
  const { port, child } = await serve('examples/ring/udp-echo.js', `${await quietPort('127.0.0.1', 'udp')}`);
  t.teardown(() => child.kill('SIGKILL'));
  const socket = dgram.createSocket('udp4');
  for (let i = 0; i < 600; i++) {
    socket.send(`datagram ${i}`, port, '127.0.0.1');
    const [message] = await once(socket, 'message');
    if (String(message) !== `datagram ${i}`) t.fail(`${message} for ${i}`);
  }
  t.pass('600 came back');
  socket.close();
});

t.test('proxy forwards both ways, and says when its target is gone', async t => {
  const target = net.createServer(socket => socket.pipe(socket)).listen(await quietPort(), '127.0.0.1');
  await once(target, 'listening');
  t.teardown(() => target.close());
  const { port: targetPort } = target.address() as net.AddressInfo;
  const { port, child } = await serve('examples/proxy.js', `127.0.0.1:${targetPort}`, '0');
  t.teardown(() => child.kill());
  const data = Buffer.alloc(1 << 20, 'proxied ');
  const socket = net.connect(port, '127.0.0.1');
  socket.end(data);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part);
  t.ok(data.equals(Buffer.concat(parts)));
  target.close();
  const late = net.connect(port, '127.0.0.1').on('error', () => {});
  await new Promise(resolve => late.once('close', resolve));
});

/** A Redis server of the test's own; undefined, and said, where there is none. */
async function redis(test: {
  comment(text: string): void;
  teardown(end: () => void): void;
}): Promise<number | undefined> {
  const port = await quietPort();
  const child = spawn(
    'redis-server',
    ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--daemonize', 'no'],
    {
      stdio: 'ignore',
    },
  );
  test.teardown(() => child.kill());
  const failed = await once(child, 'spawn').then(
    () => undefined,
    error => error as Error,
  );
  if (failed !== undefined) {
    test.comment(`no redis-server: ${failed.message}`);
    return undefined;
  }
  const ended = once(child, 'exit').then(() => true);
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const up = await new Promise(resolve => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return port;
    if (await Promise.race([ended, sleep(20)])) throw new Error('redis-server has ended');
  }
}

t.test('redis-ping talks to a Redis server', async t => {
  const port = await redis(t);
  if (port === undefined) return;
  const printed = await output(process.execPath, [built('examples/redis-ping.js'), `${port}`]);
  t.match(printed, /^10000 pipelined PINGs, \d+ a second\nOK hello from the ring 1\n$/);
});

t.test('express-both-ways compares the CPU time of an app', async t => {
  const printed = await output(process.execPath, [built('examples/express-both-ways.js'), '200', '1']);
  t.match(printed, /^node:net: [\d.]+ us of CPU a request \(1\.00\)\nuasync\/register: [\d.]+ us .*\n$/);
});
