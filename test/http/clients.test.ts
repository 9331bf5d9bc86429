/** Real clients: curl, undici, fetch and node:http. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { Response, serveStatic } from 'uasync/http';
import { Pool } from 'undici';
import { decodesZstd } from '../../src/http/message/fetched.js';
import { checkLeaks, scratchFolder } from '../harness.js';
import { pattern } from '../net/sockets.js';
import { served } from './served.js';

checkLeaks();

const run = promisify(execFile);
const folder = scratchFolder();
const noCurl = spawnSync('curl', ['--version']).error !== undefined && 'curl is not installed';
const large = pattern(5 << 20);
const digest = createHash('sha256').update(large).digest('hex');
writeFileSync(join(folder, 'large'), large);

async function hash(request: Request): Promise<string> {
  const all = createHash('sha256');
  for await (const chunk of request.body!) all.update(chunk);
  return all.digest('hex');
}

const handler = async (request: Request): Promise<Response> => {
  const files = serveStatic(folder);
  if (request.method === 'POST')
    return new Response(await hash(request)) as unknown as globalThis.Response as never;
  if (request.method === 'PUT') return new Response(request.body) as never;
  if (new URL(request.url).pathname === '/large') return (await files(request)) as never;
  return new Response(new URL(request.url).pathname) as never;
};

t.test('a handler that returns what it fetches: the body is decoded, and its headers say so', async t => {
  const text = 'text '.repeat(100);
  const packed: Record<string, Buffer> = {
    gzip: gzipSync(text),
    br: brotliCompressSync(text),
    'x-own': large,
  };
  const source = http.createServer((request, response) => {
    const coding = request.url!.slice(1);
    const bytes = packed[coding]!;
    response
      .writeHead(200, { 'Content-Encoding': coding, 'Content-Length': bytes.length, ETag: '"x"' })
      .end(bytes);
  });
  await new Promise<void>(resolve => source.listen(0, '127.0.0.1', resolve));
  const { port } = source.address() as AddressInfo;
  const server = await served(t, async ({ url, method }) =>
    fetch(`http://127.0.0.1:${port}${new URL(url).pathname}`, { method }),
  );
  for (const [coding, bytes] of Object.entries(packed)) {
    const isKnown = coding !== 'x-own';
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) =>
      http.get(new URL(coding, server.url), { agent: false }, resolve).on('error', reject),
    );
    const { headers } = answer;
    t.equal(headers['content-encoding'], isKnown ? undefined : coding);
    t.equal(headers.etag, '"x"');
    t.ok(Buffer.concat(await answer.toArray()).equals(isKnown ? Buffer.from(text) : bytes), coding);
    const head = await fetch(new URL(coding, server.url), { method: 'HEAD' });
    t.equal(head.headers.get('content-length'), String(bytes.length), 'nothing was decoded');
  }
  source.close();
  source.closeAllConnections();
});

t.test('which versions of fetch decode zstd', t => {
  t.strictSame(['6.28.1', '7.8.0', '7.10.0', undefined].map(decodesZstd), [false, false, false, false]);
  t.strictSame(['7.11.0', '7.29.1', '8.0.0'].map(decodesZstd), [true, true, true]);
  t.end();
});

t.test('curl', { skip: noCurl }, async t => {
  const server = await served(t, handler as never, { maxBodySize: 1 << 30 });
  const curl = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('curl', ['--silent', '--show-error', '--max-time', '100', ...args], {
      maxBuffer: 1 << 26,
      encoding: 'latin1',
    });
    return stdout;
  };
  const url = server.url.href;
  t.match(await curl('-i', `${url}x`), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n\/x$/);
  t.equal(await curl(`${url}a`, `${url}b`, `${url}c`), '/a/b/c');
  t.equal(await curl('-0', `${url}old`), '/old');
  t.equal(await curl('--data-binary', `@${join(folder, 'large')}`, url), digest, 'with Expect: 100-continue');
  t.equal(
    await curl('-H', 'Transfer-Encoding: chunked', '--data-binary', `@${join(folder, 'large')}`, url),
    digest,
  );
  t.equal(
    createHash('sha256')
      .update(Buffer.from(await curl('-T', join(folder, 'large'), url), 'latin1'))
      .digest('hex'),
    digest,
    'there and back',
  );
  t.match(await curl('-I', `${url}large`), new RegExp(`content-length: ${large.length}`));
  t.equal(await curl('-r', '10-19', `${url}large`), large.toString('latin1', 10, 20));
  t.equal(Buffer.from(await curl(`${url}large`), 'latin1').equals(large), true);
});

t.test('undici, pipelining', async t => {
  const server = await served(t, handler as never);
  const pool = new Pool(server.url.origin, { connections: 2, pipelining: 8 });
  const paths = Array.from({ length: 100 }, (_, i) => `/${i}`);
  const bodies = await Promise.all(
    paths.map(async path => (await pool.request({ path, method: 'GET' })).body.text()),
  );
  t.same(bodies, paths);
  t.equal(server.stats().accepted, 2);
  const { body } = await pool.request({ path: '/', method: 'POST', body: large });
  t.equal(await body.text(), digest);
  await pool.close();
});

t.test('fetch, streaming both ways', async t => {
  const server = await served(t, handler as never);
  const source = new ReadableStream({
    start(controller) {
      for (let at = 0; at < large.length; at += 100_000)
        controller.enqueue(new Uint8Array(large.subarray(at, at + 100_000)));
      controller.close();
    },
  });
  const reply = await fetch(server.url, { method: 'PUT', body: source, duplex: 'half' } as RequestInit);
  t.equal(
    createHash('sha256')
      .update(Buffer.from(await reply.arrayBuffer()))
      .digest('hex'),
    digest,
  );
  const controller = new AbortController();
  const aborted = fetch(new URL('/large', server.url), { signal: controller.signal }).then(reply => {
    controller.abort();
    return reply.text();
  });
  await t.rejects(aborted, { name: 'AbortError' });
});

t.test('node:http with an agent', async t => {
  const server = await served(t, handler as never);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 20; i++) {
    const body = await new Promise((resolve, reject) => {
      const request = http.request(
        new URL(`/${i}`, server.url),
        { agent, method: i % 2 === 0 ? 'GET' : 'POST' },
        response => {
          let text = '';
          response.on('data', chunk => {
            text += chunk;
          });
          response.on('end', () => resolve(text));
        },
      );
      request.on('error', reject);
      request.end(i % 2 === 0 ? undefined : `${i}`);
    });
    t.equal(body, i % 2 === 0 ? `/${i}` : createHash('sha256').update(`${i}`).digest('hex'));
  }
  t.equal(server.stats().accepted, 1);
  agent.destroy();
});
