/**
 * `npm run bench:streams -- [--rounds N] [--filter text] [--peers a,b] [--seconds S] [--rate R]`: TCP echo
 * servers of uasync and of other runtimes beside C on io_uring, under the same loads, in turns.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { churn, load, type PacedResult, paced, whileIdle } from './load.js';
import { type Peer, STREAM_PEERS, YARDSTICK } from './peers.js';
import { pinned, residentBytes } from './processes.js';
import { type Done, type Measured, measureInTurns, type Outcome, startPeers, stopPeers } from './rounds.js';
import { median, pairedRatio, spread } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.6' },
    rate: { type: 'string', default: '20000' },
    filter: { type: 'string', default: '' },
    peers: { type: 'string', default: '' },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const rate = Number(options.rate);
const wanted = options.peers.toLowerCase().split(',').filter(Boolean);
const peers = STREAM_PEERS.filter(
  ({ name }) => wanted.length === 0 || wanted.some(part => name.toLowerCase().includes(part)),
);

const IDLE_CONNECTIONS = 10_000;
/** Time for a server to settle before its memory is read, in milliseconds. */
const SETTLE_MS = 500;

const LOADS: [what: string, run: (port: number) => Promise<Done>][] = [
  ['50 connections x 64 B', port => load(port, { conns: 50, size: 64, depth: 1 }, seconds)],
  ['500 connections x 512 B', port => load(port, { conns: 500, size: 512, depth: 1 }, seconds)],
  ['1 connection x 64 KiB, 4 deep', port => load(port, { conns: 1, size: 65536, depth: 4 }, seconds)],
  ['churn: connect, one round trip of 64 B, close', port => churn(port, 16, 64, seconds)],
];
const LATENCY = `latency of 50 connections x 64 B at ${rate} messages a second`;
const MEMORY = `memory of ${IDLE_CONNECTIONS} idle connections`;

console.log(
  `${rounds} rounds in turns, ${pinned ? 'servers on core 0, load on core 1' : 'nothing pinned to a core'}. ` +
    'CPU us: CPU time of the server for one operation, median (min to max) of the rounds; ' +
    `ratio: to ${YARDSTICK}, median of the rounds.`,
);
await measureLoads(peers);
if (MEMORY.includes(options.filter)) await measureMemory(peers);

async function measureLoads(peers: Peer[]): Promise<void> {
  const loads = LOADS.filter(([what]) => what.includes(options.filter));
  const withLatency = LATENCY.includes(options.filter);
  if (loads.length === 0 && !withLatency) return;
  const started = await startPeers(peers);
  try {
    for (const [what, run] of loads) {
      printLoad(what, await measureInTurns(started, rounds, run), () => []);
    }
    if (withLatency) {
      const outcomes = await measureInTurns(started, rounds, port => paced(port, 50, 64, rate, seconds));
      printLoad(LATENCY, outcomes, latencies, ['p50 us', 'p99 us', 'p99.9 us']);
    }
  } finally {
    await stopPeers(started);
  }
}

function latencies(results: PacedResult[]): string[] {
  return (['p50', 'p99', 'p999'] as const).map(key => median(results.map(result => result[key])).toFixed(0));
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function print(what: string, head: string[], rows: string[][], failures: Outcome<unknown>[]): void {
  const table = new Table({
    head: [what, ...head],
    colAligns: ['left', ...head.map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
  table.push(...rows);
  console.log(`\n${table}`);
  for (const outcome of failures) {
    if ('failed' in outcome) console.log(`left out: ${outcome.name}: ${outcome.failed}`);
  }
}

function printLoad<R extends Done>(
  what: string,
  outcomes: Outcome<Measured<R>>[],
  more: (results: R[]) => string[],
  moreHead: string[] = [],
): void {
  const yardstick = outcomes.find(({ name }) => name === YARDSTICK);
  const rows: string[][] = [];
  for (const outcome of outcomes) {
    if (!('measured' in outcome)) continue;
    const { cpu, rate, results, resident } = outcome.measured;
    const each = spread(cpu);
    rows.push([
      outcome.name,
      `${each.median.toFixed(2)} (${each.min.toFixed(2)} to ${each.max.toFixed(2)})`,
      yardstick !== undefined && 'measured' in yardstick
        ? `${pairedRatio(cpu, yardstick.measured.cpu).toFixed(2)}x`
        : '',
      Math.round(median(rate)).toLocaleString('en'),
      megabytes(resident),
      ...more(results),
    ]);
  }
  print(what, ['CPU us', 'ratio', 'a second', 'RSS MB', ...moreHead], rows, outcomes);
}

/** Each server is a fresh one: what earlier loads have left in its heap does not count. */
async function measureMemory(peers: Peer[]): Promise<void> {
  const rows: string[][] = [];
  const outcomes: Outcome<unknown>[] = [];
  for (const peer of peers) {
    const started = await startPeers([peer]);
    try {
      for (const one of started) {
        if (!('server' in one)) {
          outcomes.push(one);
          continue;
        }
        const { pid, port } = one.server;
        const settled = async (): Promise<number> => {
          await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
          return residentBytes(pid);
        };
        const before = await settled();
        const grown = (await whileIdle(port, IDLE_CONNECTIONS, 64, settled)) - before;
        rows.push([
          one.name,
          megabytes(before),
          megabytes(grown),
          Math.round(grown / IDLE_CONNECTIONS).toString(),
        ]);
      }
    } catch (error) {
      outcomes.push({ name: peer.name, failed: (error as Error).message });
    } finally {
      await stopPeers(started);
    }
  }
  print(MEMORY, ['empty, MB', 'grown by, MB', 'bytes each'], rows, outcomes);
}
