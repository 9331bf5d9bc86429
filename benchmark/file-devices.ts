/**
 * Reads that go to the device: with O_DIRECT, and buffered with a cold page cache; and how much memory a
 * long sequential read takes. uasync beside C on io_uring, fio's io_uring engine, `fs.promises` and `readSync`,
 * in turns. `node file-devices.js [--rounds N] [--seconds S] [--mib SIZE]`; UASYNC_BENCH_DIR names the folder.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { open } from 'uasync/fs';
import { compile, script } from './compile.js';
import { onCore } from './processes.js';
import { median } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    mib: { type: 'string', default: '1024' },
  },
});

/** What one reader did in one round. */
interface Read {
  ops: number;
  seconds: number;
  /** CPU microseconds. */
  cpu: number;
  /** By how many bytes its memory grew at most. */
  grown?: number;
}

interface Load {
  title: string;
  block: number;
  depth: number;
  order: 'random' | 'sequential';
  mode: 'direct' | 'cold' | 'warm';
  readers: string[];
}

const LOADS: Load[] = [
  ...[1, 32, 256].map(
    (depth): Load => ({
      title: `O_DIRECT, 4 KiB at random, ${depth} at a time`,
      ...{ block: 4096, depth, order: 'random', mode: 'direct' },
      readers: ['uasync', 'C io_uring', 'fio'],
    }),
  ),
  {
    title: 'O_DIRECT, 128 KiB in order, 8 at a time',
    ...{ block: 131_072, depth: 8, order: 'sequential', mode: 'direct' },
    readers: ['uasync', 'lease', 'C io_uring', 'fio'],
  },
  {
    title: 'cold cache, 4 KiB at random, 32 at a time',
    ...{ block: 4096, depth: 32, order: 'random', mode: 'cold' },
    readers: ['uasync', 'C io_uring', 'fio', 'fs.promises'],
  },
  {
    title: 'cold cache, 128 KiB in order, 4 at a time',
    ...{ block: 131_072, depth: 4, order: 'sequential', mode: 'cold' },
    readers: ['uasync', 'lease', 'C io_uring', 'fio', 'fs.promises', 'readSync'],
  },
  {
    title: 'warm cache, 128 KiB in order, 4 at a time',
    ...{ block: 131_072, depth: 4, order: 'sequential', mode: 'warm' },
    readers: ['uasync', 'lease', 'C io_uring', 'fs.promises', 'readSync'],
  },
];

const folder = mkdtempSync(join(process.env.UASYNC_BENCH_DIR ?? tmpdir(), 'uasync-bench-'));
const path = join(folder, 'large');

function makeFile(): void {
  const fd = openSync(path, 'w');
  for (let i = 0; i < Number(options.mib); i++) writeSync(fd, Buffer.alloc(1 << 20, i));
  fsyncSync(fd);
  closeSync(fd);
}

/** Takes the file out of the page cache; it has no page that is yet to be written. */
async function cool(): Promise<void> {
  await using file = await open(path);
  await file.fadvise('dontneed');
}

function run(command: string[]): string {
  const [program, ...args] = onCore(1, command);
  return execFileSync(program!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function fio({ block, depth, order, mode }: Load): Read {
  const output = run([
    ...['fio', '--name=read', `--filename=${path}`, '--readonly', '--ioengine=io_uring', '--invalidate=0'],
    ...[
      '--thread',
      '--time_based',
      `--runtime=${Number(options.seconds) * 1000}ms`,
      `--bs=${block}`,
      `--iodepth=${depth}`,
    ],
    ...['--fixedbufs', '--registerfiles', '--norandommap', '--output-format=json'],
    ...[`--rw=${order === 'random' ? 'randread' : 'read'}`, `--direct=${mode === 'direct' ? 1 : 0}`],
  ]);
  const [job] = JSON.parse(output.slice(output.indexOf('{'))).jobs;
  const seconds = job.read.runtime / 1000;
  return { ops: job.read.total_ios, seconds, cpu: (job.usr_cpu + job.sys_cpu) * seconds * 1e4 };
}

function read(reader: string, load: Load): Read {
  if (reader === 'fio') return fio(load);
  const { block, depth, order, mode } = load;
  const args = [path, `${block}`, `${depth}`, options.seconds, order, mode];
  const program =
    reader === 'C io_uring'
      ? [compile('benchmark/peers/file-uring.c', 'uring')]
      : [process.execPath, script('benchmark/peers/file-reader.ts'), reader];
  return JSON.parse(run([...program, ...args])) as Read;
}

/** Why a reader cannot run here; undefined if it can. */
function missing(reader: string): string | undefined {
  try {
    if (reader === 'C io_uring') compile('benchmark/peers/file-uring.c', 'uring');
    if (reader === 'fio' && spawnSync('fio', ['--version']).error) throw new Error('fio is not installed');
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function measure(load: Load): Promise<Map<string, Read[]>> {
  const results = new Map<string, Read[]>();
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const reader of load.readers) {
      if (missing(reader) !== undefined) continue;
      if (load.mode === 'cold') await cool();
      const result = read(reader, load);
      results.set(reader, [...(results.get(reader) ?? []), result]);
    }
  }
  return results;
}

makeFile();
const table = new Table({
  head: ['', '', 'CPU us', 'reads/s', 'MiB/s', 'memory + MiB'],
  colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [] },
});
try {
  for (const load of LOADS) {
    const results = await measure(load);
    for (const [i, reader] of load.readers.entries()) {
      const title = i === 0 ? load.title : '';
      const rounds = results.get(reader);
      if (rounds === undefined) {
        table.push([title, reader, missing(reader) ?? '', '', '', '']);
        continue;
      }
      const middle = (each: (read: Read) => number): number => median(rounds.map(each));
      const rate = middle(({ ops, seconds }) => ops / seconds);
      const grown = rounds[0]!.grown === undefined ? '' : (middle(r => r.grown!) / 2 ** 20).toFixed(1);
      const cpu = middle(({ cpu, ops }) => cpu / ops).toFixed(2);
      table.push([title, reader, cpu, rate.toFixed(0), ((rate * load.block) / 2 ** 20).toFixed(0), grown]);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(
  `Node ${process.version}, ${options.mib} MiB in ${folder}, medians of ${options.rounds} rounds\n`,
);
console.log(table.toString());
console.log(
  '\nCPU us: CPU time of the process for one read. fs.promises and readSync cannot be given aligned',
);
console.log('memory, so they have no O_DIRECT. memory: by how much the process grew while it read.');
