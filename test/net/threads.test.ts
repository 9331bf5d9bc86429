/** A server on several threads: one port, crashes, ends. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import {
  type InetAddress,
  type ServeOptions,
  serveOnThreads,
  type ThreadCrash,
  type ThreadServer,
} from 'uasync/net';
import type { Data } from '../fixtures/served.js';
import { checkLeaks } from '../harness.js';
import { built } from '../programs.js';

const MODULE = built('test/fixtures/served.js');

checkLeaks();

function start(threads: number | undefined, data: Data, options: ServeOptions = {}): Promise<ThreadServer> {
  return serveOnThreads(threads, MODULE, { ...options, data });
}

function portOf(server: ThreadServer): number {
  return (server.address as InetAddress).port;
}

async function open(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  const [reply] = await once(socket, 'data');
  return String(reply);
}

async function closed(socket: net.Socket): Promise<void> {
  if (socket.closed) return;
  socket.destroy();
  await once(socket, 'close');
}

/** Connects until each of these threads has answered, and returns a connection to each. */
async function reachAll(port: number, ids: number[]): Promise<Map<number, net.Socket>> {
  const reached = new Map<number, net.Socket>();
  for (let tries = 0; tries < 500 && reached.size < ids.length; tries++) {
    const socket = await open(port);
    const id = Number(await ask(socket, 'who'));
    if (reached.has(id) || !ids.includes(id)) await closed(socket);
    else reached.set(id, socket);
  }
  return reached;
}

t.test('threads share a port that was chosen once, and each gets connections', async t => {
  await using server = await start(3, {});
  t.equal(server.size, 3);
  t.equal(server.addresses.length, 1);
  const reached = await reachAll(portOf(server), [0, 1, 2]);
  t.same([...reached.keys()].sort(), [0, 1, 2]);
  for (const [id, socket] of reached) t.equal(await ask(socket, `to ${id}`), `to ${id}`);
  for (const socket of reached.values()) await closed(socket);
  t.equal(await server.stop(), 0, 'nobody had to be terminated');
  t.equal(await server.stop(), 0, 'a second stop is the first');
  t.equal(server.channel(0), null);
  t.same(
    (await server.stats()).map(({ loop }) => loop),
    [null, null, null],
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

t.test('a thread that crashes is reported and started again, on the same port', async t => {
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
    reached.get(0)!.write(text);
    await once(reached.get(0)!, 'close');
    await restarted;
    t.match(crashes.at(-1)!, { id: 0, error, exitCode });
    t.equal(await ask(reached.get(1)!, 'still here'), 'still here', 'the other one goes on');
    await closed(reached.get(1)!);
  }
  t.same(
    crashes.map(({ restarts, delay }) => [restarts, delay]),
    [
      [0, 10],
      [1, 20],
    ],
  );
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
  const crashes: ThreadCrash[] = [];
  await using server = await start(1, { starts }, { restartDelay: 5, onCrash: crash => crashes.push(crash) });
  await server.channel(0)!.send('crash');
  while (Atomics.load(new Int32Array(starts), 0) < 5) await new Promise(resolve => setTimeout(resolve, 5));
  t.same(
    crashes.map(({ error, delay }) => [error.message, delay]),
    [
      ['asked by channel', 5],
      ['start 1 fails', 10],
      ['start 2 fails', 20],
      ['start 3 fails', 40],
    ],
  );
  const [socket] = (await reachAll(portOf(server), [0])).values();
  await closed(socket!);
});

t.test('without a listener for crashes there is a warning', async t => {
  await using server = await start(1, {}, { restartDelay: 1 });
  const warned = once(process, 'warning');
  await server.channel(0)!.send('crash');
  const [warning] = await warned;
  t.match(warning, { code: 'UASYNC_THREAD', message: /Thread 0 ended \(asked by channel\)/ });
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
  const ends = [...kept.values()].map(socket => once(socket, 'close'));
  t.equal(await other.stop({ timeout: 50 }), 2, 'both were terminated');
  await Promise.all(ends);

  await using third = await start(1, { mode: 'stubborn' });
  const now = new AbortController();
  const ending = third.stop({ timeout: 60_000, signal: now.signal });
  now.abort();
  t.equal(await ending, 1);
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
  t.equal(await server.stop(), 0);
});

t.test('what keeps a thread from starting rejects the call', async t => {
  await t.rejects(start(2, { mode: 'crash-at-start' }), { message: 'no start', code: 'E_NO_START' });
  await t.rejects(start(2, { mode: 'exit' }), { code: 'ERR_THREAD_EXIT' });
  await t.rejects(serveOnThreads(1, built('no/such/module.js')), { code: 'ERR_MODULE_NOT_FOUND' });
  await t.rejects(serveOnThreads(1, 'data:text/javascript,export default 1'), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  await t.rejects(serveOnThreads(1, 'data:text/javascript,nonsense('), { name: 'SyntaxError' });

  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  await t.rejects(start(2, { port }), { code: 'EADDRINUSE', port });
  taken.close();
  await once(taken, 'close');
  await t.rejects(start(1, { host: '192.0.2.1' }), { code: 'EADDRNOTAVAIL', address: '192.0.2.1' });
});

t.test('wrong arguments', async t => {
  await t.rejects(serveOnThreads(0, MODULE), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(serveOnThreads(1, './relative.js'), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(serveOnThreads(1, 5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveOnThreads(1, MODULE, { restartDelay: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(serveOnThreads(1, MODULE, { onCrash: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(serveOnThreads(1, MODULE, { data: () => {} }), { name: 'DataCloneError' });
});

t.test('stats of a thread that is busy time out', async t => {
  await using server = await start(1, {});
  await server.channel(0)!.send('block');
  await new Promise(resolve => setTimeout(resolve, 100));
  await t.rejects(server.stats({ timeout: 20 }), { code: 'ETIMEDOUT' });
  const [stats] = await server.stats();
  t.equal(stats!.loop!.overflow, 0);
});
