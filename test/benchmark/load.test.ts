import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import {
  bodies,
  churn,
  datagrams,
  exchange,
  generatorLanguage,
  http,
  type LoadResult,
  paced,
  stream,
  type Target,
  whileIdle,
} from '../../benchmark/load.js';
import { BODY } from '../../benchmark/peers/http/hello.js';
import { latencyOf } from '../../benchmark/statistics.js';
import { hasCompiler } from '../compiler.js';
import '../patience.js';
import { serve } from '../programs.js';
import { sharedServer } from '../shared-server.js';

// Most of the time is spent waiting for what does not come.
t.jobs = 2;

/** Options for a test of its own: tap keeps what it prints in them. */
const inC = (): { skip: string | false } => ({
  skip: hasCompiler ? false : 'this load generator is in C, and there is no cc here',
});

/** Ways of a server for which a load does not wait to the end: something never comes back, or too late. */
const LOSES = new Set(['drop', 'late']);

/** Runs a load against a server that does its work so. However busy the machine is, the load waits for what comes. */
async function against<T>(
  test: Test,
  how: string,
  run: (target: Target) => Promise<T>,
  server = 'test/fixtures/rude-echo.js',
  own = how === 'stall',
): Promise<T> {
  const port = await (own ? ownServer(test, server, how) : sharedServer(server, how));
  // The load is started with it in the same turn.
  process.env.UASYNC_LOAD_GRACE = LOSES.has(how) ? '1' : '60';
  return run({ port, core: null });
}

/** One that stalls once in its life, or counts what it gets from this test. */
async function ownServer(test: Test, server: string, how: string): Promise<number> {
  const { port, child } = await serve(server, how);
  test.teardown(() => child.kill('SIGKILL'));
  return port;
}

const UDP = 'test/fixtures/rude-udp.js';
const HTTP = 'benchmark/peers/http/node-http.js';

/** What a load had to say. */
async function verdict(load: Promise<unknown>): Promise<string> {
  return load.then(
    () => 'nothing wrong',
    error => error.message,
  );
}

const OVER_TCP: Record<string, (target: Target) => Promise<unknown>> = {
  stream: target => stream(target, { conns: 4, size: 64, depth: 2 }, 0.2),
  churn: target => churn(target, 4, 64, 0.2),
  paced: target => paced(target, { protocol: 'tcp', conns: 4, size: 64, rate: 500 }, 0.2),
  idle: target => whileIdle(target, { conns: 4, size: 64 }, async () => {}),
};

for (const [name, run] of Object.entries(OVER_TCP)) {
  t.test(`${name} notices a server that`, inC(), async t => {
    const hows = ['well', 'split', 'corrupt', 'drop', 'close'];
    const [well, split, corrupt, drop, close] = await Promise.all(
      hows.map(how => verdict(against(t, how, run))),
    );
    t.equal(well, 'nothing wrong', 'does well');
    t.equal(split, 'nothing wrong', 'sends pieces');
    t.match(corrupt, /a byte came back wrong/, 'corrupts');
    t.match(drop, name === 'idle' ? /recv/ : /\d messages never came back/, 'drops');
    t.match(close, name === 'idle' ? /came back wrong/ : /the server closed a connection/, 'closes');
  });
}

const DATAGRAMS = { conns: 4, size: 64, depth: 2 };
const PACED = { protocol: 'udp', conns: 4, size: 64, rate: 500 } as const;

t.test('datagrams are compared, and counted when they are lost', inC(), async t => {
  const run = (how: string, seconds = 0.5): Promise<LoadResult> =>
    against(t, how, target => datagrams(target, DATAGRAMS, seconds), UDP);
  t.match(await run('well'), { corrupt: 0, lost: 0 });
  await t.rejects(run('corrupt'), /a byte came back wrong/);
  await t.rejects(run('short'), /a byte came back wrong/);
  const drop = await run('drop', 1.5);
  t.ok(drop.lost > 0 && drop.ops > 0, `${drop.lost} lost of ${drop.ops}`);
  const late = await run('late', 3);
  t.ok(late.lost > 0 && late.late > 0, `${late.late} came after they were given up`);
  const delay = latencyOf([(await run('delay')).latencies])!;
  t.ok(delay.p50 >= 29_000, `a delay of 30 ms shows: ${delay.p50} us`);
});

t.test('datagrams too short for a number are compared too', inC(), async t => {
  const run = (how: string): Promise<LoadResult> =>
    against(t, how, target => datagrams(target, { conns: 3, size: 1, depth: 1 }, 0.5), UDP);
  t.match(await run('well'), { corrupt: 0, lost: 0 });
  await t.rejects(run('corrupt'), /a byte came back wrong/);
  t.ok((await run('drop')).lost > 0);
});

t.test('datagrams at a fixed rate', inC(), async t => {
  const run = (how: string): Promise<LoadResult> =>
    against(t, how, target => paced(target, PACED, 0.2), UDP, how === 'drop');
  t.match(await run('well'), { ops: 100, lost: 0 });
  const { ops, lost } = await run('drop');
  t.equal(ops + lost, 100);
  t.ok(lost >= 10, `${lost} lost`);
  await t.rejects(run('corrupt'), /a byte came back wrong/);
});

