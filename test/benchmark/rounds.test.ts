import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { server, worker } from '../../benchmark/contenders.js';
import { type Shape, stream } from '../../benchmark/load.js';
import type { Peer } from '../../benchmark/peers.js';
import { residentBytes, usage } from '../../benchmark/processes.js';
import { peerOf } from '../../benchmark/results.js';
import { measure } from '../../benchmark/rounds.js';
import { NotInstalled, type Scenario } from '../../benchmark/scenario.js';
import { built } from '../programs.js';
import '../patience.js';

const rude = (how: string): Peer => ({
  name: how,
  command: () => [process.execPath, built('test/fixtures/rude-echo.js'), how],
});

const PEERS: Peer[] = [
  rude('well'),
  {
    name: 'not installed',
    command() {
      throw new NotInstalled('the compiler is missing');
    },
  },
  { name: 'no program', command: () => ['/no/such/program'] },
  { name: 'ends at once', command: () => [process.execPath, '-e', 'console.error("out of order")'] },
  rude('corrupt'),
];
// However busy the machine is: what comes back late is not lost.
process.env.UASYNC_LOAD_GRACE = '60';

const SHAPE: Shape = { conns: 2, size: 64, depth: 1 };

t.test('a peer that fails is reported, and the run goes on', async t => {
  const taken: string[] = [];
  const scenario: Scenario = {
    name: 'a.test',
    title: 'a test',
    operation: 'round trip',
    contenders: PEERS.map(peer =>
      server(
        peer,
        (target, seconds) => {
          taken.push(peer.name);
          return stream(target, SHAPE, seconds);
        },
        { anyCore: true },
      ),
    ),
  };
  let progress = 0;
  const result = await measure(scenario, {
    rounds: 2,
    seconds: 0.1,
    warmUp: 0,
    progress: () => progress++,
  });

  t.same(
    result.peers.map(({ name }) => name),
    ['well'],
  );
  t.same(result.missing, [{ name: 'not installed', failed: 'the compiler is missing' }]);
  const reasons = Object.fromEntries(result.failed.map(({ name, failed }) => [name, failed]));
  t.match(reasons['no program'], /no\/such\/program|ended with 127/);
  t.match(reasons['ends at once'], /ended with 0: out of order/);
  t.match(reasons.corrupt, /came back wrong/);
  t.same(taken, ['well', 'well', 'corrupt', 'well', 'well'], 'in turns, each led in, without what failed');
  t.equal(progress, taken.length);

  const { cpu, rate, kernel, resident, latency, load } = peerOf(result, 'well')!;
  t.equal(cpu.length, 2);
  t.ok(cpu.every(each => each > 0 && each < 100_000));
  t.ok(rate.every(each => each > 0));
  t.ok(kernel >= 0 && kernel <= 1);
  t.ok(resident > 1 << 20);
  t.ok(latency!.p50 > 0 && latency!.p50 <= latency!.max);
  t.ok(load!.share > 0 && load!.share < 1.5);
  t.equal(load!.lost, 0);
});

t.test('a program that does the work itself', async t => {
  const loops = (name: string, ...args: string[]) =>
    worker(name, () => [process.execPath, built('benchmark/peers/loop/awaited.js'), ...args], null);
  const result = await measure(
    {
      name: 'a.test',
      title: 'a test',
      operation: 'NOP',
      contenders: [
        loops('node', 'node', '10'),
        worker(
          'breaks',
          () => [process.execPath, '-e', 'process.stdin.once("data", () => { throw 1; })'],
          null,
        ),
      ],
    },
    { rounds: 2, seconds: 0.05, warmUp: 0.1 },
  );
  t.match(result.failed, [{ name: 'breaks', failed: /it ended with/ }]);
  t.ok(peerOf(result, 'node')!.cpu.every(each => each > 0 && each < 10_000));
});

t.test('a server that is kept serves the next scenario, unless it has failed', async t => {
  const ports: number[] = [];
  const contender = server(
    { ...rude('well'), name: 'kept' },
    async (target, seconds) => {
      ports.push(target.port);
      if (ports.length === 2) throw new Error('it failed');
      return stream(target, SHAPE, seconds);
    },
    { kept: true },
  );
  const scenario = { name: 'a.test', title: '', operation: '', contenders: [contender] };
  for (let i = 0; i < 3; i++) await measure(scenario, { rounds: 1, seconds: 0.05, warmUp: 0 });
  const [first, second, third] = ports;
  t.equal(second, first);
  t.not(third, first);
});

t.test('the kernel keeps the accounts', async t => {
  const before = usage(process.pid);
  const own = process.cpuUsage();
  while (process.cpuUsage(own).user < 50_000) Math.sqrt(2);
  const used = usage(process.pid).cpu - before.cpu;
  t.ok(used > 40_000 && used < 5_000_000, `${used} us`);
  const rss = process.memoryUsage.rss();
  t.ok(residentBytes(process.pid) > rss / 2 && residentBytes(process.pid) < rss * 2);
  t.throws(() => residentBytes(2 ** 22 + 1));
});

t.test('what children use is counted', async t => {
  const before = usage(process.pid);
  const busy =
    'const end = Date.now() + 200; while (Date.now() < end); console.log(1); setInterval(() => {}, 1e6)';
  const child = spawn(process.execPath, ['-e', busy], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const { cpu } = usage(child.pid!);
  t.ok(cpu > 10_000);
  t.ok(usage(process.pid).cpu - before.cpu >= cpu);
});
