/** A server on several threads: one port, channels, ends. */
import { inspect } from 'node:util';
import koffi from 'koffi';
import t from 'tap';
import { type InetAddress, serveOnThreads, type ThreadStart } from 'uasync/net';
import { checkLeaks, turns, until, whenClosed } from '../harness.js';
import { built, output } from '../programs.js';
import { ask, closed, MODULE, open, portOf, reachAll, start } from '../thread-server.js';

checkLeaks();

t.test('threads share a port that was chosen once, and each gets connections', async t => {
  await using server = await start(2, {});
  t.equal(server.size, 2);
  t.equal(server.addresses.length, 1);
  const reached = await reachAll(portOf(server), [0, 1]);
  t.same([...reached.keys()].sort(), [0, 1]);
  for (const [id, socket] of reached) t.equal(await ask(socket, `to ${id}`), `to ${id}`);
  for (const socket of reached.values()) await closed(socket);
  t.equal(await server.stop({ timeout: 120_000 }), 0, 'nobody had to be terminated');
  t.equal(await server.stop({ timeout: 120_000 }), 0, 'a second stop is the first');
  t.equal(server.channel(0), null);
  t.same(
    (await server.stats()).map(({ loop }) => loop),
    [null, null],
  );
});

t.test('by default there is a thread for each core; each call of listen has its own shared port', async t => {
  await using server = await start(undefined, { mode: 'two' });
  t.ok(server.size >= 1);
  t.equal(server.addresses.length, 2);
  const [first, second] = server.addresses as InetAddress[];
  t.not(first!.port, second!.port);
});

t.test('a function that returns without listening serves too', async t => {
  await using server = await start(2, { mode: 'quiet' });
  t.equal(server.address, undefined);
  const stats = await server.stats();
  t.same(
    stats.map(({ id, restarts }) => [id, restarts]),
    [
      [0, 0],
      [1, 0],
    ],
  );
  t.ok(stats.every(({ loop }) => loop!.stale === 0 && loop!.overflow === 0));
});

t.test('channels to each thread, and to all of them', async t => {
  await using server = await start(2, {});
  for (const id of [0, 1]) {
    await server.channel(id)!.send('hello');
    t.same(await server.channel(id)!.recv(), { id, value: 'hello' });
  }
  await server.broadcast({ config: new Map([['a', 1]]) });
  for (const id of [0, 1]) {
    t.same(await server.channel(id)!.recv(), { id, value: { config: new Map([['a', 1]]) } });
  }
  t.throws(() => server.channel(2), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('a stop waits for open connections, then ends them', async t => {
  await using server = await start(2, {});
  const reached = await reachAll(portOf(server), [0, 1]);
  const stopping = server.stop({ timeout: 60_000 });
  // Listeners go at once.
  for (;;) {
    const refused = await open(portOf(server)).then(closed, error => error);
    if (refused?.code === 'ECONNREFUSED') break;
  }
  for (const [id, socket] of reached) t.equal(await ask(socket, `still ${id}`), `still ${id}`);
  for (const socket of reached.values()) await closed(socket);
  t.equal(await stopping, 0);

  await using other = await start(2, {});
  const kept = await reachAll(portOf(other), [0, 1]);
  const ends = [...kept.values()].map(whenClosed);
  t.equal(await other.stop({ timeout: 50 }), 2, 'both were terminated');
  await Promise.all(ends);

  await using third = await start(1, { mode: 'stubborn' });
  const now = new AbortController();
  const ending = third.stop({ timeout: 60_000, signal: now.signal });
  now.abort();
  t.equal(await ending, 1);
});

t.test('a start that takes too long is given up, and its threads end', async t => {
  // A process of its own: it ends when nothing is left, and what Node loses with a thread that loads is its.
  t.equal(
    await output(process.execPath, [built('test/fixtures/start-given-up.js'), MODULE]),
    'ETIMEDOUT serve\n',
  );

  const controller = new AbortController();
  const reason = new Error('no more');
  let gone = '';
  const options = {
    signal: controller.signal,
    timeout: 60_000,
    onStart: async ({ channel }: ThreadStart) => {
      await channel.recv();
      controller.abort(reason);
      await channel.recv().catch(error => {
        gone = error.code;
      });
    },
  };
  await t.rejects(start(1, { mode: 'never' }, options), { code: 'ABORT_ERR', cause: reason });
  await until(() => gone !== '');
  t.equal(gone, 'ERR_CLOSED', 'its thread has ended');
  await t.rejects(start(1, {}, { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  // Once they serve they are not the signal's any more.
  const late = new AbortController();
  await using server = await start(1, {}, { signal: late.signal, timeout: 60_000 });
  late.abort();
  const socket = await open(portOf(server));
  t.equal(await ask(socket, 'still there'), 'still there');
  await closed(socket);
});

t.test('wrong arguments', async t => {
  await t.rejects(serveOnThreads(0, MODULE), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(serveOnThreads(1, './relative.js'), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(serveOnThreads(1, 5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveOnThreads(1, MODULE, { restartDelay: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(serveOnThreads(1, MODULE, { onCrash: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveOnThreads(1, MODULE, { timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(serveOnThreads(1, MODULE, { signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveOnThreads(1, MODULE, { data: () => {} }), { name: 'DataCloneError' });
});

t.test('stats of a thread that is busy time out', async t => {
  await using server = await start(1, {});
  const blocked = new Int32Array(new SharedArrayBuffer(4));
  await server.channel(0)!.send({ blocked });
  await until(() => Atomics.load(blocked, 0) === 1);
  await t.rejects(server.stats({ timeout: 20 }), { code: 'ETIMEDOUT' });
  Atomics.store(blocked, 0, 2);
  Atomics.notify(blocked, 0);
  const [stats] = await server.stats();
  t.equal(stats!.loop!.overflow, 0);
});

t.test('a stop with wrong options is refused, and the server can still be stopped', async t => {
  await using server = await start(1, {});
  await t.rejects(server.stop(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(server.stop({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(server.stop({ signal: 5 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.match(inspect(server), /serving/);
  t.not(server.channel(0), null, 'it runs');
  // One signal may be for many calls, without a warning of a leak.
  const warned: Error[] = [];
  const warn = (warning: Error): unknown => warned.push(warning);
  process.on('warning', warn);
  const { signal } = new AbortController();
  const stops = Array.from({ length: 12 }, () => server.stop({ signal }));
  t.equal(await server.stop({ signal: AbortSignal.abort() }), 1, 'an aborted signal terminates at once');
  await Promise.all(stops);
  await turns();
  process.off('warning', warn);
  t.strictSame(warned, []);
});

const RLIMIT_NOFILE = 7;

t.test('a port that could not be reserved for lack of descriptors is reserved by the next call', async t => {
  await using server = await start(1, {});
  const channel = server.channel(0)!;
  const limit = new BigUint64Array(2);
  const libc = koffi.load(null);
  libc.func('getrlimit', 'int', ['int', 'void *'])(RLIMIT_NOFILE, limit);
  const setLimit = libc.func('setrlimit', 'int', ['int', 'void *']);
  setLimit(RLIMIT_NOFILE, new BigUint64Array([3n, limit[1]!]));
  await channel.send('listen');
  const answer = await channel.recv().finally(() => setLimit(RLIMIT_NOFILE, limit));
  t.equal(answer, 'EMFILE');
  await channel.send('listen');
  t.equal(await channel.recv(), 'listened');
});
