/** HTTP on several threads, and their replacement without a lost request. */
import http from 'node:http';
import https from 'node:https';
import t from 'tap';
import { serveHttpOnThreads } from 'uasync/http';
import { checkLeaks } from '../harness.js';
import { certificate } from '../net/node-servers.js';

checkLeaks();

const APP = new URL('./threads-app.js', import.meta.url);

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path, agent: false }, response => {
      let text = '';
      response.on('data', chunk => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

t.test('threads serve what a module exports, and are replaced while they do', async t => {
  const server = await serveHttpOnThreads(APP, { threads: 2, http: { host: '127.0.0.1' } });
  const { port } = server.address!;
  const ids = new Set<string>();
  while (ids.size < 2) ids.add(await get(port, '/id'));
  let going = true;
  const failures: unknown[] = [];
  let count = 0;
  const asking = Array.from({ length: 4 }, async () => {
    while (going) {
      const path = `/${count++}`;
      try {
        if ((await get(port, path)) !== path) failures.push(path);
      } catch (error) {
        failures.push(error);
      }
    }
  });
  t.equal(await server.restart({ timeout: 60_000 }), 0);
  going = false;
  await Promise.all(asking);
  t.same(failures, []);
  t.ok(count > 0);
  const after = await get(port, '/id');
  t.notOk(ids.has(after), 'a new thread');
  t.equal(await server.stop({ timeout: 60_000 }), 0);
});

const own = certificate();

t.test('threads serve HTTPS', { skip: own === null && 'openssl is not installed' }, async t => {
  const { key, cert } = own!;
  const server = await serveHttpOnThreads(APP, {
    threads: 1,
    http: { host: '127.0.0.1', tls: { key, cert } },
  });
  const { port } = server.address!;
  const text = await new Promise((resolve, reject) => {
    const to = { port, host: '127.0.0.1', servername: 'localhost', path: '/x', agent: false, ca: cert };
    https.get(to, response => response.once('data', chunk => resolve(String(chunk)))).on('error', reject);
  });
  t.equal(text, '/x');
  await t.rejects(get(port, '/x'), 'nothing without TLS');
  await server.stop();
});

t.test('threads serve the application that a module exports', async t => {
  const app = new URL('./threads-hono.js', import.meta.url);
  const server = await serveHttpOnThreads(app, { threads: 1, http: { host: '127.0.0.1' } });
  t.equal(await get(server.address!.port, '/'), 'hono');
  await server.stop();
});

t.test('options of a module that threads cannot heed', async t => {
  for (const option of ['signal: new AbortController().signal', 'path: "/x"', 'fd: 0', 'reusePort: true']) {
    const module = `data:text/javascript,export default { fetch() {}, ${option} }`;
    await t.rejects(serveHttpOnThreads(module, { threads: 1 }), { code: 'ERR_INVALID_ARG_VALUE' }, option);
  }
});

t.test('what is wrong', async t => {
  await t.rejects(serveHttpOnThreads(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveHttpOnThreads(APP, { http: 1 } as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveHttpOnThreads(APP, { thread: 1 } as never), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(serveHttpOnThreads(new URL('./served.js', import.meta.url), { threads: 1 }), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  await t.rejects(serveHttpOnThreads(APP, { threads: 1, http: { maxHeaders: 0 } }), {
    code: 'ERR_OUT_OF_RANGE',
  });
});
