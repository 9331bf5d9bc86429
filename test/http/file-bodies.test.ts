/** Responses with files that are not sent as they are: middlewares read them, and pass their bodies on. */
import { writeFileSync } from 'node:fs';
import { open as nodeOpen } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { etag } from 'hono/etag';
import t from 'tap';
import { type Answer, file, Response as OwnResponse, serveStatic } from 'uasync/http';
import { checkLeaks, openFds, scratchFolder, until } from '../harness.js';
import { pattern } from '../net/sockets.js';
import { answersIn, type RawAnswer, served, talk } from './served.js';

checkLeaks();

const folder = scratchFolder();
const small = pattern(1000);
const large = pattern(300_000);
const SMALL = join(folder, 'small.txt');
const LARGE = join(folder, 'large.bin');
writeFileSync(SMALL, small);
writeFileSync(LARGE, large);
const ASKED = 'http://a/small.txt';

async function ask(
  server: Awaited<ReturnType<typeof served>>,
  path: string,
  headers = '',
): Promise<RawAnswer> {
  const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`;
  return answersIn(await talk(server, [request]))[0]!;
}

// biome-ignore lint/suspicious/noExplicitAny: both classes are called alike
const classes: [string, any][] = [
  ['own', OwnResponse],
  ['platform', Response],
];

for (const [name, Class] of classes) {
  t.test(`the body of a file as that of another response, of the ${name} class`, async t => {
    const files = serveStatic(folder);
    const ways: Record<string, () => Answer | Promise<Answer>> = {
      '/file': () => new OwnResponse(file(SMALL), { headers: { 'X-A': '1' } }),
      '/static': () => files(new Request(ASKED)),
    };
    const server = await served(t, async request => {
      const answer = await ways[new URL(request.url).pathname]!();
      answer.headers.set('x-b', '2');
      return new Class(answer.body, answer);
    });
    for (const path of ['/file', '/static']) {
      const whole = await ask(server, path);
      t.equal(whole.status, 200);
      t.same(Buffer.from(whole.body, 'latin1'), small);
      t.match(whole.headers.get('content-type'), /^text\/plain/);
      t.equal(whole.headers.get('x-b'), '2');
      const part = await ask(server, path, 'Range: bytes=1-3\r\n');
      t.equal(part.status, 206);
      t.same(Buffer.from(part.body, 'latin1'), small.subarray(1, 4));
      const known = `If-None-Match: ${whole.headers.get('etag')}\r\n`;
      t.equal((await ask(server, path, known)).status, 304);
    }
  });
}

t.test('a response with a file is read, and cloned', async t => {
  const made = (): OwnResponse => new OwnResponse(file(LARGE));
  t.same(Buffer.from(await made().bytes()), large);
  t.same(Buffer.from(await made().arrayBuffer()), large);
  t.equal(await new OwnResponse(file(SMALL)).text(), small.toString());
  const pieces: Uint8Array[] = [];
  for await (const piece of made().body!) pieces.push(piece as Uint8Array);
  t.same(Buffer.concat(pieces), large);
  const response = made();
  const clone = response.clone();
  t.same(Buffer.from(await clone.bytes()), large);
  t.equal(response.bodyUsed, false);
  t.same(Buffer.from(await response.bytes()), large);
  await t.rejects(response.bytes(), { code: 'ERR_INVALID_STATE' });
  const handle = await nodeOpen(LARGE);
  t.same(Buffer.from(await new OwnResponse(file(handle as never)).bytes()), large);
  await handle.close();
  // What is not read to its end is closed.
  const reader = made().body!.getReader();
  await reader.read();
  await reader.cancel();
  for (const path of [join(folder, 'nope'), folder])
    await t.rejects(new OwnResponse(file(path)).bytes(), { code: 'ERR_HTTP_FILE', status: 404 });
});

t.test('the platform’s Response takes a file as well', async t => {
  const server = await served(t, () => new Response(file(LARGE) as never));
  t.same(Buffer.from((await ask(server, '/')).body, 'latin1'), large);
});

t.test('middlewares of Hono', async t => {
  const app = new Hono();
  app.use('/cors/*', cors());
  app.use('/etag/*', etag());
  for (const prefix of ['/cors', '/etag']) {
    const files = serveStatic(folder, { prefix });
    app.get(`${prefix}/*`, c => files(c.req.raw) as unknown as Promise<Response>);
  }
  const server = await served(t, app.fetch as never);
  for (const prefix of ['/cors', '/etag']) {
    const { status, body, headers } = await ask(server, `${prefix}/large.bin`);
    t.equal(status, 200, prefix);
    t.same(Buffer.from(body, 'latin1'), large);
    const known = `If-None-Match: ${headers.get('etag')}\r\n`;
    t.equal((await ask(server, `${prefix}/large.bin`, known)).status, 304);
  }
});

t.test('files of answers that are dropped do not stay open', async t => {
  const files = serveStatic(folder);
  const before = openFds();
  const answers: OwnResponse[] = [];
  for (let i = 0; i < 100; i++) answers.push(await files(new Request(ASKED)));
  await until(() => openFds() <= before + 64);
  // Both the one that was closed and the one that is open are sent.
  const server = await served(t, request => (request.url.endsWith('/first') ? answers[0]! : answers[99]!));
  for (const path of ['/first', '/last']) {
    const { status, body } = await ask(server, path);
    t.equal(status, 200);
    t.same(Buffer.from(body, 'latin1'), small);
  }
});
