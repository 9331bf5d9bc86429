import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { churn, load, paced, whileIdle } from '../../benchmark/load.js';
import { built, output, serve } from '../programs.js';

const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
const inC = { skip: hasCompiler ? false : 'the load generators are in C, and there is no cc here' };

async function rude(test: { teardown(after: () => unknown): void }, how: string): Promise<number> {
  const { port, child } = await serve('test/fixtures/rude-echo.js', how);
  test.teardown(() => child.kill('SIGKILL'));
  return port;
}

const SHAPE = { conns: 4, size: 64, depth: 2 };
const GENERATORS: Record<string, (port: number) => Promise<unknown>> = {
  stream: port => load(port, SHAPE, 0.2),
  churn: port => churn(port, 4, 64, 0.2),
  paced: port => paced(port, 4, 64, 500, 0.2),
  idle: port => whileIdle(port, 4, 64, async () => {}),
};

for (const [name, run] of Object.entries(GENERATORS)) {
  t.test(`${name} notices a server that`, inC, async t => {
    const against = async (how: string): Promise<string> => {
      const port = await rude(t, how);
      return run(port).then(
        () => 'nothing wrong',
        error => error.message,
      );
    };
    const hows = ['well', 'corrupt', 'drop', 'close'];
    const [well, corrupt, drop, close] = await Promise.all(hows.map(against));
    t.equal(well, 'nothing wrong', 'does well');
    t.match(corrupt, /a byte came back wrong/, 'corrupts');
    t.match(drop, name === 'idle' ? /recv/ : /\d messages never came back/, 'drops');
    t.match(close, name === 'idle' ? /came back wrong/ : /the server closed a connection/, 'closes');
  });
}

t.test('the generator in JavaScript notices the same', async t => {
  const against = async (how: string): Promise<unknown> => {
    const port = await rude(t, how);
    const args = [built('benchmark/load/stream.js'), '127.0.0.1', port, 4, 64, 2, 0.2].map(String);
    return output(process.execPath, args).then(JSON.parse, error => JSON.parse(error.stdout));
  };
  const [well, corrupt, drop] = await Promise.all(['well', 'corrupt', 'drop'].map(against));
  t.match(well, { corrupt: 0, lost: 0 });
  t.ok((well as { ops: number }).ops > 0);
  t.ok((corrupt as { corrupt: number }).corrupt > 0);
  t.ok((drop as { lost: number }).lost > 0);
});

t.test('latency counts from when a message was due', inC, async t => {
  const delayed = await paced(await rude(t, 'delay'), 4, 64, 500, 0.4);
  t.equal(delayed.ops, 200);
  t.ok(delayed.p50 >= 29_000, `a delay of 30 ms shows: ${delayed.p50} us`);
  t.ok(delayed.p50 <= delayed.p99 && delayed.p99 <= delayed.p999);
  t.ok(delayed.p999 <= delayed.max * 1.02, 'the buckets are fine enough');

  // 400 of 1000 ms: a generator that waits for each answer would have seen one slow message.
  const stalled = await paced(await rude(t, 'stall'), 4, 64, 1000, 1);
  t.equal(stalled.ops, 1000);
  t.ok(stalled.p99 >= 300_000, `a stall is charged for all that came due in it: ${stalled.p99} us`);
});

t.test('idle connections are all there while they are measured', inC, async t => {
  const port = await rude(t, 'well');
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const established = (): number => {
    const lines = readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .filter(line => line.includes(`0100007F:${hex} `) && / 01 /.test(line.slice(30, 40)));
    // The table is not read at one moment: a connection may be listed twice.
    return new Set(lines.map(line => line.trim().split(/\s+/).slice(1, 3).join())).size;
  };
  const during = await whileIdle(port, 300, 64, async () => established());
  // Each is seen from both ends.
  t.equal(during, 600);
});
