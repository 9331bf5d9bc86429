import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import {
  churn,
  datagrams,
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
import { serve } from '../programs.js';

// Most of the time is spent waiting for what does not come.
t.jobs = 2;

const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
const inC = { skip: hasCompiler ? false : 'this load generator is in C, and there is no cc here' };

async function rude(test: Test, how: string, fixture = 'rude-echo'): Promise<Target> {
  const { port, child } = await serve(`test/fixtures/${fixture}.js`, how);
  test.teardown(() => child.kill('SIGKILL'));
  return { port, core: null };
}

/** What a load has to say of a server that does its work so. */
async function against(run: (target: Target) => Promise<unknown>, target: Target): Promise<string> {
  return run(target).then(
    () => 'nothing wrong',
    error => error.message,
  );
}

const OVER_TCP: Record<string, (target: Target) => Promise<unknown>> = {
  stream: target => stream(target, { conns: 4, size: 64, depth: 2 }, 0.2),
  churn: target => churn(target, 4, 64, 0.2),
  paced: target => paced(target, { protocol: 'tcp', conns: 4, size: 64, rate: 500 }, 0.2),
  idle: target => whileIdle(target, 4, 64, async () => {}),
};

for (const [name, run] of Object.entries(OVER_TCP)) {
  t.test(`${name} notices a server that`, inC, async t => {
    const hows = ['well', 'split', 'corrupt', 'drop', 'close'];
    const [well, split, corrupt, drop, close] = await Promise.all(
      hows.map(async how => against(run, await rude(t, how))),
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

t.test('datagrams are compared, and counted when they are lost', inC, async t => {
  const run = async (how: string, seconds = 0.5): Promise<LoadResult> =>
    datagrams(await rude(t, how, 'rude-udp'), DATAGRAMS, seconds);
  // On a machine that is busy enough even a good server may take too long for some.
  const well = await run('well');
  t.equal(well.corrupt, 0);
  t.ok(well.ops > well.lost);
  await t.rejects(run('corrupt'), /a byte came back wrong/);
  await t.rejects(run('short'), /a byte came back wrong/);
  const drop = await run('drop', 1.5);
  t.ok(drop.lost > 0 && drop.ops > drop.lost, `${drop.lost} lost of ${drop.ops}`);
  const late = await run('late', 3);
  t.ok(late.lost > 0 && late.late > 0, `${late.late} came after they were given up`);
  const delay = latencyOf([(await run('delay')).latencies])!;
  t.ok(delay.p50 >= 29_000, `a delay of 30 ms shows: ${delay.p50} us`);
});

t.test('datagrams too short for a number are compared too', inC, async t => {
  const run = async (how: string): Promise<LoadResult> =>
    datagrams(await rude(t, how, 'rude-udp'), { conns: 3, size: 1, depth: 1 }, 0.5);
  const well = await run('well');
  t.equal(well.corrupt, 0);
  t.ok(well.ops > well.lost);
  await t.rejects(run('corrupt'), /a byte came back wrong/);
  t.ok((await run('drop')).lost > 0);
});

t.test('datagrams at a fixed rate', inC, async t => {
  const run = async (how: string): Promise<LoadResult> => paced(await rude(t, how, 'rude-udp'), PACED, 0.2);
  t.match(await run('well'), { ops: 100, lost: 0 });
  t.match(await run('drop'), { ops: 90, lost: 10 });
  await t.rejects(run('corrupt'), /a byte came back wrong/);
});

t.test('answers of HTTP are compared', inC, async t => {
  const { port, child } = await serve('benchmark/peers/http/node-http.js', '0');
  t.teardown(() => child.kill('SIGKILL'));
  const target = { port, core: null };
  const { ops, corrupt } = await http(target, 4, BODY, 0.2);
  t.ok(ops > 0);
  t.equal(corrupt, 0);
  await t.rejects(http(target, 4, 'Hello, there!\n', 0.2), /a byte came back wrong/);
  await t.rejects(http(target, 4, 'Hello', 0.2), /a byte came back wrong/, 'of another length');
  await t.rejects(http(await rude(t, 'close'), 4, BODY, 0.2), /the server closed a connection/);
});

t.test('there is a generator, whatever the machine', async t => {
  t.equal(generatorLanguage(), hasCompiler ? 'C' : 'JavaScript');
});

t.test('latency counts from when a message was due', inC, async t => {
  const shape = { protocol: 'tcp', conns: 4, size: 64, rate: 500 } as const;
  const delayed = await paced(await rude(t, 'delay'), shape, 0.4);
  t.equal(delayed.ops, 200);
  const latency = latencyOf([delayed.latencies])!;
  t.ok(latency.p50 >= 29_000, `a delay of 30 ms shows: ${latency.p50} us`);
  t.ok(latency.p50 <= latency.p99 && latency.p99 <= latency.p999 && latency.p999 <= latency.max);

  // 400 of 1000 ms: a generator that waits for each answer would have seen one slow message.
  const stalled = await paced(await rude(t, 'stall'), { ...shape, rate: 1000 }, 1);
  t.equal(stalled.ops, 1000);
  const { p99 } = latencyOf([stalled.latencies])!;
  t.ok(p99 >= 300_000, `a stall is charged for all that came due in it: ${p99} us`);
});

t.test('idle connections are all there while they are measured', inC, async t => {
  const target = await rude(t, 'well');
  const hex = target.port.toString(16).toUpperCase().padStart(4, '0');
  const established = (): number => {
    const lines = readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .filter(line => line.includes(`0100007F:${hex} `) && / 01 /.test(line.slice(30, 40)));
    // The table is not read at one moment: a connection may be listed twice.
    return new Set(lines.map(line => line.trim().split(/\s+/).slice(1, 3).join())).size;
  };
  const during = await whileIdle(target, 300, 64, async () => established());
  // Each is seen from both ends.
  t.equal(during, 600);
});
