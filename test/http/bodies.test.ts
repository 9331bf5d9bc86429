/** Bodies of every size, in every piece, in both directions: each byte arrives, once and in its place. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import t from 'tap';
import { Response } from 'uasync/http';
import { checkLeaks, turns } from '../harness.js';
import { answersIn, HOST, Peer, portOf, served } from './served.js';

checkLeaks();

/** Bytes that do not repeat within themselves. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let x = 12345;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

function digest(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash('sha1').update(bytes).digest('hex')}`;
}

const READS: Record<string, (request: Request) => Promise<string>> = {
  whole: async request => digest(new Uint8Array(await request.arrayBuffer())),
  stream: async request => {
    const pieces: Uint8Array[] = [];
    for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) pieces.push(piece);
    return digest(Buffer.concat(pieces));
  },
  slowly: async request => {
    const pieces: Uint8Array[] = [];
    for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) {
      pieces.push(piece);
      await turns(1);
    }
    return digest(Buffer.concat(pieces));
  },
  late: async request => {
    await turns(5);
    return digest(new Uint8Array(await request.arrayBuffer()));
  },
  unread: async () => 'unread',
};

for (const [name, read] of Object.entries(READS)) {
  t.test(`bodies of known length, and the requests behind them: ${name}`, async t => {
    const server = await served(t, async request =>
      request.method === 'GET' ? new Response('next') : new Response(await read(request)),
    );
    // An unread body is skipped up to 256 KiB.
    for (const size of [1, 2, 2048, 2049, 70_000, 200_000, 1_500_000]) {
      if (name === 'unread' && size > 200_000) continue;
      const body = pattern(size);
      const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;
      const next = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
      const last = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
      const all = Buffer.concat([Buffer.from(head), body, Buffer.from(next + head), body, Buffer.from(last)]);
      const at = head.length;
      const cuts = [
        [],
        [at],
        [at + 1],
        [at - 1],
        [at + size],
        [at + size - 1],
        [at + size + 1],
        [at + (size >> 1), at + size + (next.length >> 1), 2 * at + size + next.length + (size >> 1)],
      ];
      for (const where of cuts) {
        const peer = await Peer.connect(server);
        let from = 0;
        for (const to of [...where, all.length]) {
          peer.send(all.subarray(from, to));
          from = to;
          await turns(1);
        }
        const expected = name === 'unread' ? 'unread' : digest(body);
        t.same(
          answersIn(await peer.whole()).map(answer => answer.body),
          [expected, 'next', expected, 'next'],
          `${size} bytes, cut at ${where}`,
        );
        peer.close();
      }
    }
  });
}

t.test('a body of known length that does not come whole', async t => {
  const errors: unknown[] = [];
  const server = await served(
    t,
    async request => {
      try {
        return new Response(await request.text());
      } catch (error) {
        errors.push((error as { status?: number }).status);
        throw error;
      }
    },
    { onError: () => undefined },
  );
  for (const sent of [0, 1, 5000, 99_999]) {
    const peer = await Peer.connect(server);
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    await turns(1);
    peer.send(pattern(100_000).subarray(0, sent));
    peer.socket.end();
    t.match(await peer.whole(), /^HTTP\/1\.1 400 /, `${sent} bytes`);
    peer.close();
  }
  t.same(errors, [400, 400, 400, 400]);
});

/** What a client gets that takes a part, waits, and takes more. */
async function takeSlowly(port: number, path: string): Promise<Buffer> {
  const request = http.get({ port, host: HOST, path, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    if (pieces.length < 10) await turns(3);
  }
  return Buffer.concat(pieces);
}

t.test('answers in pieces of every size, to peers that take them slowly', async t => {
  const sizes = [1, 100, 16_000, 16_384, 16_385, 65_000, 65_535, 65_536, 65_537, 70_000, 300_000, 1, 65_536];
  const pieces = sizes.map(pattern);
  const whole = Buffer.concat(pieces);
  const server = await served(t, request => {
    const { pathname } = new URL(request.url);
    const headers: Record<string, string> =
      pathname === '/declared' ? { 'content-length': String(whole.length) } : {};
    const body = (async function* () {
      for (let round = 0; round < (pathname === '/long' ? 8 : 1); round++) {
        for (const piece of pieces) {
          yield piece;
          if (pathname === '/late') await turns(1);
        }
      }
    })();
    return new Response(body, { headers });
  });
  for (const path of ['/chunked', '/declared', '/late']) {
    t.equal(digest(await takeSlowly(portOf(server), path)), digest(whole), path);
  }
  const long = Buffer.concat(Array.from({ length: 8 }, () => whole));
  t.equal(digest(await takeSlowly(portOf(server), '/long')), digest(long));
});

t.test('a piece of an iterable may change once the next is asked for', async t => {
  // Fewer than 64 KiB come before the head is sent.
  const sizes = [
    10,
    20_000,
    30,
    ...[16_385, 40_000, 100, 65_536, 70_000, 200_000].flatMap(size => Array(12).fill(size)),
  ];
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const sent = (): Buffer[] => sizes.map((size, i) => Buffer.alloc(size, i));
  const server = await served(t, request => {
    const { pathname } = new URL(request.url);
    const headers: Record<string, string> =
      pathname === '/declared' ? { 'content-length': String(length) } : {};
    const memory = Buffer.alloc(200_000);
    const body = (async function* () {
      for (const piece of sent()) {
        yield memory.subarray(0, piece.copy(memory));
        memory.fill(0xff);
        if (pathname === '/late') await turns(1);
      }
    })();
    return new Response(body, { headers });
  });
  for (const path of ['/chunked', '/declared', '/late']) {
    t.equal(digest(await takeSlowly(portOf(server), path)), digest(Buffer.concat(sent())), path);
  }
});

t.test('bytes behind a head, and behind other answers, of every size', async t => {
  const sizes = [0, 1, 300, 16_000, 16_384, 40_000, 65_000, 65_536, 65_537, 300_000];
  const server = await served(t, request => new Response(pattern(sizes[Number(request.url.split('?')[1])]!)));
  const requests = sizes.map((_, i) => `GET /?${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');
  const peer = await Peer.connect(server);
  peer.socket.pause();
  peer.send(`${requests}GET /?1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  await turns(5);
  peer.socket.resume();
  const answers = answersIn(await peer.whole());
  t.same(
    answers.map(({ body }) => digest(Buffer.from(body, 'latin1'))),
    [...sizes, 1].map(size => digest(pattern(size))),
  );
  peer.close();
});

t.test('a peer that resets while pieces are sent to it', async t => {
  const server = await served(
    t,
    () =>
      new Response(
        (async function* () {
          for (;;) yield pattern(40_000);
        })(),
      ),
  );
  const socket = net.connect({ port: portOf(server), host: HOST });
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.resetAndDestroy();
  await once(socket, 'close');
  while (server.stats().connections !== 0) await turns(1);
  t.equal(server.stats().cut, 1);
});
