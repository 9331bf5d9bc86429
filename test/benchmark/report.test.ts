import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import t from 'tap';
import { barChart, cpuOf, lineChart } from '../../benchmark/chart.js';
import { sourceFile } from '../../benchmark/compile.js';
import { report, withTables } from '../../benchmark/report.js';
import {
  type Measured,
  RESULTS,
  type Results,
  readResults,
  type ScenarioResult,
  storedResults,
  writeResults,
} from '../../benchmark/results.js';
import { printTable } from '../../benchmark/table.js';
import { scratchFolder } from '../harness.js';

function peer(name: string, cpu: number[], kernel: number): Measured {
  return { name, cpu, rate: cpu.map(each => 1000 * each), kernel, resident: 64 << 20 };
}

function scenario(name: string): ScenarioResult {
  return {
    name,
    title: `the load of ${name}`,
    operation: 'round trip',
    neighbours: 0.25,
    peers: [
      peer('c-uring', [4, 5, 4], 1),
      { ...peer('uasync', [8, 9, 8], 0.75), latency: { p50: 10, p99: 20, p999: 30, max: 40 } },
      { ...peer('bun', [40, 44, 40], 0.5), load: { share: 0.97, bound: true, lost: 3 } },
    ],
    failed: [{ name: 'go', failed: 'out of order' }],
    missing: [],
  };
}

t.test('bars are as long as the ratios, and the kernel has its part', async t => {
  const svg = barChart([scenario('a.one'), scenario('a.two')], 'A chart of two');
  const { document } = parseHTML(svg);
  t.equal(document.querySelector('title')!.textContent, 'A chart of two');
  t.match(svg, /prefers-color-scheme: dark/);
  const widths = [...document.querySelectorAll('rect')].map(rect => Number(rect.getAttribute('width')));
  const [cKernel, cOwn, kernel, own, bunKernel, bunOwn] = widths;
  const near = (value: number, expected: number) => t.ok(Math.abs(value - expected) < 0.05, `${value}`);
  near(cOwn! / cKernel!, 0);
  near((kernel! + own!) / cKernel!, 2);
  near(kernel! / (kernel! + own!), 0.75);
  near((bunKernel! + bunOwn!) / cKernel!, 4);
  t.equal(widths.length, 12);
  const texts = [...document.querySelectorAll('text')].map(text => text.textContent);
  for (const text of ['a.one, C io_uring = 1', 'uasync', '2.00', '10', 'C io_uring']) {
    t.ok(texts.includes(text), `it says ${text}`);
  }
});

t.test('lines go from scenario to scenario', async t => {
  const results = [1, 50, 1000].flatMap(conns => [scenario(`a.${conns}x1`), scenario(`a.${conns}x128`)]);
  const svg = lineChart(results, 'Lines', {
    label: 'connections',
    unit: 'us',
    points: (name, peer) => {
      const [, conns, size] = /(\d+)x(\d+)/.exec(name)!;
      return [{ x: Number(conns), facet: `${size} B`, y: cpuOf(peer) }];
    },
  });
  const { document } = parseHTML(svg);
  t.equal(document.querySelectorAll('[aria-label="line"] path').length, 6, 'three peers in two charts');
  t.equal(document.querySelectorAll('[aria-label="dot"] circle').length, 18);
});

t.test('a table for the terminal', async t => {
  const table = printTable(scenario('a.one'));
  t.match(table, /uasync +│ 8\.00 \(8\.00 to 9\.00\) │ +75% │ 2\.00x/);
  t.match(table, /Bun .*97% bound │ +3 │/);
  t.match(table, /failed: Go: out of order/);
});

t.test('tables of documents are made anew', async t => {
  const text = 'Before\n\n<!-- bench cpu a.* peers=uasync,c-* -->\nstale\n<!-- /bench -->\nAfter\n';
  const once = withTables(text, [scenario('a.one'), scenario('b.one')]);
  t.match(once, /\| the load of a\.one \| +8\.00 \| +75% \| +2\.00 \| +4\.00 \|/);
  t.notMatch(once, /stale|b\.one|Bun/);
  t.match(once, /^Before\n[\s\S]*After\n$/);
  t.equal(withTables(once, [scenario('a.one')]), once, 'and stay as they are if nothing has changed');
  t.match(withTables(text.replace('cpu', 'latency'), [scenario('a.one')]), /10\.0 \/ 20\.0 \/ 30\.0/);
  t.match(
    withTables(text.replace('cpu', 'ratio'), [scenario('a.one')]),
    /\| to C io_uring \|\n[\s\S]*\| +8\.00 \| +2\.00 \|/,
  );
  t.throws(() => withTables(text, [scenario('b.one')]), /no results of a\.\*/);
  t.throws(() => withTables(text.replace('cpu', 'beauty'), [scenario('a.one')]), /no table of beauty/);
});

t.test('results are written and read', async t => {
  const path = join(scratchFolder(), 'a.json');
  const results = { machine: { cpu: 'one' }, scenarios: [scenario('a.one')] } as unknown as Results;
  writeResults(path, results);
  t.same(readResults(path), results);
});

t.test('the charts and tables of this project are those of its results', async t => {
  const stored = storedResults(sourceFile(RESULTS));
  const names = stored.flatMap(({ scenarios }) => scenarios.map(({ name }) => name));
  t.equal(new Set(names).size, names.length, 'each scenario is stored once');
  for (const [path, text] of report(stored)) {
    t.ok(readFileSync(sourceFile(path), 'utf8') === text, `${path}: npm run bench -- --report makes it anew`);
  }
});
