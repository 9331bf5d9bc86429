/** Servers of `node:http` on the loop: frameworks, timeouts, and the end. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { createRequire } from 'node:module';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import express from 'express';
import fastify from 'fastify';
import t from 'tap';
import { loop } from 'uasync';
import { type NodeServer, type ServeNodeOptions, serveNode } from 'uasync/http';
import { checkLeaks, scratchFolder, standstill, until, whenClosed } from '../harness.js';
import { certificate } from '../net/node-servers.js';
import { ROOT } from '../programs.js';
import { answersIn, type Ending, HOST, Peer } from './served.js';

checkLeaks();

const folder = scratchFolder();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

async function listening(
  test: Ending,
  server: http.Server,
  options: ServeNodeOptions = { host: HOST },
): Promise<NodeServer> {
  const made = await serveNode(server, options);
  test.teardown(async () => {
    await made.stop({ timeout: 0 });
  });
  return made;
}

/** The class of a socket's handle. */
function handleOf(socket: net.Socket | net.Server): string {
  return (socket as unknown as { _handle: object })._handle.constructor.name;
}

t.test('Express', async t => {
  const app = express();
  app.use(express.json());
  app.get('/users/:id', (request, response) => {
    response.json({ id: request.params.id, ip: request.ip, handle: handleOf(request.socket) });
  });
  app.post('/sum', (request, response) => {
    response.status(201).json(request.body.reduce((sum: number, one: number) => sum + one, 0));
  });
  app.use('/files', express.static(folder));
  app.get('/throws', () => {
    throw Object.assign(new Error('thrown'), { status: 418, expose: true });
  });
  app.use(((error, _request, response, _next) => {
    response.status(error.status).send(error.message);
  }) as express.ErrorRequestHandler);
  const large = Buffer.alloc(3 << 20, 'large');
  writeFileSync(join(folder, 'large.txt'), large);

  const server = await listening(t, http.createServer(app));
  const at = (path: string): URL => new URL(path, server.url);
  t.same(await (await fetch(at('/users/7'))).json(), { id: '7', ip: HOST, handle: 'TcpHandle' });
  const headers = { 'Content-Type': 'application/json' };
  const posted = await fetch(at('/sum'), { method: 'POST', body: '[1, 2, 39]', headers });
  t.same([posted.status, await posted.json()], [201, 42]);
  const wrong = await fetch(at('/sum'), { method: 'POST', body: '[1,', headers });
  t.equal(wrong.status, 400);
  await wrong.text();
  const file = Buffer.from(await (await fetch(at('/files/large.txt'))).arrayBuffer());
  t.ok(file.equals(large));
  const part = await fetch(at('/files/large.txt'), { headers: { Range: 'bytes=5-9' } });
  t.same([part.status, await part.text()], [206, 'large']);
  const thrown = await fetch(at('/throws'));
  t.same([thrown.status, await thrown.text()], [418, 'thrown']);
});

t.test('Fastify', async t => {
  const app = fastify();
  t.teardown(() => app.close());
  app.get('/users/:id', async request => ({
    id: (request.params as { id: string }).id,
    ip: request.ip,
    handle: handleOf(request.raw.socket),
  }));
  app.post('/echo', { bodyLimit: 4 << 20 }, async (request, reply) => reply.code(201).send(request.body));
  await app.ready();
  const server = await listening(t, app.server);
  const at = (path: string): URL => new URL(path, server.url);
  t.same(await (await fetch(at('/users/7'))).json(), { id: '7', ip: HOST, handle: 'TcpHandle' });
  const body = JSON.stringify(Array.from({ length: 200_000 }, (_, i) => i));
  const posted = await fetch(at('/echo'), {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json' },
  });
  t.equal(posted.status, 201);
  t.equal(await posted.text(), body);
  t.equal((await fetch(at('/none'))).status, 404);
});

/** What is used of Koa, which has no types of its own. */
interface KoaApp {
  use(handler: (context: { path: string; ip: string; body: unknown }) => Promise<void>): void;
  callback(): http.RequestListener;
}

t.test('Koa', async t => {
  const Koa = createRequire(import.meta.url)('koa') as new () => KoaApp;
  const app = new Koa();
  app.use(async context => {
    context.body = context.path === '/stream' ? createReadStream(join(folder, 'large.txt')) : context.ip;
  });
  const server = await listening(t, http.createServer(app.callback()));
  t.equal(await (await fetch(server.url)).text(), HOST);
  t.equal((await (await fetch(new URL('/stream', server.url))).arrayBuffer()).byteLength, 3 << 20);
});

