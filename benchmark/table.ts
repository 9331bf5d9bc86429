/** The table of a scenario for the terminal. */
import Table from 'cli-table3';
import { titleOf } from './peers.js';
import { type Measured, referenceOf, type ScenarioResult } from './results.js';
import { median, pairedRatio, spread } from './statistics.js';

/** A number with its significant digits. */
export function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 0.1 ? 2 : 3);
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`;
}

export function megabytes(bytes: number): string {
  return bytes === 0 ? '' : (bytes / 2 ** 20).toFixed(1);
}

/** A column's cells by peer; a column without any is omitted. */
type Column = [head: string, show: (peer: Measured, reference: Measured | undefined) => string];

const COLUMNS: Column[] = [
  [
    'CPU us (min to max)',
    ({ cpu }) => {
      const each = spread(cpu);
      return `${figure(each.median)} (${figure(each.min)} to ${figure(each.max)})`;
    },
  ],
  ['kernel', ({ kernel }) => percent(kernel)],
  [
    'ratio',
    ({ cpu }, reference) => (reference === undefined ? '' : `${figure(pairedRatio(cpu, reference.cpu))}x`),
  ],
  ['a second', ({ rate }) => figure(median(rate))],
  ['RSS MB', ({ resident }) => megabytes(resident)],
  ['p50 us', ({ latency }) => (latency === undefined ? '' : figure(latency.p50))],
  ['p99', ({ latency }) => (latency === undefined ? '' : figure(latency.p99))],
  ['p99.9', ({ latency }) => (latency === undefined ? '' : figure(latency.p999))],
  ['load', ({ load }) => (load === undefined ? '' : `${percent(load.share)}${load.bound ? ' bound' : ''}`)],
  ['lost', ({ load }) => (load === undefined || load.lost === 0 ? '' : `${load.lost}`)],
];

export function printTable(result: ScenarioResult): string {
  const reference = referenceOf(result);
  const columns = COLUMNS.filter(([, show]) => result.peers.some(peer => show(peer, reference) !== ''));
  const table = new Table({
    head: [result.name, ...columns.map(([head]) => head)],
    colAligns: ['left', ...columns.map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const peer of result.peers) {
    table.push([titleOf(peer.name), ...columns.map(([, show]) => show(peer, reference))]);
  }
  const failures = result.failed.map(({ name, failed }) => `failed: ${titleOf(name)}: ${failed}`);
  const others = `Neighbours took ${percent(result.neighbours)} of all cores.`;
  return [`\n${result.title} (for each ${result.operation}). ${others}`, table, ...failures].join('\n');
}
