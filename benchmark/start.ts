/**
 * `npm start`: what io_uring gives you, beside stock Node, on this machine, in under 30 seconds.
 * `npm start -- --serve --port 7000` keeps an echo server running instead.
 */
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import { probe } from 'uasync/ring';
import { script } from './compile.js';
import type { FileResult } from './file-reads.js';
import { generator, load, type StreamLoad } from './load.js';
import { cpuMicroseconds, onCore, pinned, type ServerProcess, startServer } from './processes.js';

const { values: options } = parseArgs({
  options: {
    serve: { type: 'boolean', default: false },
    port: { type: 'string', default: '7000' },
    host: { type: 'string', default: '127.0.0.1' },
    rounds: { type: 'string', default: '3' },
  },
});

const { available, reason } = probe();
if (!available) {
  console.error(reason!.message);
  process.exit(1);
}

if (options.serve) {
  process.argv.splice(2, Number.POSITIVE_INFINITY, options.port, options.host);
  await import(script('examples/tcp-echo.ts'));
} else {
  await compare(Number(options.rounds));
}

interface Row {
  what: string;
  ours: Cell;
  theirs: Cell;
}

/** Operations, seconds and CPU microseconds, summed over the rounds. */
interface Cell {
  ops: number;
  seconds: number;
  cpu: number;
}

async function compare(rounds: number): Promise<void> {
  const where = pinned ? 'servers on core 0, load on core 1' : 'nothing pinned to a core';
  console.log(
    `uasync beside Node ${process.version}: ${rounds} rounds in turns, ${where}, load in ${generator()}\n`,
  );
  const rows = await compareSockets(rounds);
  rows.push(...(await compareFiles(rounds)));
  print(rows);
}

async function compareSockets(rounds: number): Promise<Row[]> {
  const loads: [what: string, load: StreamLoad][] = [
    ['TCP echo, 50 connections x 64 B', { conns: 50, size: 64, depth: 1 }],
    ['TCP echo, 500 connections x 512 B', { conns: 500, size: 512, depth: 1 }],
    ['TCP echo, 1 connection x 64 KiB, 4 deep', { conns: 1, size: 65536, depth: 4 }],
  ];
  const ours = await startServer([process.execPath, script('examples/tcp-echo.ts'), '0']);
  const theirs = await startServer([process.execPath, script('benchmark/peers/node-net.ts'), '0']);
  try {
    const rows: Row[] = loads.map(([what]) => ({ what, ours: noCell(), theirs: noCell() }));
    // The first round warms both and is not counted.
    for (let round = 0; round <= rounds; round++) {
      for (const [i, [, shape]] of loads.entries()) {
        const row = round === 0 ? { ours: noCell(), theirs: noCell() } : rows[i]!;
        await measure(ours, shape, row.ours);
        await measure(theirs, shape, row.theirs);
      }
    }
    return rows;
  } finally {
    await Promise.all([ours.stop(), theirs.stop()]);
  }
}

function noCell(): Cell {
  return { ops: 0, seconds: 0, cpu: 0 };
}

async function measure(server: ServerProcess, shape: StreamLoad, cell: Cell): Promise<void> {
  const before = cpuMicroseconds(server.pid);
  const { ops, seconds } = await load(server.port, shape, 0.6);
  cell.cpu += cpuMicroseconds(server.pid) - before;
  cell.ops += ops;
  cell.seconds += seconds;
}

async function compareFiles(rounds: number): Promise<Row[]> {
  const command = onCore(0, [process.execPath, script('benchmark/file-reads.ts'), String(rounds)]);
  const { stdout } = await promisify(execFile)(command[0]!, command.slice(1));
  const results = JSON.parse(stdout) as Record<string, Record<string, FileResult>>;
  return Object.entries(results).map(([depth, ways]) => ({
    what: `4 KiB cached random reads, ${depth} at a time`,
    ours: ways.uasync!,
    theirs: ways['fs.promises']!,
  }));
}

function print(rows: Row[]): void {
  const table = new Table({
    head: ['', 'uasync/s', 'Node/s', 'uasync CPU us', 'Node CPU us', 'CPU ratio'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { what, ours, theirs } of rows) {
    const perSecond = ({ ops, seconds }: Cell): string => Math.round(ops / seconds).toLocaleString('en');
    const each = ({ ops, cpu }: Cell): number => cpu / ops;
    table.push([
      what,
      perSecond(ours),
      perSecond(theirs),
      each(ours).toFixed(2),
      each(theirs).toFixed(2),
      `${(each(ours) / each(theirs)).toFixed(2)}x`,
    ]);
  }
  console.log(table.toString());
  console.log('\nCPU us: CPU time of the serving process for one operation. Below 1.00x uasync needs less.');
}
