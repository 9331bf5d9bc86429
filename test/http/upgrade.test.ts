/** Connections that change protocol, and TLS. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import t from 'tap';
import { file, Response, type Server, serve } from 'uasync/http';
import { WebSocket, WebSocketServer } from 'ws';
import { checkLeaks, scratchFolder, until } from '../harness.js';
import { certificate } from '../net/node-servers.js';
import { answersIn, HOST, Peer, portOf, served } from './served.js';

checkLeaks();

const folder = scratchFolder();
const own = certificate();
const noOpenssl = own === null && 'openssl is not installed';

const UPGRADE = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';

t.test('upgrade gives the connection, and the bytes behind the head', async t => {
  const server = await served(t, async (_request, info) => {
    const { connection, head } = await info.upgrade();
    await connection.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${head}`);
    for await (const chunk of connection) await connection.write(chunk);
    return new Response('is not looked at');
  });
  const peer = await Peer.connect(server);
  peer.send(`${UPGRADE}first `);
  await peer.until(received => received.endsWith('first '));
  peer.send('second');
  await peer.until(received => received.endsWith('second'));
  t.match(peer.received, /^HTTP\/1\.1 101 [^\r]*\r\n\r\nfirst second$/);
  t.match(server.stats(), { upgraded: 1, connections: 0 });
  peer.socket.end();
  await peer.whole();
  peer.close();
});

t.test('what cannot be upgraded', async t => {
  const codes: unknown[] = [];
  const server = await served(t, async (_request, info) => {
    codes.push(await info.upgrade().catch(error => error.code));
    return new Response('x');
  });
  const peer = await Peer.connect(server);
  peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await peer.until(received => received.endsWith('x'));
  peer.send(UPGRADE.replace('\r\n\r\n', '\r\nContent-Length: 1\r\n\r\n'));
  await until(() => codes.length === 2);
  peer.send('y');
  await peer.until(received => answersIn(received).length === 2);
  peer.send(UPGRADE.replace('1.1', '1.0'));
  await peer.whole();
  t.same(codes, ['ERR_INVALID_STATE', 'ERR_INVALID_STATE', 'ERR_INVALID_STATE']);
  peer.close();
});

t.test('what a peer that has ended its side has asked for cannot be upgraded', async t => {
  let code: unknown;
  const server = await served(t, async (request, info) => {
    await new Promise<void>(resolve => {
      request.signal.addEventListener('abort', () => resolve());
    });
    code = await info.upgrade().catch(error => error.code);
    return new Response('x');
  });
  const peer = await Peer.connect(server);
  peer.send(UPGRADE);
  await until(() => server.stats().active === 1);
  peer.socket.end();
  const [answer] = answersIn(await peer.whole());
  t.equal(answer!.body, 'x');
  t.equal(code, 'ERR_INVALID_STATE');
  peer.close();
});

t.test('an answer that has been given cannot become an upgrade before it is sent', async t => {
  let code: unknown;
  const server = await served(t, (_request, info) => {
    const pieces = async function* (): AsyncGenerator<string> {
      code = await info.upgrade().catch(error => error.code);
      yield 'x';
    };
    return new Response(pieces());
  });
  const peer = await Peer.connect(server);
  peer.send(UPGRADE);
  await peer.until(received => received.endsWith('x'));
  t.equal(answersIn(peer.received)[0]!.body, 'x');
  t.equal(code, 'ERR_INVALID_STATE');
  peer.close();
});

t.test('upgrade() resolves while the peer ends its side', async t => {
  const settled: string[] = [];
  const server = await served(
    t,
    async (_request, info) => {
      peer.socket.end();
      const { connection } = await info.upgrade();
      settled.push(String(await connection.read()));
      await connection.close();
      return new Response();
    },
    { onError: () => undefined },
  );
  const peer = await Peer.connect(server);
  peer.send(UPGRADE);
  await peer.whole();
  peer.close();
  await until(() => settled.length === 1);
  t.same(settled, ['null']);
});

t.test('what fails after upgrade() is told to onError', async t => {
  const errors: unknown[] = [];
  const server = await served(
    t,
    async (_request, info) => {
      const { connection } = await info.upgrade();
      await connection.close();
      throw new Error('after');
    },
    {
      onError: error => {
        errors.push(error);
        return undefined;
      },
    },
  );
  const peer = await Peer.connect(server);
  peer.send(UPGRADE);
  t.equal(await peer.whole(), '');
  peer.close();
  await until(() => errors.length === 1);
  t.match(errors, [{ message: 'after' }]);
});

/** A server of WebSockets beside HTTP. */
async function chat(options: object): Promise<{ server: Server; sockets: WebSocketServer }> {
  const sockets = new WebSocketServer({ noServer: true });
  sockets.on('connection', socket => {
    socket.on('message', (data, isBinary) => {
      for (const client of sockets.clients) client.send(data, { binary: isBinary });
    });
  });
  const server = await serve(
    async (request, info) => {
      if (request.headers.get('upgrade') !== 'websocket') return new Response('HTTP');
      const { head, toDuplex } = await info.upgrade();
      const message = {
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
      };
      sockets.handleUpgrade(message as never, toDuplex(), head, socket =>
        sockets.emit('connection', socket, message),
      );
      return new Response();
    },
    { host: HOST, port: 0, ...options },
  );
  return { server, sockets };
}

