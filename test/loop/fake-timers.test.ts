/** Test runners replace timers, queues and clocks: the loop works on meanwhile, and after that. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import timers from 'node:timers';
import t from 'tap';
import { Channel, callSoon, channelPair, loop, nop, sleep } from 'uasync';
import { readFile, stat } from 'uasync/fs';
import { bind } from 'uasync/net';
import { checkLeaks, scratchFolder } from '../harness.js';
import { type Ending, pair, unixPair } from '../net/sockets.js';
import { start } from '../thread-server.js';

checkLeaks();

const folder = scratchFolder();
const realSetTimeout = setTimeout;
const realClearTimeout = clearTimeout;

async function code(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    error => (error as { code: string }).code,
  );
}

/** Calls, and what each comes to. */
const CALLS: Record<string, (test: Ending) => Promise<unknown>> = {
  nop: () => nop(),
  sleep: () => sleep(1),
  callSoon: () => new Promise<void>(resolve => callSoon(resolve)),
  run: () => loop().run(),
  stat: () => stat('/'),
  readFile: () => readFile('/proc/self/stat'),
  'more than one burst': async () => {
    for (let i = 0; i < 500; i++) await nop();
  },
  'a timeout': async test => {
    const [client] = await pair(test);
    return code(client.read({ timeout: 5 }));
  },
  'an idle timeout': async test => {
    const [client] = await pair(test);
    return code(client.setTimeout(5).read());
  },
  'connections, piped': async test => {
    const [client, server] = await pair(test);
    const [from, to] = await unixPair(test);
    const piped = server.pipeTo(from);
    await client.write('hello');
    await client.shutdown();
    await piped;
    return String(await to.read());
  },
  'many datagrams': async () => {
    await using socket = await bind({ host: '127.0.0.1' });
    await socket.send('hello', socket.address.port, '127.0.0.1');
    return (await socket.recvMany()).length;
  },
  'a Unix socket that has no room': async () => {
    const path = join(folder, 'full');
    await using receiver = await bind({ path });
    await using sender = await bind({ path: `${path}-sender` });
    const sends: Promise<number>[] = [];
    for (let i = 0; i < 500; i++) sends.push(sender.send('hello', path));
    for (let i = 0; i < 500; i++) await receiver.recv();
    await Promise.all(sends);
    rmSync(path, { force: true });
    rmSync(`${path}-sender`, { force: true });
  },
  'a channel': async () => {
    const [here, there] = channelPair().map(end => new Channel<number>(end)) as [
      Channel<number>,
      Channel<number>,
    ];
    const received = there.recv();
    await here.send(1);
    for (let i = 0; i < 800; i++) await there.send(i);
    let sum = await received;
    for (let i = 0; i < 800; i++) sum += await here.recv();
    await Promise.all([here.close(), there.close()]);
    return sum;
  },
};

const EXPECTED: Record<string, unknown> = {
  'a timeout': 'ETIMEDOUT',
  'an idle timeout': 'ETIMEDOUT',
  'connections, piped': 'hello',
  'many datagrams': 1,
  'a channel': 1 + (800 * 799) / 2,
};

/** Makes each call; what has not settled after a minute of real time has stopped, however busy the machine is. */
async function makeCalls(): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, call] of Object.entries(CALLS)) {
    const ends: (() => Promise<void>)[] = [];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>(resolve => {
      timer = realSetTimeout(() => resolve('hangs'), 60_000);
    });
    const result = await Promise.race([
      call({ teardown: end => ends.push(end) }).catch(error => error),
      late,
    ]);
    for (const end of ends) await end();
    realClearTimeout(timer);
    const expected = EXPECTED[name];
    const failed = result === 'hangs' || result instanceof Error;
    if (failed || (expected !== undefined && result !== expected)) wrong.push(`${name}: ${result}`);
  }
  return wrong;
}

t.test("with node:test's mock.timers", async t => {
  await stat('/');
  mock.timers.enable();
  try {
    t.same(await makeCalls(), []);
    const { mtime } = await stat('/');
    t.type(mtime, Date);
    t.ok(mtime.getTime() > 0, 'dates are those of files');
  } finally {
    mock.timers.reset();
  }
  t.same(await makeCalls(), [], 'and after reset()');
});

t.test('threads start and stop', async t => {
  mock.timers.enable();
  try {
    const server = await start(1, {});
    t.equal(await server.stop({ timeout: 120_000 }), 0);
  } finally {
    mock.timers.reset();
  }
});

/** Replaces all that jest and sinon do by functions that never call back; returns how to undo it. */
function fakeEverything(): () => void {
  const never = (): unknown => ({ ref: never, unref: never });
  const undo: (() => void)[] = [];
  const fake = (object: object, name: string, value: unknown): void => {
    const real = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
    undo.push(() => {
      if (real === undefined) delete (object as Record<string, unknown>)[name];
      else Object.defineProperty(object, name, real);
    });
  };
  const names = [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'clearImmediate',
  ];
  for (const object of [globalThis, timers]) for (const name of names) fake(object, name, never);
  fake(globalThis, 'queueMicrotask', never);
  fake(process, 'nextTick', never);
  fake(process, 'hrtime', () => [0, 0]);
  fake(performance, 'now', () => 0);
  const RealDate = Date;
  fake(
    globalThis,
    'Date',
    class extends RealDate {
      constructor() {
        super(0);
      }
    },
  );
  return () => {
    for (const one of undo.reverse()) one();
  };
}

t.test('with nextTick, queueMicrotask and the clocks faked too', async t => {
  const undo = fakeEverything();
  let wrong: string[];
  try {
    wrong = await makeCalls();
  } finally {
    undo();
  }
  t.same(wrong, []);
  t.same(await makeCalls(), [], 'and after that');
});