t.test('answers of HTTP are compared', inC(), async t => {
  const run = (body: string): Promise<LoadResult> =>
    against(t, '0', target => http(target, { conns: 4, body }, 0.2), HTTP);
  const { ops, corrupt } = await run(BODY);
  t.ok(ops > 0);
  t.equal(corrupt, 0);
  await t.rejects(run('Hello, there!\n'), /a byte came back wrong/);
  await t.rejects(run('Hello'), /a byte came back wrong/, 'of another length');
  const closed = against(t, 'close', target => http(target, { conns: 4, body: BODY }, 0.2));
  await t.rejects(closed, /the server closed a connection/);
});

t.test('pipelined answers of HTTP are told apart', inC(), async t => {
  const run = (body: string): Promise<LoadResult> =>
    against(t, '0', target => http(target, { conns: 4, body, depth: 16 }, 0.2), HTTP);
  const { ops, corrupt } = await run(BODY);
  t.ok(ops > 0 && ops % 16 === 0, `${ops}`);
  t.equal(corrupt, 0);
  await t.rejects(run('Hello, there!\n'), /a byte came back wrong/);
});

t.test('requests of HTTP at a fixed rate', inC(), async t => {
  const run = (body: string): Promise<LoadResult> =>
    against(t, '0', target => http(target, { conns: 4, body, rate: 500 }, 0.2), HTTP);
  t.match(await run(BODY), { ops: 100, corrupt: 0, lost: 0 });
  await t.rejects(run('Hello, there!\n'), /a byte came back wrong/);
});

t.test('answers with the number of their request are compared', inC(), async t => {
  const run = (how: string, request: string, answer: string, depth: number): Promise<LoadResult> =>
    against(t, how, target => exchange(target, { conns: 4, request, answer, depth }, 0.1));
  const { ops, corrupt } = await run('well', 'a 00000000 b 00000000\n', 'a 00000000 b 00000000\n', 3);
  t.ok(ops > 0 && ops % 3 === 0, `${ops}`);
  t.equal(corrupt, 0);
  const wrong = /a byte came back wrong/;
  await t.rejects(run('well', 'a 00000000\n', 'b 00000000\n', 1), wrong);
  await t.rejects(run('well', 'a 00000000\n', 'a 00000001\n', 1), wrong, 'the number of no request');
  await t.rejects(run('well', 'a 00000000 and more\n', 'a 00000000', 1), wrong, 'more than was expected');
  await t.rejects(run('corrupt', 'a 00000000\n', 'a 00000000\n', 2), wrong);
  await t.rejects(run('drop', 'a 00000000\n', 'a 00000000\n', 2), /never came back/);
});

t.test('large bodies are compared', inC(), async t => {
  const run = (how: string, method: 'get' | 'post' = 'get'): Promise<string> => {
    const shape = { conns: 2, method, path: '/', size: 100_000 };
    return verdict(against(t, how, target => bodies(target, shape, 0.1), 'test/fixtures/rude-bodies.js'));
  };
  t.equal(await run('length'), 'nothing wrong');
  t.equal(await run('chunks'), 'nothing wrong');
  t.equal(await run('length', 'post'), 'nothing wrong');
  for (const how of ['corrupt', 'short', 'long']) t.match(await run(how), /a byte came back wrong/, how);
  t.match(await run('miscount', 'post'), /a byte came back wrong/);
});

t.test('there is a generator, whatever the machine', async t => {
  t.equal(generatorLanguage(), hasCompiler ? 'C' : 'JavaScript');
});

t.test('latency counts from when a message was due', inC(), async t => {
  const shape = { protocol: 'tcp', conns: 4, size: 64, rate: 500 } as const;
  const delayed = await against(t, 'delay', target => paced(target, shape, 0.4));
  t.equal(delayed.ops, 200);
  const latency = latencyOf([delayed.latencies])!;
  t.ok(latency.p50 >= 29_000, `a delay of 30 ms shows: ${latency.p50} us`);
  t.ok(latency.p50 <= latency.p99 && latency.p99 <= latency.p999 && latency.p999 <= latency.max);

  // 400 of 1000 ms: a generator that waits for each answer would have seen one slow message.
  const stalled = await against(t, 'stall', target => paced(target, { ...shape, rate: 1000 }, 1));
  t.equal(stalled.ops, 1000);
  const { p99 } = latencyOf([stalled.latencies])!;
  t.ok(p99 >= 300_000, `a stall is charged for all that came due in it: ${p99} us`);
});

t.test('idle connections are all there while they are measured', inC(), async t => {
  const established = (port: number): number => {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const lines = readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .filter(line => line.includes(`0100007F:${hex} `) && / 01 /.test(line.slice(30, 40)));
    // The table is not read at one moment: a connection may be listed twice.
    return new Set(lines.map(line => line.trim().split(/\s+/).slice(1, 3).join())).size;
  };
  const during = await against(t, 'well', target =>
    whileIdle(target, { conns: 300, size: 64 }, async () => established(target.port)),
  );
  // Each is seen from both ends.
  t.equal(during, 600);
});
