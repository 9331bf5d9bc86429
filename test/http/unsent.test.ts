/** Bodies that are not sent, or not to their end: what they hold is given back. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import t from 'tap';
import { sleep } from 'uasync';
import { type BodyInit, Response } from 'uasync/http';
import { checkLeaks, until, whenClosed } from '../harness.js';
import { Peer, served, talk } from './served.js';

checkLeaks();

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A stream of Node's that says nothing more. */
function silent(...pieces: string[]): Readable {
  const stream = new Readable({ read() {} });
  for (const piece of pieces) stream.push(piece);
  return stream;
}

/** Each as the body of a response. */
const WAYS: [name: string, bodyOf: (stream: Readable) => BodyInit][] = [
  ['as it is', stream => stream as BodyInit],
  ['as the body of a response', stream => new Response(stream as BodyInit).body],
];

for (const [name, bodyOf] of WAYS) {
  t.test(`HEAD ends a stream of Node's, ${name}`, async t => {
    const stream = silent('abc');
    const closed = whenClosed(stream);
    const server = await served(t, () => new Response(bodyOf(stream)));
    await talk(server, ['HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n']);
    await closed;
    t.ok(stream.destroyed);
  });

  t.test(`a stream of Node's for a peer that has gone ends, ${name}`, async t => {
    const stream = silent('abc');
    const closed = whenClosed(stream);
    const server = await served(t, async () => {
      await until(() => server.stats().connections === 0);
      return new Response(bodyOf(stream));
    });
    const peer = await Peer.connect(server);
    peer.send(REQUEST);
    await until(() => server.stats().active === 1);
    peer.socket.resetAndDestroy();
    await closed;
    t.ok(stream.destroyed);
  });

  t.test(`a stream of Node's ends with its peer while it says nothing, ${name}`, async t => {
    const stream = silent('abc');
    const closed = whenClosed(stream);
    const server = await served(t, () => new Response(bodyOf(stream)));
    const peer = await Peer.connect(server);
    peer.send(REQUEST);
    await peer.until(received => received.includes('abc'));
    peer.socket.resetAndDestroy();
    await closed;
    t.ok(stream.destroyed);
  });
}

t.test('an iteration for a peer that has gone ends', async t => {
  let ended = false;
  const pieces = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: true as const, value: undefined }),
      return: async () => {
        ended = true;
        return { done: true as const, value: undefined };
      },
    }),
  };
  const server = await served(t, async () => {
    await until(() => server.stats().connections === 0);
    return new Response(pieces);
  });
  const peer = await Peer.connect(server);
  peer.send(REQUEST);
  await until(() => server.stats().active === 1);
  peer.socket.resetAndDestroy();
  await until(() => ended);
});

t.test('what onError returns for a peer that has gone ends', async t => {
  const stream = silent('abc');
  const closed = whenClosed(stream);
  const server = await served(
    t,
    () => {
      throw new Error('it fails');
    },
    {
      onError: async () => {
        await until(() => server.stats().connections === 0);
        return new Response(stream as BodyInit);
      },
    },
  );
  const peer = await Peer.connect(server);
  peer.send(REQUEST);
  await until(() => server.stats().active === 1);
  peer.socket.resetAndDestroy();
  await closed;
  t.ok(stream.destroyed);
});

t.test('a handler that gives up because its peer is gone has not failed', async t => {
  const failures: unknown[] = [];
  const handlers: Record<string, (signal: AbortSignal) => Response | Promise<Response>> = {
    sleeping: async signal => {
      await sleep(1e8, { signal });
      return new Response('');
    },
    reason: async signal => {
      await once(signal, 'abort');
      throw signal.reason;
    },
    streaming: signal =>
      new Response(
        (async function* () {
          yield 'x'.repeat(100_000);
          await sleep(1e8, { signal: AbortSignal.any([signal]) });
        })(),
      ),
  };
  const server = await served(t, ({ url, signal }) => handlers[new URL(url).pathname.slice(1)]!(signal), {
    onError: error => void failures.push(error),
  });
  for (const name of Object.keys(handlers)) {
    const peer = await Peer.connect(server);
    peer.send(`GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
    if (name === 'streaming') await until(() => peer.received.length > 100_000);
    else await until(() => server.stats().active === 1);
    peer.socket.end();
    await until(() => server.stats().active === 0);
    await until(() => peer.ended || peer.error !== null);
    t.equal(peer.received.startsWith('HTTP/1.1 500 '), name !== 'streaming', 'it may read still');
    peer.socket.destroy();
  }
  t.strictSame(failures, []);
});
