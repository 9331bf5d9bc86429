/**
 * `npm run bench -- --report`: writes the stored results as charts, as complete tables in benchmark/results/README.md,
 * and as the tables of the documentation.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { barChart, cpuOf, lineChart, type Point } from './chart.js';
import { sourceFile } from './compile.js';
import { machineLine } from './machine.js';
import { titleOf } from './peers.js';
import {
  familyOf,
  type Measured,
  peerOf,
  RESULTS,
  type Results,
  referenceOf,
  type ScenarioResult,
} from './results.js';
import { matcher } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';
import { median, pairedRatio, spread } from './statistics.js';
import { figure, megabytes, percent } from './table.js';

/** Documents with tables between `<!-- bench … -->` and `<!-- /bench -->`. */
const DOCUMENTS = ['README.md', 'docs/performance.md', 'docs/http.md', 'docs/register.md'];

/** Markdown tables with aligned columns; the first has words, the others numbers. */
function markdown(head: string[], rows: string[][]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map(row => row[i]!.length)));
  const pad = (text: string, i: number): string =>
    i === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[i]!);
  const line = (cells: string[]): string => `| ${cells.map(pad).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

function peerNames(results: ScenarioResult[]): string[] {
  return [...new Set(results.flatMap(({ peers }) => peers.map(({ name }) => name)))];
}

/** The cells of a table for each peer. */
const CELLS: Record<string, (peer: Measured) => string> = {
  cpu: ({ cpu }) => figure(median(cpu)),
  /** Only CPU times. */
  short: ({ cpu }) => figure(median(cpu)),
  rate: ({ rate }) => figure(median(rate)),
  memory: ({ resident }) => megabytes(resident),
  latency: ({ latency }) =>
    latency === undefined ? '' : [latency.p50, latency.p99, latency.p999].map(figure).join(' / '),
};

/** A row per scenario: our CPU time, and its ratio to that of each other peer. */
function ratioTable(results: ScenarioResult[], names: string[]): string {
  const others = names.filter(name => name !== 'uasync');
  const rows = results.map(result => {
    const ours = peerOf(result, 'uasync')!;
    const ratios = others.map(name => {
      const peer = peerOf(result, name);
      return peer === undefined ? '' : pairedRatio(ours.cpu, peer.cpu).toFixed(2);
    });
    return [result.title, figure(median(ours.cpu)), ...ratios];
  });
  return markdown(['', 'uasync, us', ...others.map(name => `to ${titleOf(name)}`)], rows);
}

/** A row per scenario, a column per peer; with CPU times also the kernel's share of ours, and ratios. */
function tableOf(kind: string, results: ScenarioResult[], names: string[]): string {
  if (kind === 'ratio') return ratioTable(results, names);
  const cell = CELLS[kind];
  if (cell === undefined) throw new Error(`no table of ${kind}: ${Object.keys(CELLS).join(', ')}`);
  const others = names.filter(name => name !== 'uasync');
  const isOurs = names.includes('uasync');
  const rows = results.map(result => {
    const ours = peerOf(result, 'uasync');
    const shown = (peer: Measured | undefined): string => (peer === undefined ? '' : cell(peer));
    const row = isOurs ? [result.title, shown(ours)] : [result.title];
    if (kind === 'cpu') {
      const reference = referenceOf(result);
      row.push(ours === undefined ? '' : percent(ours.kernel));
      row.push(ours && reference ? pairedRatio(ours.cpu, reference.cpu).toFixed(2) : '');
    }
    return [...row, ...others.map(name => shown(peerOf(result, name)))];
  });
  const own = kind === 'cpu' ? ['uasync', 'of that kernel', 'ratio'] : isOurs ? ['uasync'] : [];
  return markdown(['', ...own, ...others.map(titleOf)], rows);
}

const DIRECTIVE = /(<!-- bench (\w+) (\S+)(?: peers=(\S+))? -->\n)[\s\S]*?(<!-- \/bench -->)/g;

/** A document with regenerated tables. */
export function withTables(text: string, scenarios: ScenarioResult[]): string {
  return text.replaceAll(DIRECTIVE, (_whole, open: string, kind: string, filter: string, peers, close) => {
    const chosen = scenarios.filter(({ name }) => matcher(filter)(name));
    if (chosen.length === 0) throw new Error(`no results of ${filter}`);
    const names = peerNames(chosen).filter(matcher(peers ?? '*'));
    return `${open}\n${tableOf(kind, chosen, names)}\n\n${close}`;
  });
}

/** Points at the last number in a scenario's name. */
function byNumber(
  facet: string,
  value: (peer: Measured) => number,
): (name: string, peer: Measured) => Point[] {
  return (name, peer) => [{ x: Number(name.split('.').at(-1)), facet, y: value(peer) }];
}

function bySeeds(name: string, peer: Measured): Point[] {
  const [, conns, size] = /(\d+)x(\d+)$/.exec(name)!;
  return [{ x: Number(conns), facet: `${size} B`, y: cpuOf(peer) }];
}

function latencies(name: string, { latency }: Measured): Point[] {
  const x = Number(name.split('.').at(-1));
  if (latency === undefined) return [];
  return [
    { x, facet: 'p50', y: latency.p50 },
    { x, facet: 'p99', y: latency.p99 },
  ];
}

const nanoseconds = (peer: Measured): number => cpuOf(peer) * 1000;
const NANOSECONDS = 'CPU ns each';
const MICROSECONDS = 'CPU us for each round trip';

/** The charts, by file name: the scenarios in each, and its renderer. */
const CHARTS: Record<string, [filter: string, draw: (results: ScenarioResult[]) => string]> = {
  tcp: ['tcp.*,!tcp.seeds.*', results => barChart(results, 'TCP echo: CPU time of each server, C = 1')],
  udp: ['udp.*,!udp.seeds.*', results => barChart(results, 'UDP echo: CPU time of each server, C = 1', 2)],
  fs: ['fs.*', results => barChart(results, 'Files: CPU time of each operation, C = 1')],
  device: ['device.*', results => barChart(results, 'Reads that go to the device: CPU time of each, C = 1')],
  http: ['http.*', results => barChart(results, 'HTTP: CPU time of each server, Node = 1', 1)],
  loop: ['loop.*', results => barChart(results, 'Callbacks and timers: CPU time of each, C or Node = 1', 2)],
  threads: ['threads.*', results => barChart(results, 'Threads: CPU time of each, Node = 1')],
  apps: ['apps.*', results => barChart(results, 'Applications: CPU time of each, Node = 1', 2)],
  rates: [
    'rates.*',
    results =>
      lineChart(results, 'TCP echo: latency by messages a second', {
        label: 'messages a second, 50 connections',
        unit: 'us',
        points: latencies,
      }),
  ],
  connections: [
    'connections.*',
    results =>
      lineChart(results, 'TCP echo by connections, each with a message under way', {
        label: 'connections',
        unit: MICROSECONDS,
        points: byNumber('64 B', cpuOf),
      }),
  ],
  'tcp-seeds': [
    'tcp.seeds.*',
    results =>
      lineChart(results, 'TCP echo by connections and size', {
        label: 'connections',
        unit: MICROSECONDS,
        points: bySeeds,
      }),
  ],
  'udp-seeds': [
    'udp.seeds.*',
    results =>
      lineChart(results, 'UDP echo by sockets and size', {
        label: 'sockets',
        unit: MICROSECONDS,
        points: bySeeds,
      }),
  ],
  'nop-ring': [
    'nop.ring.*',
    results =>
      lineChart(results, 'Bare NOPs by size of the ring', {
        label: 'entries of the ring',
        unit: NANOSECONDS,
        points: byNumber('bare NOPs', nanoseconds),
      }),
  ],
  'nop-await': [
    'nop.await.*',
    results =>
      lineChart(results, 'Awaited NOPs by number of coroutines', {
        label: 'coroutines',
        unit: NANOSECONDS,
        points: byNumber('await nop()', nanoseconds),
      }),
  ],
};

/** Everything about a scenario. */
function fullTable(result: ScenarioResult): string {
  const reference = referenceOf(result);
  const rows = result.peers.map(({ name, cpu, rate, kernel, resident, latency, load }) => {
    const { median: middle, min, max } = spread(cpu);
    return [
      titleOf(name),
      figure(middle),
      `${figure(min)} to ${figure(max)}`,
      percent(kernel),
      reference === undefined ? '' : pairedRatio(cpu, reference.cpu).toFixed(2),
      figure(median(rate)),
      megabytes(resident),
      latency === undefined ? '' : [latency.p50, latency.p99, latency.p999].map(figure).join(' / '),
      load === undefined ? '' : `${percent(load.share)}${load.bound ? ', bound' : ''}`,
      load === undefined || load.lost === 0 ? '' : String(load.lost),
    ];
  });
  const head = [
    ...['', 'CPU us', 'min to max', 'kernel', 'ratio', 'a second', 'RSS MB'],
    ...['p50 / p99 / p99.9 us', 'load', 'lost'],
  ];
  const shown = head.map((_, i) => i === 0 || rows.some(row => row[i] !== ''));
  const kept = (cells: string[]): string[] => cells.filter((_, i) => shown[i]);
  const failures = result.failed.map(({ name, failed }) => `\n${titleOf(name)} failed: ${failed}\n`);
  const table = markdown(kept(head), rows.map(kept));
  return `### ${result.name}\n\n${result.title}, for each ${result.operation}; neighbours took ${percent(result.neighbours)} of all cores\n\n${table}\n${failures.join('')}`;
}

