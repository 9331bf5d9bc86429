/** Threads of a server that crash, or never start. */
import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { serveOnThreads, type ThreadCrash } from 'uasync/net';
import { checkLeaks, whenClosed } from '../harness.js';
import { built } from '../programs.js';
import { ask, closed, portOf, reachAll, start } from '../thread-server.js';

checkLeaks();

/** A thread that has run for so long has proved itself, and the next crash counts as its first. */
const PROVEN_MS = 10_000;

/**
 * Each delay is twice the one before. Only where a thread may have run for long enough to prove itself, on a busy
 * machine, it may be the first again.
 */
function checkDelays(test: Test, crashes: ThreadCrash[], first: number, took: number): void {
  for (const [i, { delay }] of crashes.entries()) {
    const doubled = i === 0 ? first : crashes[i - 1]!.delay * 2;
    test.ok(delay === doubled || (delay === first && took >= PROVEN_MS), `a delay of ${delay} ms`);
  }
}

t.test('a thread that crashes is reported and started again, on the same port', async t => {
  const began = performance.now();
  const crashes: ThreadCrash[] = [];
  const started: number[] = [];
  let again = (): void => {};
  await using server = await start(
    2,
    {},
    {
      restartDelay: 10,
      onCrash: crash => crashes.push(crash),
      onStart: ({ id, restarts }) => {
        started.push(id);
        if (restarts !== 0) again();
      },
    },
  );
  const port = portOf(server);
  const before = server.channel(0);
  for (const [text, error, exitCode] of [
    ['crash', { name: 'TypeError', message: 'asked to crash' }, 1],
    ['exit', { code: 'ERR_THREAD_EXIT', message: 'Thread 0 ended with exit code 3' }, 3],
  ] as const) {
    const reached = await reachAll(port, [0, 1]);
    const restarted = new Promise<void>(resolve => {
      again = resolve;
    });
    const gone = whenClosed(reached.get(0)!);
    reached.get(0)!.write(text);
    await gone;
    await restarted;
    t.match(crashes.at(-1)!, { id: 0, error, exitCode });
    t.equal(await ask(reached.get(1)!, 'still here'), 'still here', 'the other one goes on');
    await closed(reached.get(1)!);
  }
  t.same(
    crashes.map(({ restarts }) => restarts),
    [0, 1],
  );
  checkDelays(t, crashes, 10, performance.now() - began);
  t.same(started, [0, 1, 0, 0]);
  await t.rejects(before!.recv(), { code: 'ERR_CLOSED' });
  const reached = await reachAll(port, [0, 1]);
  t.equal(reached.size, 2, 'all serve again');
  for (const socket of reached.values()) await closed(socket);
  t.same(
    (await server.stats()).map(({ restarts }) => restarts),
    [2, 0],
  );
});

t.test('one that crashes again and again is started ever more rarely', async t => {
  const starts = new SharedArrayBuffer(4);
  const began = performance.now();
  const crashes: ThreadCrash[] = [];
  await using server = await start(1, { starts }, { restartDelay: 5, onCrash: crash => crashes.push(crash) });
  await server.channel(0)!.send('crash');
  while (Atomics.load(new Int32Array(starts), 0) < 5) await new Promise(resolve => setTimeout(resolve, 5));
  t.same(
    crashes.map(({ error }) => error.message),
    ['asked by channel', 'start 1 fails', 'start 2 fails', 'start 3 fails'],
  );
  checkDelays(t, crashes, 5, performance.now() - began);
  const [socket] = (await reachAll(portOf(server), [0])).values();
  await closed(socket!);
});

t.test('a crash of a thread that served is reported, also while others are starting', async t => {
  const crashes: ThreadCrash[] = [];
  const starts = new SharedArrayBuffer(4);
  await using server = await start(
    2,
    { mode: 'crash-early', starts },
    {
      restartDelay: 1,
      onCrash: crash => crashes.push(crash),
      onStart: ({ id, channel, restarts }) => {
        if (id !== 0) return;
        if (restarts === 0) {
          void channel.recv().then(() => channel.send('crash'));
          return;
        }
        Atomics.store(new Int32Array(starts), 0, 1);
        Atomics.notify(new Int32Array(starts), 0);
      },
    },
  );
  t.equal(server.size, 2);
  t.match(crashes, [{ id: 0, restarts: 0, error: { message: 'asked by channel' } }]);
});

t.test('without a listener for crashes there is a warning', async t => {
  await using server = await start(1, {}, { restartDelay: 1 });
  const warned = once(process, 'warning');
  await server.channel(0)!.send('crash');
  const [warning] = await warned;
  t.match(warning, { code: 'UASYNC_THREAD', message: /Thread 0 ended \(asked by channel\)/ });
});

t.test('a thread that cannot even be made again is tried again', async t => {
  let clones = 0;
  const data = {
    host: '127.0.0.1',
    get port(): number {
      clones++;
      if (clones === 2) throw new Error('not cloned');
      return 0;
    },
  };
  const began = performance.now();
  const crashes: ThreadCrash[] = [];
  await using server = await serveOnThreads(1, built('test/fixtures/served.js'), {
    data,
    restartDelay: 5,
    onCrash: crash => crashes.push(crash),
  });
  await server.channel(0)!.send('crash');
  while (crashes.length < 2) await new Promise(resolve => setTimeout(resolve, 5));
  const [socket] = (await reachAll(portOf(server), [0])).values();
  t.same(
    crashes.map(({ error, restarts }) => [error.message, restarts]),
    [
      ['asked by channel', 0],
      ['not cloned', 1],
    ],
  );
  checkDelays(t, crashes, 5, performance.now() - began);
  await closed(socket!);
});

t.test('a stop while a thread waits to be started again', async t => {
  let crashed = (): void => {};
  const crash = new Promise<void>(resolve => {
    crashed = resolve;
  });
  await using server = await start(1, {}, { restartDelay: 60_000, onCrash: () => crashed() });
  await server.channel(0)!.send('crash');
  await crash;
  t.equal(server.channel(0), null);
  await server.broadcast('to nobody');
  t.equal(await server.stop({ timeout: 120_000 }), 0);
});

t.test('what keeps a thread from starting rejects the call', async t => {
  await t.rejects(start(2, { mode: 'crash-at-start' }), { message: 'no start', code: 'E_NO_START' });
  await t.rejects(start(1, { mode: 'exit' }), { code: 'ERR_THREAD_EXIT' });
  await t.rejects(serveOnThreads(3, built('test/fixtures/served.js'), { data: () => {} }), {
    name: 'DataCloneError',
  });
  await t.rejects(serveOnThreads(1, built('no/such/module.js')), { code: 'ERR_MODULE_NOT_FOUND' });
  await t.rejects(serveOnThreads(1, 'data:text/javascript,export default 1'), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  await t.rejects(serveOnThreads(1, 'data:text/javascript,nonsense('), { name: 'SyntaxError' });

  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  await t.rejects(start(1, { port }), { code: 'EADDRINUSE', port });
  taken.close();
  await once(taken, 'close');
  await t.rejects(start(1, { host: '192.0.2.1' }), { code: 'EADDRNOTAVAIL', address: '192.0.2.1' });
});
