import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { installedNode } from '../../benchmark/node-versions.js';
import { type Results, readResults, writeResults } from '../../benchmark/results.js';
import { matcher } from '../../benchmark/scenario.js';
import { SCENARIOS } from '../../benchmark/scenarios/index.js';
import { scratchFolder, until } from '../harness.js';
import { built, ROOT } from '../programs.js';

function bench(...args: string[]): { status: number | null; printed: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [built('benchmark/main.js'), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 250_000,
  });
  return { status, printed: stdout + stderr };
}

const READS = ['--filter', 'start.readfile', '--seconds', '0.1'];

t.test('patterns choose names', async t => {
  const names = ['tcp.churn', 'tcp.seeds.1x1', 'tcp.seeds.1x128', 'udp.echo.64', 'xtcp.churn'];
  const chosen = (patterns: string) => names.filter(matcher(patterns));
  t.same(chosen('tcp.*'), ['tcp.churn', 'tcp.seeds.1x1', 'tcp.seeds.1x128']);
  t.same(chosen('tcp.*,!tcp.seeds.*'), ['tcp.churn']);
  t.same(chosen('udp.echo.64, tcp.churn'), ['tcp.churn', 'udp.echo.64']);
  t.same(chosen('*.seeds.1x1'), ['tcp.seeds.1x1'], 'whole names');
  t.same(chosen('tcp-churn,tcp?churn'), [], 'a dot is a dot');
  t.same(chosen(''), []);
});

t.test('scenarios have names of their own, and ours in them', async t => {
  t.equal(new Set(SCENARIOS.map(({ name }) => name)).size, SCENARIOS.length);
  for (const { name, contenders } of SCENARIOS) {
    const peers = contenders.map(({ name }) => name);
    t.ok(
      peers.some(peer => /^uasync(-\d+)?$/.test(peer)),
      name,
    );
    t.equal(new Set(peers).size, peers.length);
  }
});

t.test('--list shows what was chosen', async t => {
  const { status, printed } = bench('--list', '--filter', 'tcp.seeds.50x*', '--peers', 'uasync,bun*');
  t.equal(status, 0);
  t.same(
    printed.match(/^tcp\.\S+/gm),
    [1, 128, 512, 1000].map(size => `tcp.seeds.50x${size}`),
  );
  t.match(printed, /uasync bun bun-node\n/);
});

t.test('--node runs it on that Node', async t => {
  const running = process.versions.node.split('.')[0]!;
  // One that the suite has installed; no test installs any.
  const other = ['26', '24', '22'].find(version => version !== running && installedNode(version));
  for (const version of other === undefined ? [running] : [running, other]) {
    const { status, printed } = bench(...['--node', version, '--peers', 'node', '--rounds', '1'], ...READS);
    t.equal(status, 0);
    t.match(printed, new RegExp(`node ${version}\\.`));
  }
});

t.test('what makes no sense is said, and fails', async t => {
  for (const [args, message] of [
    [['--filter', 'no.such'], /no scenario or no peer/],
    [['--peers', 'nobody'], /no scenario or no peer/],
    [['--rounds', '0'], /--rounds 0: a positive number/],
    [['--seconds', 'x'], /--seconds x: a positive number/],
    [['--save', '--filter', 'tcp.churn'], /--save: this is only a part of tcp/],
    [['--node', 'newest'], /--node newest: a version such as 26/],
    [['--nonsense'], /--nonsense/],
  ] as const) {
    const { status, printed } = bench(...args);
    t.equal(status, 1, args.join(' '));
    t.match(printed, message);
  }
});

const RUN = ['--filter', 'loop.callsoon', '--rounds', '2', '--seconds', '0.05', '--peers', 'uasync,node'];

t.test('a run writes what it has found, and --check compares it with what is stored', async t => {
  const folder = scratchFolder();
  const file = join(folder, 'loop.json');
  const first = bench(...RUN, '--json', file);
  t.equal(first.status, 0, first.printed);
  t.match(first.printed, /loop\.callsoon/);
  const results = readResults(file);
  t.match(results, { machine: { rounds: 2, seconds: 0.05 }, scenarios: [{ name: 'loop.callsoon' }] });
  const { peers } = results.scenarios[0]!;
  t.same(
    peers.map(({ name, cpu }) => [name, cpu.length]),
    [
      ['uasync', 2],
      ['node', 2],
    ],
  );

  /** What is stored is what was found, but with uasync so many times as fast as it is. */
  const madeTo = (speed: number): Results => ({
    ...results,
    scenarios: results.scenarios.map(scenario => ({
      ...scenario,
      peers: peers.map(peer =>
        peer.name === 'uasync' ? { ...peer, cpu: peer.cpu.map(each => each / speed) } : peer,
      ),
    })),
  });
  writeResults(file, madeTo(20));
  const slower = bench(...RUN, '--check', '--results', folder);
  t.equal(slower.status, 1);
  t.match(slower.printed, /loop\.callsoon seems slower: once more/);
  t.match(slower.printed, /SLOWER {2}loop\.callsoon: [\d.]+x node, was [\d.]+x/);

  writeResults(file, madeTo(1 / 20));
  const faster = bench(...RUN, '--check', '--results', folder);
  t.equal(faster.status, 0, faster.printed);
  t.match(faster.printed, /1 scenarios compared/);
});

/** The processes that a process has started, proc(5). */
function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
}

/** Whether a process runs: one that has ended may wait to be reaped. */
function runs(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

t.test('a run that is stopped leaves no program behind', async t => {
  const run = spawn(process.execPath, [
    ...[built('benchmark/main.js'), '--filter', 'loop.callsoon', '--seconds', '30'],
    ...['--peers', 'uasync,node'],
  ]);
  const ended = once(run, 'exit');
  let children: string[] = [];
  await until(() => {
    children = childrenOf(run.pid!);
    return children.length === 2;
  });
  run.kill('SIGTERM');
  const [exitCode] = await ended;
  t.equal(exitCode, 143);
  await until(() => !children.some(runs));
  t.pass('its programs have ended with it');
});
