import t from 'tap';
import { type LoadResult, load } from '../../benchmark/load.js';
import type { Peer } from '../../benchmark/peers.js';
import { cpuMicroseconds, residentBytes } from '../../benchmark/processes.js';
import { measureInTurns, startPeers, stopPeers } from '../../benchmark/rounds.js';
import { built } from '../programs.js';

const rude = (how: string): Peer => ({
  name: how,
  command: () => [process.execPath, built('test/fixtures/rude-echo.js'), how],
});

const PEERS: Peer[] = [
  rude('well'),
  {
    name: 'not installed',
    command() {
      throw new Error('the compiler is missing');
    },
  },
  { name: 'no program', command: () => ['/no/such/program'] },
  { name: 'ends at once', command: () => [process.execPath, '-e', 'console.error("out of order")'] },
  rude('corrupt'),
];

t.test('a peer that fails is reported, and the run goes on', async t => {
  const started = await startPeers(PEERS);
  t.teardown(() => stopPeers(started));
  const loads: string[] = [];
  const nameAt = (port: number): string =>
    started.find(peer => 'server' in peer && peer.server.port === port)!.name;
  const outcomes = await measureInTurns(started, 2, (port): Promise<LoadResult> => {
    loads.push(nameAt(port));
    return load(port, { conns: 2, size: 64, depth: 1 }, 0.1);
  });

  t.same(
    outcomes.map(({ name }) => name),
    PEERS.map(({ name }) => name),
  );
  const reasons = outcomes.map(outcome => ('failed' in outcome ? outcome.failed : undefined));
  t.equal(reasons[0], undefined);
  t.equal(reasons[1], 'the compiler is missing');
  t.match(reasons[2], /no\/such\/program|ended with 127/);
  t.match(reasons[3], /ended with 0: out of order/);
  t.match(reasons[4], /came back wrong/);
  t.same(loads, ['well', 'corrupt', 'well', 'well'], 'in turns, without what failed');

  const [well] = outcomes;
  if (!('measured' in well!)) throw new Error('not measured');
  const { cpu, rate, results, resident } = well.measured;
  t.equal(cpu.length, 2, 'the warm-up does not count');
  t.ok(cpu.every(each => each > 0 && each < 100_000));
  t.equal(rate[0], results[0]!.ops / results[0]!.seconds);
  t.ok(resident > 1 << 20);
});

t.test('the kernel keeps the accounts', async t => {
  const before = cpuMicroseconds(process.pid);
  const own = process.cpuUsage();
  while (process.cpuUsage(own).user < 50_000) Math.sqrt(2);
  const used = cpuMicroseconds(process.pid) - before;
  t.ok(used > 40_000 && used < 5_000_000, `${used} us`);
  const rss = process.memoryUsage.rss();
  t.ok(residentBytes(process.pid) > rss / 2 && residentBytes(process.pid) < rss * 2);
  t.throws(() => residentBytes(2 ** 22 + 1));
});
