/** Large bodies of known length, which are received in chunks with memory of their own while the handler keeps up. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { Response } from 'uasync/http';
import { checkLeaks, turns } from '../harness.js';
import { answersIn, HOST, Peer, portOf, served } from './served.js';

checkLeaks();

const SIZE = 8_000_000;
const BODY = Buffer.alloc(SIZE, 'a body that is long, in which each position can be told from others; ');
for (let i = 0; i < SIZE; i += 1000) BODY.writeUInt32LE(i, i);
const DIGEST = createHash('sha1').update(BODY).digest('hex');
const HEAD = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`;
const NEXT = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

type Pieces = AsyncIterable<Uint8Array>;

/** Reads a body, with a pause after each piece or none; its bytes are changed once they are counted. */
async function digest(request: Request, pause: () => Promise<void> | undefined): Promise<string> {
  const hash = createHash('sha1');
  for await (const piece of request.body as unknown as Pieces) {
    hash.update(piece);
    // The memory is the reader's: nothing that arrives later may be in it.
    structuredClone(piece.buffer, { transfer: [piece.buffer as ArrayBuffer] });
    await pause();
  }
  return hash.digest('hex');
}

const PAUSES: Record<string, () => Promise<void> | undefined> = {
  'at once': () => undefined,
  'after a turn': () => turns(1),
  'after a few turns': () => turns(4),
};

for (const [when, pause] of Object.entries(PAUSES)) {
  t.test(`bodies, and requests between and behind them; the next piece is read ${when}`, async t => {
    const server = await served(
      t,
      async request => new Response(request.method === 'GET' ? 'next' : await digest(request, pause)),
      { maxBodySize: SIZE },
    );
    const peer = await Peer.connect(server);
    peer.send(Buffer.concat([HEAD, BODY, NEXT, HEAD, BODY, LAST].map(part => Buffer.from(part))));
    const bodies = answersIn(await peer.whole()).map(({ body }) => body);
    t.same(bodies, [DIGEST, 'next', DIGEST, 'next']);
    peer.close();
  });
}

t.test('a handler that stops reading stops the peer, and goes on later', async t => {
  let goOn = (): void => {};
  const stopped = new Promise<void>(resolve => {
    goOn = resolve;
  });
  let read = 0;
  const server = await served(
    t,
    async request => {
      const hash = createHash('sha1');
      for await (const piece of request.body as unknown as Pieces) {
        hash.update(piece);
        read += piece.length;
        if (read > SIZE / 4) await stopped;
      }
      return new Response(hash.digest('hex'));
    },
    { maxBodySize: SIZE },
  );
  const peer = await Peer.connect(server);
  peer.send(Buffer.concat([Buffer.from(HEAD), BODY]));
  while (read <= SIZE / 4) await turns(1);
  const before = read;
  await turns(20);
  t.equal(read, before);
  goOn();
  const text = await peer.until(received => received.includes(DIGEST));
  t.ok(text.includes(DIGEST));
  peer.close();
});

t.test('a peer that ends or resets while a handler does not read', async t => {
  for (const way of ['end', 'reset'] as const) {
    let failed: Error | undefined;
    let read = 0;
    let gone: Promise<unknown> = Promise.resolve();
    const server = await served(
      t,
      async request => {
        // An end comes behind all bytes, for which there may be no room; a reset is seen at once.
        gone = way === 'end' ? once(socket, 'close') : once(request.signal, 'abort');
        try {
          for await (const piece of request.body as unknown as Pieces) {
            read += piece.length;
            if (read > SIZE / 4) await gone;
          }
        } catch (error) {
          failed = error as Error;
        }
        return new Response('too late');
      },
      { maxBodySize: SIZE },
    );
    const socket = net.connect({ port: portOf(server), host: HOST });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(HEAD);
    socket.write(BODY.subarray(0, SIZE / 2));
    while (read <= SIZE / 4) await turns(1);
    if (way === 'end') socket.destroy();
    else socket.resetAndDestroy();
    while (server.stats().connections !== 0 || failed === undefined) await turns(1);
    t.ok(failed instanceof Error, way);
  }
});

t.test('an answer before the body is read, and a server that stops meanwhile', async t => {
  for (const stops of [false, true]) {
    let read = 0;
    const server = await served(
      t,
      async request => {
        for await (const piece of request.body as unknown as Pieces) {
          read += piece.length;
          if (read > SIZE / 2) break;
        }
        if (stops) void server.stop({ timeout: 0 });
        return new Response('enough');
      },
      { maxBodySize: SIZE },
    );
    const peer = await Peer.connect(server);
    peer.socket.on('error', () => {});
    peer.send(Buffer.concat([Buffer.from(HEAD), BODY]));
    const text = await peer.whole();
    if (!stops) t.match(text, /enough$/);
    t.ok(read > SIZE / 2);
    peer.close();
  }
});