async function talkWebSocket(url: string, options: object): Promise<string> {
  const client = new WebSocket(url, options);
  const got = new Promise<string>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', data => resolve(String(data)));
  });
  await new Promise(resolve => client.on('open', resolve));
  const large = 'ñ'.repeat(100_000);
  client.send(large);
  const echoed = await got;
  const closed = new Promise(resolve => client.on('close', resolve));
  client.close();
  await closed;
  return echoed === large ? 'the same' : 'another';
}

t.test('WebSockets by ws', async t => {
  const { server, sockets } = await chat({});
  t.equal(await talkWebSocket(`ws://${HOST}:${portOf(server)}/`, {}), 'the same');
  await until(() => sockets.clients.size === 0);
  await server.stop();
});

t.test('WebSockets over TLS', { skip: noOpenssl }, async t => {
  const { key, cert } = own!;
  const { server, sockets } = await chat({ tls: { key, cert } });
  t.equal(
    await talkWebSocket(`wss://localhost:${portOf(server)}/`, { ca: cert, lookup: toLoopback }),
    'the same',
  );
  await until(() => sockets.clients.size === 0);
  await server.stop();
});

function toLoopback(
  _name: string,
  options: { all?: boolean },
  done: (error: null, address: unknown, family?: number) => void,
): void {
  if (options.all) done(null, [{ address: HOST, family: 4 }]);
  else done(null, HOST, 4);
}

