/** Two connections that are piped to each other: both pipes end when either connection does. */
import t, { type Test } from 'tap';
import { type Connection, connect, listen } from 'uasync/net';
import { checkLeaks, turns } from '../harness.js';
import { HOST, pair, portOf, readAll, unixPair } from './sockets.js';

checkLeaks();

interface Line {
  client: Connection;
  front: Connection;
  back: Connection;
  server: Connection;
}

async function line(t: Test, makePair: typeof pair): Promise<Line> {
  const [client, front] = await makePair(t);
  const [back, server] = await makePair(t);
  return { client, front, back, server };
}

/** Pipes both ways; resolves to what has become of each. */
async function outcomes({ front, back }: Line, signals: (AbortSignal | undefined)[] = []): Promise<string[]> {
  const [first, second] = signals;
  const results = await Promise.allSettled([
    front.pipeTo(back, { signal: first }),
    back.pipeTo(front, { signal: second }),
  ]);
  return results.map(({ status, ...rest }) =>
    status === 'fulfilled' ? status : (rest as PromiseRejectedResult).reason.code,
  );
}

/** What ends a line at one side, and how each pipe may then end: the one from that side, and the one to it. */
const FAILURES: [string, (peer: Connection, near: Connection) => Promise<unknown>, RegExp, RegExp][] = [
  ['its peer resets', peer => peer.reset(), /ECONNRESET/, /ECONNRESET|EPIPE/],
  [
    'its peer resets with bytes on their way',
    async peer => {
      peer.send('bytes');
      await peer.reset();
    },
    /ECONNRESET/,
    /ECONNRESET|EPIPE/,
  ],
  ['it is closed here', (_, near) => near.close(), /ERR_CLOSED/, /ERR_CLOSED/],
  ['it is reset here', (_, near) => near.reset(), /ERR_CLOSED/, /ERR_CLOSED/],
  ['it times out here', async (_, near) => near.setTimeout(20), /ETIMEDOUT/, /ETIMEDOUT/],
];

for (const makePair of [pair, unixPair]) {
  const kind = makePair === pair ? 'TCP' : 'Unix';
  for (const [what, fail, from, to] of FAILURES) {
    // A Unix socket knows no reset: its peer has closed.
    if (kind === 'Unix' && /peer resets/.test(what)) continue;
    for (const busy of [false, true]) {
      t.test(`${kind}: ${what}, ${busy ? 'after some traffic' : 'at once'}`, async t => {
        for (const side of ['front', 'back'] as const) {
          const four = await line(t, makePair);
          const { client, server } = four;
          const ending = outcomes(four);
          if (busy) {
            await client.write('there');
            t.equal(String(await server.readExactly(5)), 'there');
            await server.write('back');
            t.equal(String(await client.readExactly(4)), 'back');
          } else await turns(1);
          await fail(side === 'front' ? client : server, four[side]);
          const ends = await ending;
          const [leaving, arriving] = side === 'front' ? ends : ends.reverse();
          t.match(leaving, from, `from ${side}`);
          t.match(arriving, to, `to ${side}`);
        }
      });
    }
  }

  t.test(`${kind}: the peers end, one after the other`, async t => {
    const four = await line(t, makePair);
    const ending = outcomes(four);
    await four.client.write('a question');
    await four.client.shutdown();
    t.equal(String(await readAll(four.server)), 'a question');
    await four.server.write('an answer');
    await four.server.shutdown();
    t.equal(String(await readAll(four.client)), 'an answer');
    t.same(await ending, ['fulfilled', 'fulfilled']);
  });

  t.test(`${kind}: a peer closes`, async t => {
    const four = await line(t, makePair);
    const ending = outcomes(four);
    const closing = four.client.close();
    t.equal(await four.server.read(), null);
    await four.server.close();
    t.same(await ending, ['fulfilled', 'fulfilled']);
    await closing;
  });

  t.test(`${kind}: an abort ends the pipes that it is for`, async t => {
    const four = await line(t, makePair);
    const both = new AbortController();
    const ending = outcomes(four, [both.signal, both.signal]);
    await turns(1);
    both.abort();
    t.same(await ending, ['ABORT_ERR', 'ABORT_ERR']);

    const one = new AbortController();
    const again = outcomes(four, [one.signal, undefined]);
    await turns(1);
    one.abort();
    await four.server.write('goes on');
    t.equal(String(await four.client.readExactly(7)), 'goes on');
    await four.server.shutdown();
    t.same(await again, ['ABORT_ERR', 'fulfilled']);
  });
}

t.test('a pipe to a connection that has failed already', async t => {
  const [client, front] = await pair(t);
  const [back] = await pair(t);
  await client.reset();
  await t.rejects(front.read(), { code: 'ECONNRESET' });
  await t.rejects(back.pipeTo(front), { code: /ECONNRESET|EPIPE/ });
  await t.rejects(front.write('x'), { code: /ECONNRESET|EPIPE/ });
});

t.test('a pipe whose other side is stuck ends when that has failed', async t => {
  const four = await line(t, pair);
  const ending = outcomes(four);
  const filling = four.server.write(Buffer.alloc(20_000_000)).catch(error => error.code);
  await t.rejects(four.server.drained({ timeout: 50 }), { code: 'ETIMEDOUT' });
  await four.client.reset();
  const [there, back] = await ending;
  t.match(there, /ECONNRESET/);
  t.match(back, /ECONNRESET|EPIPE/);
  await four.back.reset();
  t.match(await filling, /ECONNRESET|EPIPE/);
});

t.test('the example: a client that resets ends its connection to the target too', async t => {
  const target = await listen({ port: 0, host: HOST });
  const proxy = await listen({ port: 0, host: HOST });
  const connecting = connect({ port: portOf(proxy), host: HOST });
  const inner = await proxy.accept();
  const outer = await connect({ port: portOf(target), host: HOST });
  const [client, server] = await Promise.all([connecting, target.accept()]);
  const forwarding = Promise.all([inner.pipeTo(outer), outer.pipeTo(inner)]).catch(error => {
    inner.reset();
    outer.reset();
    return error.code;
  });
  await client.write('begins');
  await server.readExactly(6);
  await client.reset();
  t.equal(await forwarding, 'ECONNRESET');
  await t.rejects(server.read(), { code: 'ECONNRESET' });
  await Promise.all([server.close(), target.close(), proxy.close()]);
});