t.test('headersTimeout and requestTimeout', async t => {
  const server = await listening(
    t,
    http.createServer(
      { headersTimeout: 40, requestTimeout: 120, connectionsCheckingInterval: 10 },
      (request, response) => request.resume().on('end', () => response.end('whole')),
    ),
  );
  for (const request of [
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx',
  ]) {
    const peer = await Peer.connect(server);
    peer.send(request);
    t.equal(answersIn(await peer.whole())[0]!.status, 408);
    peer.close();
  }
});

t.test('keepAliveTimeout, closeIdleConnections and closeAllConnections', async t => {
  const stock = http.createServer((request, response) => {
    if (request.url === '/') response.end('x');
  });
  const server = await listening(t, stock);
  const [idle, busy] = await Promise.all([Peer.connect(server), Peer.connect(server)]);
  const asked = once(stock, 'request');
  busy.send('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
  await asked;
  idle.send(GET);
  await idle.until(received => received.endsWith('x'));
  stock.closeIdleConnections();
  await idle.whole();
  t.equal(busy.ended, false);
  stock.closeAllConnections();
  t.equal(await busy.whole(), '');
  for (const peer of [idle, busy]) peer.close();

  stock.keepAliveTimeout = 1;
  const kept = await Peer.connect(server);
  kept.send(GET);
  t.match(await kept.whole(), /x$/);
  kept.close();
});

t.test('stop: what is silent or idle ends, what is asked is answered', async t => {
  const responses = new Map<string, http.ServerResponse>();
  const stock = http.createServer((request, response) => {
    responses.set(request.url!, response);
    if (request.url === '/begun') response.write('be');
    if (request.url === '/') response.end('x');
  });
  const server = await listening(t, stock);
  const [silent, idle, asked, begun] = (await Promise.all(
    Array.from({ length: 4 }, () => Peer.connect(server)),
  )) as [Peer, Peer, Peer, Peer];
  idle.send(GET);
  await idle.until(received => received.endsWith('x'));
  asked.send(GET.replace('/ ', '/asked '));
  begun.send(GET.replace('/ ', '/begun '));
  await begun.until(received => received.includes('be'));
  await until(() => responses.has('/asked'));
  let closed = false;
  void server.closed.then(() => {
    closed = true;
  });
  const stopping = server.stop();
  await silent.whole();
  await idle.whole();
  await t.rejects(Peer.connect(server), { code: 'ECONNREFUSED' });
  t.equal(closed, false);
  responses.get('/asked')!.end('answered');
  responses.get('/begun')!.end('gun');
  const [answer] = answersIn(await asked.whole());
  t.same([answer!.body, answer!.headers.get('connection')], ['answered', 'close']);
  t.equal(answersIn(await begun.whole())[0]!.body, 'begun');
  t.equal(await stopping, 0);
  await server.closed;
  t.equal(stock.listening, false);
  for (const peer of [silent, idle, asked, begun]) peer.close();
});

t.test('stop waits for answers that are complete but not sent', async t => {
  // More than the kernel takes.
  const large = Buffer.alloc(24 << 20, 'a');
  const responses = new Map<string, http.ServerResponse>();
  const stock = http.createServer((request, response) => {
    responses.set(request.url!, response);
    if (request.url!.startsWith('/large')) response.end(large);
    if (request.url === '/begun') response.write('be');
  });
  const server = await listening(t, stock);
  const [slow, pipelining, other] = (await Promise.all(
    Array.from({ length: 3 }, () => Peer.connect(server)),
  )) as [Peer, Peer, Peer];
  slow.socket.pause();
  pipelining.socket.pause();
  slow.send(GET.replace('/ ', '/large '));
  pipelining.send(GET.replace('/ ', '/large-first ') + GET.replace('/ ', '/behind '));
  other.send(GET.replace('/ ', '/begun '));
  await until(() => responses.size === 4);
  for (const path of ['/large', '/behind']) {
    const { socket } = responses.get(path)!.req;
    await standstill(() => socket.writableLength);
    t.ok(socket.writableLength > 0);
  }

  const stopping = server.stop({ timeout: 60_000 });
  responses.get('/begun')!.end('gun');
  await other.whole();
  responses.get('/behind')!.end('behind');
  slow.socket.resume();
  pipelining.socket.resume();
  const [answer, ...more] = answersIn(await slow.whole());
  t.same([answer!.body.length, more.length], [large.length, 0]);
  t.same(
    answersIn(await pipelining.whole()).map(({ body }) => body.length),
    [large.length, 'behind'.length],
  );
  t.equal(await stopping, 0);
  for (const peer of [slow, other, pipelining]) peer.close();
});

t.test('stop answers pipelined requests, and closes after the last', async t => {
  const responses = new Map<string, http.ServerResponse>();
  const stock = http.createServer((request, response) => responses.set(request.url!, response));
  const server = await listening(t, stock);
  const peer = await Peer.connect(server);
  peer.send(GET.replace('/ ', '/a ') + GET.replace('/ ', '/b '));
  await until(() => responses.has('/b'));
  const stopping = server.stop({ timeout: 60_000 });
  peer.send(GET.replace('/ ', '/c '));
  await until(() => responses.has('/c'));
  for (const path of ['/b', '/a', '/c']) responses.get(path)!.end(path);
  t.same(
    answersIn(await peer.whole()).map(({ body, headers }) => [body, headers.get('connection')]),
    [
      ['/a', 'keep-alive'],
      ['/b', 'keep-alive'],
      ['/c', 'close'],
    ],
  );
  t.equal(await stopping, 0);
  peer.close();
});

t.test('stop closes what becomes idle without an answer', async t => {
  const stock = http.createServer((_request, response) => response.end('early'));
  const server = await listening(t, stock);
  const peer = await Peer.connect(server);
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n');
  await peer.until(received => received.endsWith('early'));
  const stopping = server.stop({ timeout: 60_000 });
  peer.send('body');
  await peer.whole();
  t.equal(await stopping, 0);
  peer.close();
});

t.test('stop waits for heads that have begun, up to headersTimeout', async t => {
  const stock = http.createServer({ connectionsCheckingInterval: 1 << 30, headersTimeout: 60_000 });
  stock.on('checkContinue', (_request, response) => response.end('checked'));
  const server = await listening(t, stock);
  const sockets: net.Socket[] = [];
  stock.on('connection', socket => sockets.push(socket));
  const [whole, half] = await Promise.all([Peer.connect(server), Peer.connect(server)]);
  for (const peer of [whole, half]) peer.send('GET / HTTP/1.1\r\nHost: a\r\n');
  await until(() => sockets.length === 2 && sockets.every(({ bytesRead }) => bytesRead > 0));
  const stopping = server.stop({ timeout: 60_000 });
  whole.send('Expect: 100-continue\r\n\r\n');
  const [answer] = answersIn(await whole.whole());
  t.same([answer!.body, answer!.headers.get('connection')], ['checked', 'close']);
  t.equal(half.ended, false);
  stock.headersTimeout = 1;
  t.equal(await half.whole(), '');
  t.equal(await stopping, 0);
  for (const peer of [whole, half]) peer.close();
});

t.test('stop({ timeout }) cuts what is left; close() and a signal stop, too', async t => {
  const stock = http.createServer(() => {});
  stock.on('upgrade', (_request, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  const server = await listening(t, stock);
  const asked = once(stock, 'request');
  const [peer, upgraded] = await Promise.all([Peer.connect(server), Peer.connect(server)]);
  peer.send(GET);
  upgraded.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
  await asked;
  await upgraded.until(received => received.endsWith('\r\n\r\n'));
  t.equal(await server.stop({ timeout: 10 }), 2);
  t.equal(await peer.whole(), '');
  await upgraded.whole();
  for (const one of [peer, upgraded]) one.close();
  await t.rejects(server.stop({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });

  // It can listen again.
  const again = await listening(t, stock);
  stock.close();
  await again.closed;
  t.equal(await again.stop(), 0);
  const second = await listening(t, stock);
  stock.close();
  await second.closed;

  const controller = new AbortController();
  const third = await listening(t, stock, { host: HOST, signal: controller.signal });
  t.equal(await second.stop(), 0);
  t.equal(stock.listening, true);
  controller.abort();
  await third.closed;
  await t.rejects(serveNode(stock, { signal: controller.signal }), { name: 'AbortError' });
});

t.test('it ends when the loop is closed', async t => {
  const stock = http.createServer((request, response) => {
    if (request.url === '/') response.end('x');
  });
  const server = await listening(t, stock);
  const [idle, busy] = await Promise.all([Peer.connect(server), Peer.connect(server)]);
  idle.send(GET);
  await idle.until(received => received.endsWith('x'));
  const asked = once(stock, 'request');
  busy.send(GET.replace('/ ', '/never '));
  await asked;
  loop().close();
  await server.closed;
  await Promise.all([idle.whole(), busy.whole()]);
  await t.rejects(Peer.connect(server), { code: 'ECONNREFUSED' });
  t.equal(await server.stop(), 1);
  for (const peer of [idle, busy]) peer.close();

  const again = await listening(t, stock);
  t.equal(await (await fetch(again.url)).text(), 'x');
});

t.test('options of listen', async t => {
  const stock = (): http.Server =>
    http.createServer((request, response) => response.end(handleOf(request.socket)));
  const path = join(folder, 'socket');
  const unix = await listening(t, stock(), { path });
  t.same([unix.address, unix.server.address(), unix.url.href], [{ path }, path, 'http://localhost/']);
  const peer = await Peer.connect(unix);
  peer.send(LAST);
  t.equal(answersIn(await peer.whole())[0]!.body, 'PipeHandle');
  peer.close();
  await unix.stop();
  t.equal(existsSync(path), false);

  const first = await listening(t, stock(), { host: HOST, reusePort: true });
  const { port } = first.address as net.AddressInfo;
  const second = await listening(t, stock(), { host: HOST, port, reusePort: true });
  t.same(second.address, first.address);
  await t.rejects(serveNode(stock(), { host: HOST, port }), { code: 'EADDRINUSE', syscall: 'listen', port });

  await t.rejects(serveNode(first.server), { code: 'ERR_SERVER_ALREADY_LISTEN' });
  await t.rejects(serveNode({} as http.Server), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveNode(stock(), { maxConnections: 1 } as ServeNodeOptions), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
  const twice = stock();
  const results = await Promise.allSettled([listening(t, twice), serveNode(twice)]);
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
});

const own = certificate();
const noOpenssl = own === null && 'openssl is not installed';

t.test('https stays with the native handles that its TLS needs', { skip: noOpenssl }, async t => {
  const stock = https.createServer({ key: own!.key, cert: own!.cert }, (request, response) =>
    response.end(request.socket.remoteAddress),
  );
  const server = await listening(t, stock);
  t.equal(server.url.protocol, 'https:');
  const request = https.get({ host: HOST, port: server.url.port, rejectUnauthorized: false, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  t.equal(body, HOST);
  t.equal(await server.stop(), 0);
});

t.test(
  'stop of https: what is silent or shakes hands ends, what is asked is answered',
  { skip: noOpenssl },
  async t => {
    const responses: http.ServerResponse[] = [];
    const stock = https.createServer({ key: own!.key, cert: own!.cert }, (_request, response) => {
      responses.push(response);
    });
    const server = await listening(t, stock);
    const raw: net.Socket[] = [];
    stock.on('connection', socket => raw.push(socket as net.Socket));
    let secured = 0;
    stock.on('secureConnection', () => secured++);
    const { port } = server.address as net.AddressInfo;
    const connect = (): tls.TLSSocket => tls.connect({ port, host: HOST, rejectUnauthorized: false });
    const [idle, asked] = [connect(), connect()];
    const shaking = net.connect(port, HOST);
    for (const socket of [idle, shaking]) socket.resume().on('error', () => {});
    const closed = Promise.all([idle, shaking].map(whenClosed));
    shaking.write(Buffer.from([22, 3, 1]));
    asked.write(GET);
    await until(() => secured === 2 && responses.length === 1 && raw.length === 3);
    await until(() => raw.every(({ bytesRead, destroyed }) => bytesRead > 0 || destroyed));
    const stopping = server.stop({ timeout: 60_000 });
    await closed;
    responses[0]!.end('answered');
    let received = '';
    for await (const chunk of asked.setEncoding('latin1')) received += chunk;
    const [answer] = answersIn(received);
    t.same([answer!.body, answer!.headers.get('connection')], ['answered', 'close']);
    t.equal(await stopping, 0);
  },
);

t.test('stop of http2 ends sessions after their streams', async t => {
  const streams: http2.ServerHttp2Stream[] = [];
  const stock = http2.createServer().on('stream', stream => streams.push(stream));
  const server = await listening(t, stock as unknown as http.Server);
  const [idle, asked] = [http2.connect(server.url), http2.connect(server.url)];
  const closed = [idle, asked].map(session => once(session, 'close'));
  const request = asked.request({ ':path': '/' });
  await Promise.all([once(idle, 'remoteSettings'), until(() => streams.length === 1)]);
  const stopping = server.stop({ timeout: 60_000 });
  await closed[0];
  streams[0]!.end('answered');
  let body = '';
  for await (const chunk of request.setEncoding('latin1')) body += chunk;
  t.equal(body, 'answered');
  await closed[1];
  t.equal(await stopping, 0);
});

/** What a program prints, and how it ends. */
async function run(program: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const file = join(folder, `program-${Math.random()}.mjs`);
  writeFileSync(file, program.replaceAll("'uasync/http'", `'${ROOT}dist/src/http/index.js'`));
  const { NODE_OPTIONS, ...env } = process.env;
  return new Promise(resolve => {
    execFile(process.execPath, [file], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

t.test('a handler that throws or rejects does what it does in stock Node', async t => {
  const program = (listen: string, path: string, handled: boolean): string => `
    import http from 'node:http';
import http2 from 'node:http2';
    import { serveNode } from 'uasync/http';
    let asked;
    const onError = name => process.on(name, error => {
      console.log(name, error.message);
      asked.destroy();
    });
    ${handled ? "onError('uncaughtException'); onError('unhandledRejection');" : ''}
    const server = http.createServer((request, response) => {
      if (request.url === '/throws') throw new Error('thrown');
      if (request.url === '/rejects') return Promise.reject(new Error('rejected'));
      response.end('good');
    });
    ${listen};
    const { port } = server.address();
    const get = path => new Promise(resolve => {
      asked = http.get({ port, path, host: '${HOST}', agent: false }, response => {
        response.resume().on('end', () => resolve(response.statusCode));
      }).on('error', error => resolve(error.code));
    });
    console.log(await get('${path}'), await get('/rejects'), await get('/good'));
    server.closeAllConnections();
    server.close();
  `;
  const stock = `await new Promise(resolve => server.listen(0, '${HOST}', resolve))`;
  const ours = `await serveNode(server, { host: '${HOST}' })`;
  const [theirs, mine, thrown, rejected] = await Promise.all([
    run(program(stock, '/throws', true)),
    run(program(ours, '/throws', true)),
    run(program(ours, '/throws', false)),
    run(program(ours, '/rejects', false)),
  ]);
  t.same(mine, theirs);
  t.equal(
    theirs.stdout,
    'uncaughtException thrown\nunhandledRejection rejected\nECONNRESET ECONNRESET 200\n',
  );
  t.equal(thrown.code, 1);
  t.match(thrown.stderr, 'Error: thrown');
  t.equal(rejected.code, 1);
  t.match(rejected.stderr, 'Error: rejected');
});

t.test('in a worker thread, and in workers of a cluster', async t => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    const http = require('node:http');
    import(workerData).then(async ({ serveNode }) => {
      const server = await serveNode(http.createServer((_, response) => response.end('worker')), { host: '${HOST}' });
      parentPort.postMessage(server.url.href);
      parentPort.once('message', () => server.stop());
    });`,
    { eval: true, workerData: `${ROOT}dist/src/http/index.js` },
  );
  const [url] = (await once(worker, 'message')) as [string];
  t.equal(await (await fetch(url)).text(), 'worker');
  worker.postMessage('stop');
  t.same(await once(worker, 'exit'), [0]);

  const { code, stdout, stderr } = await run(`
    import cluster from 'node:cluster';
    import http from 'node:http';
import http2 from 'node:http2';
    import { serveNode } from 'uasync/http';
    if (cluster.isPrimary) {
      const workers = [cluster.fork(), cluster.fork()];
      const urls = await Promise.all(workers.map(worker => new Promise(resolve => worker.once('message', resolve))));
      const answers = await Promise.all(urls.map(async url => (await fetch(url)).text()));
      console.log(answers.join());
      const exits = workers.map(worker => new Promise(resolve => worker.once('exit', resolve)));
      cluster.disconnect();
      console.log((await Promise.all(exits)).join());
    } else {
      const server = await serveNode(http.createServer((_, response) => response.end('worker')), { host: '${HOST}' });
      process.send(server.url.href);
    }
  `);
  t.same([code, stdout, stderr], [0, 'worker,worker\n0,0\n', '']);
});

t.test('a socket that another process has too is not shut down', async t => {
  const { code, stdout, stderr } = await run(`
    import { spawn } from 'node:child_process';
    import http from 'node:http';
    import net from 'node:net';
    import { serveNode } from 'uasync/http';
    if (process.argv[2] === 'child') {
      const server = await serveNode(http.createServer(), { fd: 3 });
      console.log('listening');
      await server.stop();
    } else {
      const server = net.createServer(socket => socket.end('parent')).listen(0, '${HOST}', async () => {
        const child = spawn(process.execPath, [process.argv[1], 'child'], {
          stdio: ['ignore', 'inherit', 'inherit', server._handle],
        });
        await new Promise(resolve => child.once('exit', resolve));
        const socket = net.connect(server.address().port, '${HOST}');
        socket.on('data', data => console.log(String(data)));
        socket.on('close', () => server.close());
      });
    }
  `);
  t.same([code, stdout, stderr], [0, 'listening\nparent\n', '']);
});