function get(
  url: string,
  options: https.RequestOptions = {},
  body?: Buffer,
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { lookup: toLoopback as never, ...options }, response => {
      const chunks: Buffer[] = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

t.test('HTTPS', { skip: noOpenssl }, async t => {
  const { key, cert } = own!;
  const large = Buffer.alloc(3 << 20, 'tls');
  writeFileSync(join(folder, 'large.txt'), large);
  const addresses: unknown[] = [];
  const server = await served(
    t,
    async (request, info) => {
      const { pathname } = new URL(request.url);
      addresses.push(info.remoteAddress);
      t.equal(info.secure, true);
      t.match(request.url, /^https:\/\/localhost:/);
      if (pathname === '/file') return new Response(file(join(folder, 'large.txt')));
      if (pathname === '/upload')
        return new Response(
          createHash('sha256')
            .update(await request.text())
            .digest('hex'),
        );
      if (pathname === '/stream') return new Response(request.body);
      return new Response('secure');
    },
    { tls: { key, cert } },
  );
  const url = `https://localhost:${portOf(server)}`;
  t.equal(server.url.protocol, 'https:');
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const options = { ca: cert, agent };
  t.match(await get(`${url}/`, options), { status: 200, body: Buffer.from('secure') });
  t.equal((await get(`${url}/file`, options)).body.equals(large), true);
  const digest = createHash('sha256').update(large).digest('hex');
  t.equal(String((await get(`${url}/upload`, { ...options, method: 'POST' }, large)).body), digest);
  t.equal((await get(`${url}/stream`, { ...options, method: 'POST' }, large)).body.equals(large), true);
  t.equal(server.stats().accepted, 1, 'one connection has carried all');
  agent.destroy();
  t.match(addresses, [{ address: '127.0.0.1', family: 'IPv4' }]);

  const protocol = await new Promise(resolve => {
    const wants: ConnectionOptions = {
      port: portOf(server),
      host: HOST,
      servername: 'localhost',
      ca: cert,
      ALPNProtocols: ['h2', 'http/1.1'],
    };
    const socket = connectTls(wants, () => {
      resolve(socket.alpnProtocol);
      socket.destroy();
    });
  });
  t.equal(protocol, 'http/1.1');
});

t.test('TLS that fails: no TLS at all, nothing, a key that is none', { skip: noOpenssl }, async t => {
  const { key, cert } = own!;
  await t.rejects(serve(() => new Response(), { port: 0, tls: { key: 'x', cert } }));
  await t.rejects(
    serve(() => new Response(), { port: 0, tls: 1 as never }),
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
  const server = await served(t, () => new Response('x'), { tls: { key, cert }, headersTimeout: 200 });
  const plain = await Peer.connect(server);
  plain.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await plain.whole();
  const silent = await Peer.connect(server);
  await silent.whole();
  t.notMatch(plain.received, /HTTP/);
  plain.close();
  silent.close();
  await until(() => server.stats().connections === 0);
});

t.test('bytes that are no TLS, in the middle of it', { skip: noOpenssl }, async t => {
  const { key, cert } = own!;
  for (const upgrades of [false, true]) {
    let upgraded: Duplex | undefined;
    const server = await served(
      t,
      async (request, info) => {
        if (!upgrades) return new Response(await request.text());
        upgraded = (await info.upgrade()).toDuplex();
        return undefined as never;
      },
      { tls: { key, cert }, onError: () => undefined },
    );
    const behind = net.connect(portOf(server), HOST);
    const relay = net.createServer(peer => {
      peer.on('error', () => {});
      peer.pipe(behind).pipe(peer);
    });
    relay.listen(0, HOST);
    await once(relay, 'listening');
    const { port } = relay.address() as net.AddressInfo;
    const client = connectTls({ port, host: HOST, rejectUnauthorized: false });
    await once(client, 'secureConnect');
    client.on('error', () => {});
    behind.on('error', () => {});
    client.write(upgrades ? UPGRADE : 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
    await until(() => (upgrades ? upgraded : server.stats().active === 1));
    const failed = upgrades && once(upgraded!.resume(), 'error');
    behind.write('these bytes are no record of TLS');
    if (failed) t.match(await failed, [{ code: /^ERR_SSL/ }]);
    // A second error would be uncaught: the only listener was for the first.
    behind.resetAndDestroy();
    await until(() => server.stats().connections === 0);
    client.destroy();
    behind.destroy();
    relay.close();
    await once(relay, 'close');
  }
});

t.test('a peer that ends its side of TLS gets all of its answers', { skip: noOpenssl }, async t => {
  const { key, cert } = own!;
  const path = join(folder, 'half.txt');
  writeFileSync(path, Buffer.alloc(500_000));
  const aborted: boolean[] = [];
  const server = await served(
    t,
    async request => {
      const { pathname } = new URL(request.url);
      if (pathname === '/soon') return new Response('soon');
      const { signal } = request;
      if (!signal.aborted) await once(signal, 'abort');
      aborted.push(signal.aborted);
      if (pathname === '/file') return new Response(file(path));
      const pieces = async function* (): AsyncGenerator<string> {
        yield 'he';
        await delay(5);
        yield 'llo';
      };
      return new Response(pieces());
    },
    { tls: { key, cert } },
  );
  for (const [path, length] of [
    ['/file', 500_000],
    ['/stream', 5],
  ] as const) {
    const to = { port: portOf(server), host: HOST, servername: 'localhost', ca: cert, allowHalfOpen: true };
    const socket = connectTls(to as ConnectionOptions);
    socket.end(['/soon', path].map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    let text = '';
    for await (const chunk of socket.setEncoding('latin1')) text += chunk;
    t.same(
      answersIn(text).map(({ status, body }) => [status, body.length]),
      [
        [200, 4],
        [200, length],
      ],
    );
  }
  t.same(aborted, [true, true]);
  await until(() => server.stats().connections === 0);
  t.equal(server.stats().cut, 0);
});

t.test('client certificates', { skip: noOpenssl }, async t => {
  const { key, cert } = own!;
  const server = await served(t, () => new Response('known'), {
    tls: { key, cert, ca: cert, requestCert: true },
  });
  const url = `https://localhost:${portOf(server)}/`;
  t.equal(String((await get(url, { ca: cert, key, cert })).body), 'known');
  await t.rejects(get(url, { ca: cert }));
});
