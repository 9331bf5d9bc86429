/** What `serve` takes, and how a server is asked and shown. */
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Hono } from 'hono';
import { Router } from 'itty-router';
import t from 'tap';
import { Response, serve } from 'uasync/http';
import { checkLeaks, scratchFolder } from '../harness.js';
import { answersIn, HOST, Peer, portOf, served } from './served.js';

checkLeaks();

const handler = (): Response => new Response('x');
const LAST = 'GET / HTTP/1.0\r\n\r\n';

t.test('wrong arguments', async t => {
  const wrong: [options: object, error: Record<string, unknown>][] = [
    [{ prot: 1 }, { code: 'ERR_INVALID_ARG_VALUE', message: /did you mean 'port'/ }],
    [{ port: 70_000 }, { code: 'ERR_OUT_OF_RANGE' }],
    [{ receiveFds: true }, { code: 'ERR_INVALID_ARG_VALUE' }],
    [{ onError: 1 }, { code: 'ERR_INVALID_ARG_TYPE' }],
    [{ accessLog: {} }, { code: 'ERR_INVALID_ARG_TYPE' }],
    [{ signal: 1 }, { code: 'ERR_INVALID_ARG_TYPE' }],
    [{ tls: 1 }, { code: 'ERR_INVALID_ARG_TYPE' }],
    [{ tls: { certs: '' } }, { code: 'ERR_INVALID_ARG_VALUE', message: /did you mean 'cert'/ }],
    [{ tls: { ALPNProtocols: ['h2'] } }, { code: 'ERR_INVALID_ARG_VALUE' }],
    ...['headersTimeout', 'requestTimeout', 'keepAliveTimeout', 'idleTimeout'].flatMap(name => [
      [{ [name]: -1 }, { code: 'ERR_OUT_OF_RANGE' }] as [object, Record<string, unknown>],
      [{ [name]: '1' }, { code: 'ERR_INVALID_ARG_TYPE' }] as [object, Record<string, unknown>],
    ]),
    ...['maxHeaderSize', 'maxHeaders', 'maxBodySize', 'maxRequestsPerConnection', 'maxConnections'].flatMap(
      name => [
        [{ [name]: -1 }, { code: 'ERR_OUT_OF_RANGE' }] as [object, Record<string, unknown>],
        [{ [name]: 1.5 }, { code: 'ERR_OUT_OF_RANGE' }] as [object, Record<string, unknown>],
        [{ [name]: '1' }, { code: 'ERR_INVALID_ARG_TYPE' }] as [object, Record<string, unknown>],
      ],
    ),
  ];
  for (const [options, error] of wrong) {
    await t.rejects(serve(handler, { port: 0, ...options }), error as never, inspect(options));
    await t.rejects(serve({ fetch: handler, port: 0, ...options }), error as never);
  }
  await t.rejects(serve(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serve({} as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serve(handler, null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  const server = await served(t, handler);
  await t.rejects(server.stop({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(server.stop({ time: 1 } as never), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(serve(handler, { host: HOST, port: portOf(server) }), { code: 'EADDRINUSE' });
});

t.test('addresses and URLs', async t => {
  const tcp = await served(t, handler);
  t.equal(tcp.url.href, `http://127.0.0.1:${portOf(tcp)}/`);
  t.match(inspect(tcp), /^Server \{ serving 127\.0\.0\.1:\d+ \}$/);
  const all = await serve(handler);
  t.equal(all.url.hostname, 'localhost');
  t.equal(await (await fetch(all.url)).text(), 'x');
  await all.stop();
  t.match(inspect(all), /^Server \{ closed/);
  // Node 20 connects to no abstract name.
  const path = join(scratchFolder(), 'socket');
  const unix = await served(t, request => new Response(request.url), {
    path,
    host: undefined,
    port: undefined,
  });
  t.same(unix.address, { path });
  const peer = await Peer.connect(unix);
  peer.send('GET /x HTTP/1.0\r\n\r\n');
  t.equal(answersIn(await peer.whole())[0]!.body, 'http://localhost/x');
  peer.close();
});

t.test('an object with fetch, and its own options', async t => {
  const app = {
    greeting: 'hello',
    fetch(): Response {
      return new Response(this.greeting);
    },
  };
  const server = await serve(app as never, { host: HOST, port: 0 });
  const peer = await Peer.connect(server);
  peer.send(LAST);
  t.equal(answersIn(await peer.whole())[0]!.body, 'hello');
  peer.close();
  await server[Symbol.asyncDispose]();
});

t.test('an application is not options', async t => {
  const hono = new Hono();
  hono.get('/', c => c.text('hono'));
  const router = Router();
  router.get('/', () => new Response('itty'));
  for (const [name, app] of Object.entries({ hono, itty: router })) {
    const server = await serve(app as never);
    const peer = await Peer.connect(server);
    peer.send(LAST);
    t.equal(answersIn(await peer.whole())[0]!.body, name);
    peer.close();
    await server.stop();
  }
  class Own {
    port = 0;
    host = HOST;
    fetch(): Response {
      return new Response('own');
    }
  }
  const server = await serve(new Own() as never);
  t.match(server.address, { address: HOST });
  await server.stop();
  const misspelled = { fetch: () => new Response(), prt: 0 };
  await t.rejects(serve(misspelled as never), { code: 'ERR_INVALID_ARG_VALUE' });
});

t.test('what util.inspect shows of a server, and of the info about a request', async t => {
  const infos: string[] = [];
  const server = await served(t, (_, info) => {
    infos.push(inspect(info));
    return new Response();
  });
  const peer = await Peer.connect(server);
  peer.send(LAST);
  await peer.whole();
  t.same(infos, [`RequestInfo { http ${HOST}:${peer.socket.localPort} }`]);
  peer.close();
  t.match(inspect(server), /^Server \{ serving /);
  const stopped = server.stop();
  t.match(inspect(server), /^Server \{ stopping /);
  await stopped;
  t.match(inspect(server), /^Server \{ closed /);
});

t.test('maxConnections', async t => {
  const server = await served(t, handler, { maxConnections: 1 });
  const first = await Peer.connect(server);
  first.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await first.until(received => received.endsWith('x'));
  const second = await Peer.connect(server);
  second.send(LAST);
  t.equal(server.stats().connections, 1);
  first.close();
  t.equal(answersIn(await second.whole())[0]!.body, 'x');
  second.close();
});

t.test('ref and unref', async t => {
  const server = await served(t, handler);
  const peer = await Peer.connect(server);
  t.equal(server.unref(), server);
  t.match(inspect(server), /unref/);
  t.equal(server.ref(), server);
  peer.close();
});
