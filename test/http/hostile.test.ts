/** Peers that would use up memory or connections. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { file, Response } from 'uasync/http';
import { IncomingBody } from '../../src/http/input/incoming-body.js';
import { input, Parser } from '../../src/http/input/llhttp.js';
import { checkLeaks, collectGarbage, scratchFolder, turns, until } from '../harness.js';
import { answersIn, Peer, served, talk } from './served.js';

checkLeaks();

const folder = scratchFolder();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

t.test('a body in chunks of a byte costs little more than its bytes', async t => {
  const body = new IncomingBody({ onWanted: () => {}, onRoom: () => {} });
  const length = 1 << 18;
  collectGarbage();
  const before = process.memoryUsage();
  for (let i = 0; i < length; i++) body.push(Buffer.from([i]));
  collectGarbage();
  const after = process.memoryUsage();
  const used = after.heapUsed - before.heapUsed + after.external - before.external;
  t.ok(used < 4 * length, `${used} bytes`);
  body.push(Buffer.alloc(5000, 'large'));
  body.push(Buffer.from('end'));
  body.end();
  const all = await body.collect();
  t.equal(all.length, length + 5003);
  t.ok(all.subarray(0, length).every((byte, i) => byte === (i & 255)));
  t.equal(all.toString('latin1', length + 4995), 'largeend');
});

t.test('parsers beyond those that are kept are freed', async t => {
  const round = (): number => {
    const parsers = Array.from({ length: 20_000 }, () => Parser.acquire());
    for (const parser of parsers) parser.release();
    collectGarbage();
    return parserMemory();
  };
  const first = round();
  for (let i = 0; i < 4; i++) t.equal(round(), first);
});

/** Bytes of the memory that parsers are in. */
function parserMemory(): number {
  return input().buffer.byteLength;
}

t.test('idleTimeout: of a peer that does not take a file', async t => {
  const path = join(folder, 'large');
  writeFileSync(path, Buffer.alloc(32 << 20));
  const server = await served(t, () => new Response(file(path)), {
    idleTimeout: 60,
    onError: () => undefined,
  });
  const peer = await Peer.connect(server);
  peer.socket.pause();
  peer.send(GET);
  await until(() => server.stats().cut === 1);
  peer.close();
});

t.test(
  'idleTimeout: of a peer that has ended its side, while a handler or a stream does not end',
  async t => {
    for (const answer of [new Promise<Response>(() => {}), new Response(new ReadableStream())]) {
      const server = await served(t, () => answer, { idleTimeout: 60 });
      const peer = await Peer.connect(server);
      peer.send(GET);
      peer.socket.end();
      await until(() => server.stats().cut === 1);
      await until(() => server.stats().connections === 0);
      peer.close();
    }
  },
);

t.test('keepAliveTimeout begins when the answer has been taken', async t => {
  // A Unix socket takes about 200 KiB, the rest waits: less than what holds the connection back from its next request.
  const size = 450_000;
  const server = await served(t, () => new Response(new Uint8Array(size)), {
    host: undefined,
    port: undefined,
    path: join(folder, 's'),
    keepAliveTimeout: 40,
  });
  const peer = await Peer.connect(server);
  peer.socket.pause();
  peer.send(GET);
  await until(() => server.stats().answered === 1);
  await delay(200);
  peer.socket.resume();
  const [answer] = answersIn(await peer.whole());
  t.equal(answer!.body.length, size);
  t.equal(server.stats().cut, 0);
  peer.close();
});

t.test('a body that is read on after the answer rejects', async t => {
  const codes: Promise<unknown>[] = [];
  const server = await served(t, request => {
    if (request.method === 'GET') return new Response('y');
    const reading = request.url.endsWith('/text') ? request.text() : request.body!.getReader().read();
    codes.push(reading.catch(error => error.code));
    return new Response('x');
  });
  for (const path of ['text', 'stream']) {
    const peer = await Peer.connect(server);
    peer.send(`POST /${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n`);
    await peer.until(received => received.endsWith('x'));
    t.equal(await codes.at(-1), 'ERR_CLOSED');
    peer.send(`hello${GET}`);
    await peer.until(received => received.endsWith('y'));
    t.equal(answersIn(peer.received).length, 2);
    peer.close();
  }
});

t.test('a body that is cancelled while it is read ends', async t => {
  const server = await served(t, async request => {
    const reader = request.body!.getReader();
    const reading = reader.read();
    // The stream begins to read the body.
    await turns();
    await reader.cancel();
    return new Response(String((await reading).done));
  });
  const peer = await Peer.connect(server);
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n');
  await peer.until(received => received.endsWith('true'));
  t.match(peer.received, /true$/);
  peer.close();
});

t.test('no 100 Continue within an answer', async t => {
  const server = await served(t, request => {
    const stream = new ReadableStream({
      pull: async controller => {
        controller.enqueue('begun');
        await peer.until(received => received.includes('begun'));
        request.text().catch(() => {});
        controller.enqueue('done');
        controller.close();
      },
    });
    return new Response(stream);
  });
  const peer = await Peer.connect(server);
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  t.equal(
    answersIn(await peer.whole())
      .map(({ status, body }) => `${status} ${body}`)
      .join(),
    '200 begundone',
  );
  peer.close();
});

t.test('the signal of a request that was given up is aborted, however late it is asked for', async t => {
  let aborted: unknown;
  const server = await served(t, async request => {
    await until(() => server.stats().connections === 0);
    aborted = request.signal.aborted;
    return new Response();
  });
  const peer = await Peer.connect(server);
  peer.send(GET);
  await until(() => server.stats().active === 1);
  peer.socket.resetAndDestroy();
  await until(() => aborted !== undefined);
  t.equal(aborted, true);
});

t.test('a handler that asks late for its signal has given up as well, and has not failed', async t => {
  const errors: unknown[] = [];
  const onError = (error: unknown): undefined => void errors.push(error);
  const server = await served(
    t,
    async request => {
      // This rejects once the peer has ended its side.
      await request.text().catch(() => {});
      request.signal.throwIfAborted();
      return new Response();
    },
    { onError },
  );
  const request = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx';
  t.equal(answersIn(await talk(server, [request], true))[0]!.status, 500);
  t.same(errors, []);
});

t.test('a thenable that settles twice is answered once', async t => {
  const server = await served(t, (() => ({
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested
    then(resolve: (response: Response) => void) {
      resolve(new Response('one'));
      resolve(new Response('two'));
    },
  })) as never);
  const last = GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
  t.same(
    answersIn(await talk(server, [GET, last])).map(({ body }) => body),
    ['one', 'one'],
  );
});

t.test('several cookies, and names of headers with characters that are no letters', async t => {
  const server = await served(t, ({ headers }) => {
    return Response.json([
      headers.get('x_api_key'),
      headers.get('x^a'),
      headers.get('x~a'),
      headers.get('cookie'),
    ]);
  });
  const [answer] = answersIn(
    await talk(server, [
      'GET / HTTP/1.1\r\nHost: a\r\nX_API_Key: 1\r\nX^A: 2\r\nCookie: a=1\r\nCookie: b=2\r\nConnection: close\r\n\r\n',
    ]),
  );
  t.equal(answer!.body, '["1","2",null,"a=1; b=2"]');
});

t.test('an answer counts though its request was not read; a 204 has no length', async t => {
  const headers = { 'content-length': '5' };
  const server = await served(t, () => new Response(null, { status: 204, headers }));
  const [answer] = answersIn(
    await talk(server, ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nabc'], true),
  );
  t.equal(answer!.headers.has('content-length'), false);
  t.equal(server.stats().answered, 1);
});
