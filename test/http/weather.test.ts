/** Peers that are slow, silent or gone, and the end of a server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { file, Response } from 'uasync/http';
import { connect } from 'uasync/net';
import { MSG_DONTWAIT } from '../../src/sys/abi/sockets.js';
import { libc } from '../../src/sys/libc/libc.js';
import { checkLeaks, scratchFolder, standstill, turns, until } from '../harness.js';
import { answersIn, Peer, served, talk } from './served.js';

checkLeaks();
const folder = scratchFolder();

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n';

t.test('headersTimeout: of a peer that says nothing, and of one that never ends its head', async t => {
  const server = await served(t, () => new Response(''), { headersTimeout: 100 });
  t.equal(await talk(server, []), '');
  const peer = await Peer.connect(server);
  const trickle = setInterval(() => peer.send('X: y\r\n'), 5);
  peer.send('GET / HTTP/1.1\r\nHost: a\r\n');
  const [answer] = answersIn(await peer.whole());
  clearInterval(trickle);
  peer.close();
  t.equal(answer!.status, 408);
  t.equal(answer!.headers.get('connection'), 'close');
});

t.test('requestTimeout: of a head, too', async t => {
  const limits = { headersTimeout: 0, requestTimeout: 40 };
  const server = await served(t, () => new Response(''), limits);
  t.equal(answersIn(await talk(server, ['GET / HTTP/1.1\r\n']))[0]!.status, 408);
  t.equal(await talk(server, []), '');
});

t.test('keepAliveTimeout', async t => {
  const server = await served(t, () => new Response('x'), { keepAliveTimeout: 40 });
  const [answer] = answersIn(await talk(server, [GET]));
  t.equal(answer!.status, 200);
});

t.test('requestTimeout and idleTimeout: of a body that does not come', async t => {
  for (const options of [{ requestTimeout: 40 }, { idleTimeout: 40 }]) {
    const errors: unknown[] = [];
    const server = await served(t, async request => new Response(await request.text()), {
      ...options,
      onError: error => {
        errors.push(error);
        return undefined;
      },
    });
    const [answer] = answersIn(await talk(server, [POST, 'some of it']));
    t.equal(answer!.status, 408);
    t.match(errors, [{ code: 'ERR_HTTP_BODY', status: 408 }]);
  }
});

t.test('requestTimeout: of a body that comes byte by byte', async t => {
  const server = await served(t, async request => new Response(await request.text()), {
    requestTimeout: 60,
    onError: () => undefined,
  });
  const peer = await Peer.connect(server);
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
  const trickle = setInterval(() => peer.send('x'), 5);
  const [answer] = answersIn(await peer.whole());
  clearInterval(trickle);
  peer.close();
  t.equal(answer!.status, 408);
});

t.test('a peer that resets is noticed though its body is not read', async t => {
  let aborted = false;
  const server = await served(t, request => {
    request.signal.addEventListener('abort', () => {
      aborted = true;
    });
    return new Promise<Response>(() => {});
  });
  const peer = await Peer.connect(server);
  const large = 1 << 20;
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${large}\r\n\r\n${'x'.repeat(large)}`);
  await until(() => server.stats().active === 1);
  await delay(50);
  peer.socket.resetAndDestroy();
  await until(() => server.stats().connections === 0);
  await until(() => aborted);
  t.equal(server.stats().cut, 1);
});

t.test('a body that the peer ends its side within is refused', async t => {
  const errors: unknown[] = [];
  const server = await served(t, async request => new Response(await request.text()), {
    onError: error => {
      errors.push(error);
      return undefined;
    },
  });
  for (const body of ['Content-Length: 9\r\n\r\nhalf', 'Transfer-Encoding: chunked\r\n\r\n9\r\nhalf']) {
    const [answer] = answersIn(await talk(server, [`POST / HTTP/1.1\r\nHost: a\r\n${body}`], true));
    t.same([answer!.status, answer!.headers.get('connection')], [400, 'close']);
  }
  t.match(errors, Array(2).fill({ code: 'ERR_HTTP_BODY', status: 400 }));
});

t.test('idleTimeout: of a peer that does not take its answer', async t => {
  const server = await served(t, () => new Response(new Uint8Array(64 << 20)), { idleTimeout: 60 });
  const peer = await Peer.connect(server);
  peer.socket.pause();
  peer.send(GET);
  await until(() => server.stats().cut === 1);
  peer.close();
});

t.test('idleTimeout: not of a peer that takes its answer slowly', async t => {
  const answers: Record<string, () => Response> = {
    text: () => new Response('x'.repeat(4_000_000)),
    file: () => new Response(file(join(folder, 'large'))),
  };
  writeFileSync(join(folder, 'large'), Buffer.alloc(4_000_000));
  const idleTimeout = 1200;
  await Promise.all(
    Object.entries(answers).map(async ([kind, answer]) => {
      const path = join(folder, kind);
      const server = await served(t, answer, { host: undefined, port: undefined, path, idleTimeout });
      const client = await connect({ path });
      await client.write(GET);
      // By calls: a read of ours receives ahead.
      const bytes = Buffer.alloc(65_536);
      let got = 0;
      const begun = performance.now();
      for (let time = 0; time < idleTimeout * 3; time = performance.now() - begun) {
        const due = Math.min(Math.floor(time * 130) - got, bytes.length);
        if (due > 0) got += Math.max(libc().recv(client.fd, bytes.subarray(0, due), MSG_DONTWAIT), 0);
        await delay(10);
      }
      t.ok(got > 200_000);
      t.equal(server.stats().cut, 0, kind);
      await client.reset();
    }),
  );
});

t.test('a handler that takes long is no peer that is slow', async t => {
  const server = await served(
    t,
    async () => {
      await delay(150);
      return new Response('late');
    },
    { idleTimeout: 20, requestTimeout: 20, headersTimeout: 20, keepAliveTimeout: 20 },
  );
  const [answer] = answersIn(await talk(server, [GET]));
  t.equal(answer!.body, 'late');
});

t.test('a stream waits for a peer that does not read', async t => {
  let sent = 0;
  const server = await served(
    t,
    () =>
      new Response(
        (async function* () {
          for (; sent < 64 << 20; sent += 1 << 16) yield new Uint8Array(1 << 16);
        })(),
      ),
  );
  const peer = await Peer.connect(server);
  peer.socket.pause();
  peer.send(GET);
  let last = -1;
  while (last !== sent) {
    last = sent;
    await delay(60);
  }
  t.ok(sent < 32 << 20, `${sent} bytes were made`);
  peer.close();
});

t.test('resets in the middle of an upload and of an answer, many at once', async t => {
  const server = await served(
    t,
    async request => {
      if (request.method === 'POST') return new Response(await request.text());
      return new Response(
        (async function* () {
          for (;;) {
            yield new Uint8Array(1000);
            await delay(1);
          }
        })(),
      );
    },
    { onError: () => undefined },
  );
  const peers = await Promise.all(Array.from({ length: 200 }, () => Peer.connect(server)));
  for (const [i, peer] of peers.entries()) peer.send(i % 2 === 0 ? `${POST}x` : GET);
  await until(() => server.stats().active === peers.length);
  const [answer] = answersIn(
    await talk(server, [POST.replace('100', '1').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), 'y']),
  );
  t.equal(answer!.body, 'y', 'others are served meanwhile');
  for (const [i, peer] of peers.entries()) {
    if (i % 3 === 0) peer.socket.destroy();
    else peer.socket.resetAndDestroy();
  }
  await until(() => server.stats().connections === 0);
  t.equal(server.stats().active, 0);
});

t.test('stop: idle connections end, requests are answered, nothing more is accepted', async t => {
  let answer!: () => void;
  const waiting = new Promise<void>(resolve => {
    answer = resolve;
  });
  const server = await served(t, async request => {
    if (request.url.endsWith('/wait')) await waiting;
    return new Response('done');
  });
  const [idle, silent, busy] = await Promise.all([
    Peer.connect(server),
    Peer.connect(server),
    Peer.connect(server),
  ]);
  idle.send(GET);
  busy.send('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n');
  await idle.until(received => received.endsWith('done'));
  await until(() => server.stats().active === 1);
  let closed = false;
  void server.closed.then(() => {
    closed = true;
  });
  const stopping = server.stop();
  await idle.whole();
  await silent.whole();
  t.equal(closed, false);
  await t.rejects(Peer.connect(server), { code: 'ECONNREFUSED' });
  answer();
  const [last] = answersIn(await busy.whole());
  t.equal(last!.body, 'done');
  t.equal(last!.headers.get('connection'), 'close');
  for (const peer of [idle, silent, busy]) peer.close();
  t.equal(await stopping, 0);
  await server.closed;
});

t.test('a request that arrives while the server stops is answered', async t => {
  // At any moment at which the server has not closed the connection.
  const moments = [0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 40];
  for (const wait of [() => Promise.resolve(), () => turns(1)]) {
    for (const moment of moments) {
      const server = await served(t, () => new Response('done'));
      const peer = await Peer.connect(server);
      peer.send(GET);
      await peer.until(received => received.endsWith('done'));
      const stopping = server.stop();
      for (let i = 0; i < moment; i++) await wait();
      const isOpen = server.stats().idle === 1;
      peer.send(GET);
      const answers = answersIn(await peer.whole());
      t.equal(answers.length, isOpen ? 2 : 1, `${wait}, ${moment} times`);
      if (isOpen) t.equal(answers[1]!.headers.get('connection'), 'close');
      peer.close();
      t.equal(await stopping, 0);
    }
  }
});

t.test('stop: a peer that does not take its answers gets no more of them', async t => {
  let calls = 0;
  const server = await served(t, () => {
    calls++;
    return new Response('x'.repeat(100_000));
  });
  const peer = await Peer.connect(server);
  peer.socket.pause();
  // More than the server and the kernel hold.
  peer.send(GET.repeat(600_000));
  await standstill(() => calls);
  const before = calls;
  const stopping = server.stop();
  await turns(3);
  peer.socket.resume();
  await stopping;
  t.equal(calls, before);
  peer.close();
});

t.test('an empty line after a request is not the next one', async t => {
  const server = await served(t, async request => new Response(await request.text()));
  const peer = await Peer.connect(server);
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n');
  await peer.until(received => received.endsWith('abc'));
  t.equal(server.stats().idle, 1);
  peer.send('\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ndef\r\n');
  await peer.until(received => received.endsWith('def'));
  t.equal(await server.stop({ timeout: 5000 }), 0);
  t.equal(answersIn(await peer.whole()).length, 2);
  peer.close();
});

t.test('stop({ timeout }) cuts what is not answered; a signal stops, too', async t => {
  const server = await served(t, () => new Promise<Response>(() => {}));
  const peer = await Peer.connect(server);
  peer.send(GET);
  await until(() => server.stats().active === 1);
  t.equal(await server.stop({ timeout: 10 }), 1);
  t.equal(await peer.whole(), '');
  peer.close();

  const controller = new AbortController();
  const other = await served(t, () => new Response(''), { signal: controller.signal });
  controller.abort();
  await other.closed;
  await t.rejects(
    served(t, () => new Response(''), { signal: controller.signal }),
    { name: 'AbortError' },
  );
});

t.test('an upload that goes on after stop() is taken', async t => {
  const server = await served(t, async request => new Response(`${(await request.text()).length}`));
  const peer = await Peer.connect(server);
  await peer.sendPieces([POST, 'x'.repeat(50)]);
  await until(() => server.stats().active === 1);
  const stopping = server.stop();
  await delay(10);
  peer.send('x'.repeat(50));
  t.equal(answersIn(await peer.whole())[0]!.body, '100');
  peer.close();
  t.equal(await stopping, 0);
});
