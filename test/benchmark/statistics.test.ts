import { spawnSync } from 'node:child_process';
import t from 'tap';
import { compile } from '../../benchmark/compile.js';
import { latencyOf, median, pairedRatio, spread } from '../../benchmark/statistics.js';
import { hasCompiler } from '../compiler.js';
import '../patience.js';

t.test('the median is the middle value, whatever the order', async t => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([10, 9, 1, 2]), 5.5);
  t.equal(median([7]), 7);
  t.ok(Number.isNaN(median([])));
  const values = [3, 1, 2];
  median(values);
  t.same(values, [3, 1, 2], 'which stays as it was');
});

t.test('a spread is of at least one value', async t => {
  t.same(spread([2, 8, 4]), { median: 4, min: 2, max: 8 });
  t.throws(() => spread([]), RangeError);
});

t.test('a ratio is of the same rounds: a slow round counts for both', async t => {
  t.equal(pairedRatio([2, 20, 2], [1, 10, 1]), 2);
  t.equal(pairedRatio([2, 2, 9], [1, 1, 1]), 2, 'and one that disturbed only one of them is outvoted');
  t.throws(() => pairedRatio([1, 2], [1]), RangeError);
  t.throws(() => pairedRatio([], []), RangeError);
});

t.test('percentiles of latencies, over all rounds', async t => {
  const thousand = Array.from({ length: 1000 }, (_, i): [number, number] => [(i + 1) * 1000, 1]);
  const { p50, p99, p999, max } = latencyOf([thousand.slice(0, 300), thousand.slice(300)])!;
  const near = (value: number, expected: number) => t.ok(Math.abs(value / expected - 1) < 0.002, `${value}`);
  near(p50, 500);
  near(p99, 990);
  near(p999, 999);
  near(max, 1000);
  t.match(latencyOf([[[2000, 5]]]), { p50: 2, p99: 2, max: 2 }, 'counts count');
  t.equal(latencyOf([]), undefined);
  t.equal(latencyOf([[], []]), undefined);
});

t.test(
  'what C counts is what was measured',
  { skip: hasCompiler ? false : 'there is no cc here' },
  async t => {
    // From nanoseconds to minutes, each a little more than the one before.
    const values = Array.from({ length: 2000 }, (_, i) => Math.round(10 * 1.012 ** i));
    const program = compile('test/fixtures/histogram.c');
    const { stdout } = spawnSync(program, { input: values.join('\n'), encoding: 'latin1' });
    const counts = JSON.parse(stdout) as [number, number][];
    t.equal(
      counts.reduce((total, [, count]) => total + count, 0),
      values.length,
    );
    const latency = latencyOf([counts])!;
    for (const [name, share] of Object.entries({ p50: 0.5, p99: 0.99, p999: 0.999, max: 1 })) {
      const exact = values[Math.ceil(values.length * share) - 1]! / 1000;
      const error = latency[name as 'p50'] / exact - 1;
      t.ok(Math.abs(error) < 1 / 50, `${name}: ${latency[name as 'p50']} us for ${exact} us`);
    }
  },
);
