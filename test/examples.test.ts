/** The examples, run as a user would run them. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from './harness.js';
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
