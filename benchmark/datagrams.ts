/**
 * UDP echo servers in turns, one core for the server and one for the load: ours beside C on io_uring and
 * on recvmmsg, Bun, Go and node:dgram, as far as they are installed.
 * `node dist/benchmark/datagrams.js [--rounds 5] [--seconds 1] [--bun PATH]`
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import { cpuMicroseconds, onCore, pinned, type ServerProcess, startServer } from './processes.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    bun: { type: 'string', default: 'bun' },
  },
});

interface Load {
  socks: number;
  size: number;
  depth: number;
}

const WARM_UP = 2;
const LOADS: Load[] = [
  { socks: 16, size: 64, depth: 32 },
  { socks: 16, size: 1400, depth: 32 },
  // Nothing to send together: each peer has one datagram under way.
  { socks: 256, size: 64, depth: 1 },
];

const root = new URL('../../', import.meta.url);
const path = (name: string): string => fileURLToPath(new URL(name, root));

/** Builds a program of this folder; false where there is no compiler for it. */
function compiled(command: string, args: string[]): boolean {
  mkdirSync(path('dist/benchmark/bin'), { recursive: true });
  return spawnSync(command, args, { stdio: 'ignore', cwd: path('.') }).status === 0;
}

function c(name: string, ...libraries: string[]): string[] | null {
  const binary = path(`dist/benchmark/bin/${name}`);
  return compiled('cc', ['-O2', '-o', binary, `benchmark/peers/${name}.c`, ...libraries]) ? [binary] : null;
}

function go(name: string): string[] | null {
  const binary = path(`dist/benchmark/bin/${name}-go`);
  return compiled('go', ['build', '-o', binary, `benchmark/peers/${name}.go`]) ? [binary] : null;
}

function bun(script: string): string[] | null {
  const found = spawnSync(options.bun, ['--version'], { stdio: 'ignore' }).status === 0;
  return found ? [options.bun, path(script)] : null;
}

const node = (script: string): string[] => [process.execPath, path(script)];

/** Each server's command; null if it is not installed. The first is what the others are compared with. */
const SERVERS: [name: string, command: string[] | null][] = [
  ['C, io_uring', c('udp-uring', '-luring')],
  ['C, recvmmsg', c('udp-mmsg')],
  ['uasync, recvMany and sendMany', node('dist/benchmark/peers/udp-many.js')],
  ['uasync, for await and await send', node('dist/examples/udp-echo.js')],
  ['Bun', bun('dist/benchmark/peers/bun-udp.js')],
  ['Go', go('udp')],
  ['node:dgram', node('dist/benchmark/peers/node-dgram.js')],
];

interface LoadResult {
  ops: number;
  seconds: number;
  lost: number;
}

/** What the rounds gave: CPU microseconds and rates for each. */
interface Samples {
  cpu: number[];
  rate: number[];
  lost: number;
}

const generator = path('dist/benchmark/bin/datagram');
if (!compiled('cc', ['-O2', '-o', generator, 'benchmark/load/datagram.c'])) {
  console.error('The load is in C, and there is no compiler here (cc)');
  process.exit(1);
}

async function measure(server: ServerProcess, { socks, size, depth }: Load, samples: Samples): Promise<void> {
  const args = ['127.0.0.1', server.port, socks, size, depth, options.seconds].map(String);
  const [program, ...rest] = onCore(1, [generator, ...args]);
  const before = cpuMicroseconds(server.pid);
  const { stdout } = await promisify(execFile)(program!, rest);
  const { ops, seconds, lost } = JSON.parse(stdout) as LoadResult;
  samples.cpu.push((cpuMicroseconds(server.pid) - before) / ops);
  samples.rate.push(ops / seconds);
  samples.lost += lost;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const present = SERVERS.filter(([, command]) => command !== null);
const missing = SERVERS.filter(([, command]) => command === null).map(([name]) => name);
const where = pinned ? 'servers on core 0, load on core 1' : 'nothing pinned to a core';
console.log(`UDP echo, Node ${process.version}: ${options.rounds} rounds in turns, ${where}`);
if (missing.length !== 0) console.log(`Not installed: ${missing.join(', ')}`);

const servers: ServerProcess[] = [];
try {
  for (const [, command] of present) servers.push(await startServer([...command!, '0']));
  for (const load of LOADS) {
    const results = present.map((): Samples => ({ cpu: [], rate: [], lost: 0 }));
    // The first two rounds are not counted: JavaScript is compiled while it runs.
    for (let round = -WARM_UP; round < Number(options.rounds); round++) {
      for (const [i, server] of servers.entries()) {
        await measure(server, load, round < 0 ? { cpu: [], rate: [], lost: 0 } : results[i]!);
      }
    }
    print(load, results);
  }
} finally {
  await Promise.all(servers.map(server => server.stop()));
}

function print({ socks, size, depth }: Load, results: Samples[]): void {
  const reference = median(results[0]!.cpu);
  const table = new Table({
    head: [
      `${socks} sockets x ${size} B, ${depth} deep`,
      'CPU us',
      `to ${present[0]![0]}`,
      'per second',
      'lost',
    ],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const [i, { cpu, rate, lost }] of results.entries()) {
    const each = median(cpu);
    table.push([
      present[i]![0],
      each.toFixed(2),
      `${(each / reference).toFixed(2)}x`,
      Math.round(median(rate)).toLocaleString('en'),
      lost,
    ]);
  }
  console.log(table.toString());
}
