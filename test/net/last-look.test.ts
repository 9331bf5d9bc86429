/** What has arrived before a timeout is delivered, although the thread was busy until after it. */
import { openSync, writeSync } from 'node:fs';
import t from 'tap';
import { bind, connect, openPipe } from 'uasync/net';

import { checkLeaks, makeFifo, scratchFolder, turns } from '../harness.js';
import { refusingPort } from '../ports.js';
import { HOST, pair, portOf, unixPair } from './sockets.js';

checkLeaks();

const TIMEOUT = 300;
const clock = new Int32Array(new SharedArrayBuffer(4));

/** Calls, has something arrive in time, and does nothing else until the time has passed. */
async function busy<T>(call: () => Promise<T>, arrive: () => void): Promise<T> {
  for (;;) {
    const start = performance.now();
    const calling = call();
    calling.catch(() => {});
    await turns();
    if (performance.now() - start > TIMEOUT / 2) {
      // A slow machine is late itself.
      await calling.catch(() => {});
      continue;
    }
    arrive();
    Atomics.wait(clock, 0, 0, TIMEOUT);
    return calling;
  }
}

t.test('reads', async t => {
  for (const make of [pair, unixPair]) {
    const [conn, peer] = await make(t);
    const options = { timeout: TIMEOUT };
    const arrive = (): void => void writeSync(peer.fd, 'in time');
    t.equal(String(await busy(() => conn.read(options), arrive)), 'in time');
    t.equal(String(await busy(() => conn.readExactly(7, options), arrive)), 'in time');
    await t.rejects(conn.read({ timeout: 5 }), { code: 'ETIMEDOUT' });
  }
});

t.test('datagrams', async t => {
  await using socket = await bind({ port: 0, host: HOST });
  await using peer = await bind({ port: 0, host: HOST });
  await peer.connect(portOf(socket), HOST);
  const arrive = (): void => void writeSync(peer.fd, 'in time');
  const { data } = await busy(() => socket.recv({ timeout: TIMEOUT }), arrive);
  t.equal(String(data), 'in time');
  await t.rejects(socket.recv({ timeout: 5 }), { code: 'ETIMEDOUT' });
});

t.test('pipes', async t => {
  const fifo = makeFifo(scratchFolder(), 'fifo');
  const fd = openSync(fifo, 'r+');
  await using pipe = openPipe(fd);
  const chunk = await busy(
    () => pipe.read({ timeout: TIMEOUT }),
    () => writeSync(fd, 'in time'),
  );
  t.equal(String(chunk), 'in time');
});

t.test('connections that are refused', async t => {
  const port = refusingPort(t);
  const connecting = Array.from({ length: 20 }, () => connect({ port, host: HOST, timeout: TIMEOUT }));
  const settled = Promise.allSettled(connecting);
  // They are submitted, and what has become of them is not seen yet.
  for (let i = 0; i < 3; i++) await new Promise<void>(resolve => process.nextTick(resolve));
  Atomics.wait(clock, 0, 0, 2 * TIMEOUT);
  for (const result of await settled) t.match(result, { reason: { code: 'ECONNREFUSED' } });
});