function fullReport(stored: Results[]): string {
  const parts = stored.map(({ machine, scenarios }) => {
    const made = `\`${machine.command}\`, ${machine.date.slice(0, 10)}: ${machineLine(machine)}; ${machine.rounds} rounds of ${machine.seconds} s, load in ${machine.load}.`;
    const family = familyOf(scenarios[0]!.name);
    return `## ${family}\n\n${made}\n\n${scenarios.map(fullTable).join('\n')}`;
  });
  return `# All results\n\nMade by \`npm run bench -- --report\` from the JSON beside it. What the columns mean: [docs/performance.md](../../docs/performance.md). Ratios are to C, or else to Node.\n\n${parts.join('\n')}`;
}

/** Every file that is generated from results, with its contents, by its path from the project's folder. */
export function report(stored: Results[]): Map<string, string> {
  const position = new Map(SCENARIOS.map(({ name }, i) => [name, i]));
  const scenarios = stored
    .flatMap(({ scenarios }) => scenarios)
    .sort((a, b) => (position.get(a.name) ?? 0) - (position.get(b.name) ?? 0));
  const files = new Map<string, string>();
  for (const [name, [filter, draw]] of Object.entries(CHARTS)) {
    const chosen = scenarios.filter(({ name }) => matcher(filter)(name));
    if (chosen.length !== 0) files.set(`${RESULTS}/${name}.svg`, draw(chosen));
  }
  files.set(`${RESULTS}/README.md`, fullReport(stored));
  for (const path of DOCUMENTS) {
    files.set(path, withTables(readFileSync(sourceFile(path), 'utf8'), scenarios));
  }
  return files;
}

export function writeReport(stored: Results[]): void {
  for (const [path, text] of report(stored)) writeFileSync(sourceFile(path), text);
}
