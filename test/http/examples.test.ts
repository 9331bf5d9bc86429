/** The examples of HTTP, run as a user would run them. */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { WebSocket } from 'ws';
import { scratchFolder } from '../harness.js';
import { serve } from '../programs.js';

type Ending = { teardown(end: () => unknown): void };

async function example(test: Ending, name: string, ...args: string[]): Promise<string> {
  const { port, child } = await serve(`examples/http/${name}.js`, ...args);
  test.teardown(() => child.kill('SIGKILL'));
  return `http://127.0.0.1:${port}`;
}

t.test('hello, and through the proxy', async t => {
  const hello = await example(t, 'hello', '0');
  t.equal(await (await fetch(hello)).text(), 'hello, world\n');
  const proxy = await example(t, 'proxy', hello, '0');
  t.equal(await (await fetch(`${proxy}/ring`)).text(), 'hello, ring\n');
  const gone = await example(t, 'proxy', 'http://127.0.0.1:1', '0');
  t.equal((await fetch(gone)).status, 502);
});

/** Asks by node:http, which decodes nothing; a body is sent in chunks. */
async function ask(url: string, method: string, body = ''): Promise<[http.IncomingMessage, Buffer]> {
  const headers = body === '' ? {} : { 'Transfer-Encoding': 'chunked' };
  const request = http.request(url, { method, headers, agent: false }).end(body);
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  return [answer, Buffer.concat(await answer.toArray())];
}

t.test('the proxy passes everything on but what is of one connection', async t => {
  const upstream = http.createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    response.setHeader('X-Fields', JSON.stringify(request.headers));
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.setHeader('Content-Encoding', 'gzip');
    response.end(gzipSync(`${request.method} ${request.url} ${body}`));
  });
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    upstream.close();
    upstream.closeAllConnections();
  });
  const host = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const proxy = await example(t, 'proxy', `http://${host}`, '0');
  for (const method of ['POST', 'DELETE']) {
    const [answer, body] = await ask(`${proxy}/a%20b?c`, method, 'in chunks');
    t.equal(String(gunzipSync(body)), `${method} /a%20b?c in chunks`, 'nothing is decoded');
    t.same(answer.headers['set-cookie'], ['a=1', 'b=2']);
    t.match(JSON.parse(answer.headers['x-fields'] as string), { host, 'transfer-encoding': 'chunked' });
  }
  const [head, nothing] = await ask(proxy, 'HEAD');
  t.equal(head.statusCode, 200);
  t.equal(nothing.length, 0);
});

t.test('a client that goes away ends the request to the other server', async t => {
  const upstream = http.createServer();
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => upstream.close());
  const proxy = await example(
    t,
    'proxy',
    `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    '0',
  );
  const client = http.get(proxy, { agent: false }).on('error', () => {});
  const [, response] = (await once(upstream, 'request')) as [unknown, http.ServerResponse];
  client.destroy();
  await once(response, 'close');
  t.notOk(response.writableFinished);
});

t.test('json-api, and a body through the proxy', async t => {
  const api = await example(t, 'json-api', '0');
  const proxy = await example(t, 'proxy', api, '0');
  t.equal((await fetch(`${proxy}/notes/x`, { method: 'PUT', body: '{"a":1}' })).status, 204);
  t.same(await (await fetch(`${proxy}/notes/x`)).json(), { a: 1 });
  t.same(await (await fetch(`${api}/notes`)).json(), ['x']);
  t.equal((await fetch(`${api}/notes/y`)).status, 404);
});

t.test('static', async t => {
  const folder = join(scratchFolder(), 'site');
  mkdirSync(folder);
  writeFileSync(join(folder, 'index.html'), '<p>site</p>');
  const site = await example(t, 'static', folder, '0');
  const page = await fetch(site);
  t.equal(await page.text(), '<p>site</p>');
  t.equal(page.headers.get('cache-control'), 'max-age=60');
});

t.test('events', async t => {
  const events = await example(t, 'events', '0');
  t.match(await (await fetch(events)).text(), /EventSource/);
  const reply = await fetch(`${events}/events`);
  const reader = reply.body!.getReader();
  const { value } = await reader.read();
  t.match(Buffer.from(value!).toString(), /^data: \d{4}-/);
  await reader.cancel();
});

t.test('chat', async t => {
  const chat = await example(t, 'chat', '0');
  t.match(await (await fetch(chat)).text(), /WebSocket/);
  const clients = await Promise.all(
    [1, 2].map(async () => {
      const client = new WebSocket(chat.replace('http', 'ws'));
      await new Promise(resolve => client.on('open', resolve));
      return client;
    }),
  );
  const heard = Promise.all(
    clients.map(client => new Promise(resolve => client.on('message', data => resolve(String(data))))),
  );
  clients[0]!.send('hello');
  t.same(await heard, ['hello', 'hello']);
  for (const client of clients) client.terminate();
});
