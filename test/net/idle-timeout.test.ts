/** setTimeout of a connection: when it says ETIMEDOUT, and to whom. */
import { once } from 'node:events';
import t from 'tap';
import { sleep } from 'uasync';
import { listen } from 'uasync/net';
import { setIntOption } from '../../src/node/int-option.js';
import { MSG_DONTWAIT, SO_RCVBUF, SOL_SOCKET } from '../../src/sys/abi/sockets.js';
import { libc } from '../../src/sys/libc/libc.js';
import { checkLeaks } from '../harness.js';
import { connectTo, HOST, pair, portOf, unixPair } from './sockets.js';

checkLeaks();

const MS = 200;
const TICK = 5;

t.test('a read ends within a tenth of its time after the last byte', async t => {
  const waits: number[] = [];
  // A machine that does other things stops this process, and so this clock.
  const runs: number[] = [];
  let ran = 0;
  const clock = setInterval(() => {
    ran += TICK;
  }, TICK);
  t.teardown(() => clearInterval(clock));
  for (let i = 0; i < 6; i++) {
    const [client, server] = await pair(t);
    server.setTimeout(MS);
    // At another moment each time.
    await sleep((i * MS) / 6);
    await client.write('x');
    await server.read();
    ran = 0;
    const begun = performance.now();
    await t.rejects(server.read(), { code: 'ETIMEDOUT', syscall: 'read' });
    waits.push(performance.now() - begun);
    runs.push(ran);
  }
  t.ok(Math.min(...waits) >= MS - 1, `not before: ${waits.map(Math.round)} ms`);
  t.ok(Math.min(...runs) <= MS * 1.1 + TICK, `and hardly after: ${runs} ms`);
});

t.test('bytes that move keep it from it, and so does that nobody waits', async t => {
  const [client, server] = await pair(t);
  server.setTimeout(MS / 2);
  let stopped = false;
  const sending = (async () => {
    while (!stopped) {
      await client.write('x');
      await sleep(5);
    }
  })();
  const begun = performance.now();
  while (performance.now() - begun < MS * 2) t.ok((await server.read()) !== null);
  stopped = true;
  await sending;
  server.setTimeout(MS / 2);
  await sleep(MS);
  const reading = server.read().catch(error => error.code);
  await client.write('late');
  t.not(await reading, 'ETIMEDOUT', 'the time counts from when somebody waits');
});

t.test('a process that was held up for as long receives first', async t => {
  const [client, server] = await pair(t);
  server.setTimeout(MS);
  const reading = server.read();
  await sleep(MS / 2);
  // The byte lies in the socket, and the next that runs are the timers.
  await new Promise(resolve => setImmediate(resolve));
  const writing = client.write('x');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, MS * 1.5);
  t.equal(String(await reading), 'x');
  await writing;
});

t.test('the time can be changed, and taken back, of some of many', async t => {
  const [a, b] = await pair(t);
  const [c, d] = await pair(t);
  for (const conn of [a, b, c, d]) conn.setTimeout(20);
  a.setTimeout(0);
  c.setTimeout(1e12);
  const never = Promise.race([a.read(), c.read()]).then(() => 'read');
  await t.rejects(b.read(), { code: 'ETIMEDOUT' });
  await t.rejects(d.read(), { code: 'ETIMEDOUT' });
  await b.write('x');
  t.equal(await never, 'read');
  await d.write('x');
});

t.test('a peer that takes a large write slowly moves bytes all the time', async t => {
  const listener = await listen({ port: 0, host: HOST });
  // The window of its connections.
  setIntOption(listener.fd, SOL_SOCKET, SO_RCVBUF, 8192);
  const pairs = [await connectTo(t, listener, { port: portOf(listener), host: HOST }), await unixPair(t)];
  const ms = 1200;
  await Promise.all(
    pairs.map(async ([client, server]) => {
      client.setTimeout(ms);
      const stream = client.toDuplex();
      const failure = once(stream, 'error').then(([{ code }]) => code);
      stream.setTimeout(ms, () => t.fail('the stream had traffic'));
      stream.write(Buffer.alloc(8_000_000));
      // By calls: a read of ours receives ahead.
      const bytes = Buffer.alloc(65_536);
      let got = 0;
      const begun = performance.now();
      for (let time = 0; time < ms * 3; time = performance.now() - begun) {
        const due = Math.min(Math.floor(time * 160) - got, bytes.length);
        if (due > 0) got += Math.max(libc().recv(server.fd, bytes.subarray(0, due), MSG_DONTWAIT), 0);
        await sleep(10);
      }
      t.ok(stream.writableLength > 0);
      t.ok(got > 50_000);
      t.equal(client.closed, false);
      stream.removeAllListeners('timeout');
      t.equal(await failure, 'ETIMEDOUT', 'it stops to read');
    }),
  );
});
