/** The examples of HTTP, run as a user would run them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
