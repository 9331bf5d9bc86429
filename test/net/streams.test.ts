/** Connections as streams of the web and of Node, under node:http and node:tls. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import t from 'tap';
import { sleep } from 'uasync';
import { connect } from 'uasync/net';
import { checkLeaks, scratchFolder, turns } from '../harness.js';
import { certificate, httpServer } from './node-servers.js';
import { HOST, pair, pattern, readAll, unixPair } from './sockets.js';

checkLeaks();

t.test('web streams: one connection piped through another', async t => {
  const [a, b] = await pair(t);
  const data = pattern(500_000);
  const echoing = b.readable.pipeTo(b.writable);
  const writer = a.writable.getWriter();
  const reading = new Response(a.readable as never).arrayBuffer();
  await writer.write('text, ');
  await writer.write(data);
  await writer.close();
  const echoed = Buffer.from(await reading);
  t.equal(echoed.toString('latin1', 0, 6), 'text, ');
  t.ok(data.equals(echoed.subarray(6)));
  await echoing;
  t.ok(b.closed, 'both of its streams have ended');
  await b.close();
  t.ok(a.closed);
  await a.close();
});

t.test('web streams: bytes of the caller’s own, cancel, and abort', async t => {
  const [a, b] = await pair(t);
  await a.write('own bytes');
  const reader = b.readable.getReader({ mode: 'byob' });
  const { value } = await reader.read(new Uint8Array(4));
  t.equal(String(Buffer.from(value!)), 'own ');
  await reader.cancel();
  t.notOk(b.closed, 'it can still write');
  await b.writable.abort();
  t.ok(b.closed);
  await t.rejects(a.readExactly(1), { code: /ECONNRESET|PREMATURE/ });
});

t.test('web streams: a failure of one side is its end', async t => {
  const [a, b] = await pair(t);
  const reading = t.rejects(b.readable.getReader().read(), { code: 'ECONNRESET' });
  const writer = b.writable.getWriter();
  writer.closed.catch(() => {});
  await a.reset();
  await reading;
  await t.rejects(writer.write('x'), { code: /EPIPE|ECONNRESET/ });
  t.ok(b.closed);
});

t.test('web streams: an abort ends a write that is stuck', async t => {
  const [a] = await pair(t);
  const writer = a.writable.getWriter();
  writer.closed.catch(() => {});
  const stuck = t.rejects(writer.write(Buffer.alloc(50_000_000)));
  await sleep(20);
  await writer.abort(new Error('enough'));
  await stuck;
  t.ok(a.closed);
});

t.test('toDuplex: destroyed, it gives up only what the kernel has not taken', async t => {
  const [a, b] = await pair(t);
  const duplex = b.toDuplex();
  const data = pattern(100_000);
  await new Promise<void>(done => duplex.write(data, () => done()));
  duplex.destroy();
  await sleep(10);
  t.ok(data.equals(await readAll(a)));
  const [c, d] = await pair(t);
  d.toDuplex().resetAndDestroy();
  await t.rejects(c.readExactly(1), { code: 'ECONNRESET' });
});

t.test('toDuplex: pipeline, half close and destroy', async t => {
  const [a, b] = await pair(t);
  const data = pattern(700_000);
  const duplex = b.toDuplex({ allowHalfOpen: true });
  const echoing = pipeline(duplex, duplex);
  const received = readAll(a);
  await a.write(data);
  await a.shutdown();
  t.ok(data.equals(await received));
  await echoing;
  t.ok(duplex.destroyed);
  await b.close();
  const [c, d] = await pair(t);
  const stream = d.toDuplex();
  stream.on('error', () => {});
  stream.resume();
  stream.destroy(new Error('enough'));
  await t.rejects(c.readExactly(1), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
  await d.close();
});

t.test('toDuplex: it ends when its peer does, and is destroyed, as a net.Socket', async t => {
  const [a, b] = await pair(t);
  const duplex = b.toDuplex();
  const closed = once(duplex, 'close');
  duplex.resume();
  await a.shutdown();
  t.equal(await a.read(), null, 'it has ended its side');
  await closed;
  t.ok(b.closed);
  t.throws(() => a.toDuplex(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('toDuplex: on a Unix socket what is TCP’s does nothing', async t => {
  const [a, b] = await unixPair(t);
  const duplex = a.toDuplex();
  t.equal(duplex.setNoDelay().setKeepAlive(true, 1000), duplex);
  duplex.destroy();
  await b.close();
  const [c] = await pair(t);
  const tcp = c.toDuplex().setKeepAlive(true, 1e9);
  t.equal(c.getOption(6, 4).readInt32LE(0), 32767, 'TCP_KEEPIDLE, as much as there is');
  tcp.destroy();
});

for (const path of [undefined, join(scratchFolder(), 'agent')]) {
  t.test(`http.Agent keeps our connections: ${path === undefined ? 'TCP' : 'Unix'}`, async t => {
    const sockets: net.Socket[] = [];
    const server = http.createServer((request, response) => response.end(`${request.url}`));
    server.keepAliveTimeout = 60_000;
    server.on('connection', socket => sockets.push(socket));
    server.listen(path === undefined ? { port: 0, host: HOST } : { path });
    await once(server, 'listening');
    const agent = new http.Agent({ keepAlive: true });
    const address = server.address();
    const to = typeof address === 'string' ? { path: path! } : { port: address!.port, host: HOST };
    const create = (_: unknown, done: (error: Error | null, socket?: unknown) => void): void => {
      connect(to).then(conn => done(null, conn.toDuplex()), done);
    };
    agent.createConnection = create as never;
    const get = async (url: string): Promise<string> => {
      const request = http.get({ agent, path: url, host: 'x' });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      let text = '';
      for await (const chunk of response) text += chunk;
      await turns();
      return text;
    };
    t.equal(await get('/1'), '/1');
    t.equal(await get('/2'), '/2');
    t.equal(sockets.length, 1, 'the second request had the connection of the first');
    sockets[0]!.end();
    while (Object.keys(agent.freeSockets).length !== 0) await sleep(1);
    t.equal(await get('/3'), '/3', 'the server has ended it: it is not used again');
    t.equal(sockets.length, 2);
    agent.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
}

t.test('toDuplex: a timeout is said, not acted upon', async t => {
  const [a, b] = await pair(t);
  const duplex = b.toDuplex();
  duplex.resume();
  duplex.setTimeout(10);
  await once(duplex, 'timeout');
  t.notOk(duplex.destroyed);
  duplex.setTimeout(0);
  t.equal(duplex.remotePort, (a.localAddress as { port: number }).port);
  t.equal(duplex.localFamily, 'IPv4');
  t.strictSame(duplex.address(), b.localAddress);
  duplex.setNoDelay(false).setKeepAlive(true, 5000).unref().ref();
  const closed = once(duplex, 'close');
  duplex.destroySoon();
  await closed;
  t.equal(await a.read(), null);
});

t.test('node:http serves our connections: fetch, keep-alive, pipelining, large bodies', async t => {
  const { port } = await httpServer(t, (request, response) => {
    response.setHeader('x-peer', String(request.socket.remoteAddress));
    if (request.method === 'POST') request.pipe(response);
    else response.end(`you asked for ${request.url}`);
  });
  const url = `http://${HOST}:${port}`;
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, i) => fetch(`${url}/${i}`).then(reply => reply.text())),
  );
  t.strictSame(
    replies,
    Array.from({ length: 40 }, (_, i) => `you asked for /${i}`),
  );
  const body = pattern(2_000_000);
  const echoed = await fetch(url, { method: 'POST', body: new Uint8Array(body) });
  t.equal(echoed.headers.get('x-peer'), HOST);
  t.ok(body.equals(Buffer.from(await echoed.arrayBuffer())));
  const socket = net.connect(port, HOST);
  socket.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const data of socket) text += data;
  t.match(text, /asked for \/a[\s\S]*asked for \/b/);
});

t.test('node:http ends idle and slow connections', async t => {
  const { port } = await httpServer(t, (_request, response) => response.end('x'), {
    keepAliveTimeout: 30,
    headersTimeout: 60,
    requestTimeout: 60,
    connectionsCheckingInterval: 10,
  } as http.ServerOptions);
  const idle = await connect({ port, host: HOST });
  await idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await idle.readUntil('\r\n\r\n');
  await readAll(idle).catch(() => {});
  t.pass('it was ended');
  await idle.close();
});

const own = certificate();
const noCertificate = own === null && 'openssl is not to be had';

t.test('node:tls on both ends of our connections', { skip: noCertificate }, async t => {
  const { key, cert } = own!;
  const [client, server] = await pair(t);
  const secured = new tls.TLSSocket(server.toDuplex() as never, {
    isServer: true,
    key,
    cert,
  });
  secured.on('error', () => {});
  secured.pipe(secured);
  const socket = tls.connect({ socket: client.toDuplex() as never, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const data = pattern(300_000);
  socket.end(data);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part);
  t.ok(data.equals(Buffer.concat(parts)));
  await sleep(1);
});

t.test('node:tls: an end of the one closes both', { skip: noCertificate }, async t => {
  const { key, cert } = own!;
  const [client, server] = await pair(t);
  const secured = new tls.TLSSocket(server.toDuplex() as never, { isServer: true, key, cert });
  secured.resume();
  const socket = tls.connect({ socket: client.toDuplex() as never, rejectUnauthorized: false });
  socket.resume();
  await once(socket, 'secureConnect');
  const closed = Promise.all([once(socket, 'close'), once(secured, 'close')]);
  socket.end();
  await closed;
  while (!client.closed || !server.closed) await sleep(1);
  t.pass('and their connections');
});
