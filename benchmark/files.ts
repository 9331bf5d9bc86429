/**
 * `npm run bench:files`: what files cost with uasync/fs, beside node:fs/promises, node:fs's sync calls,
 * and Bun if it is installed (`npm install --no-save --prefix benchmark @oven/bun-linux-x64`). All pinned to one core, in turns.
 * `--full` has 20,000 files and 1 GiB, `--work NAME` one work only.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import type { WorkResult } from './file-works.js';
import { onCore, pinned } from './processes.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    full: { type: 'boolean', default: false },
    work: { type: 'string' },
  },
});

type Results = Record<string, Record<string, WorkResult>>;

const script = fileURLToPath(new URL('file-works.js', import.meta.url));
const bun = fileURLToPath(
  new URL('../../benchmark/node_modules/@oven/bun-linux-x64/bin/bun', import.meta.url),
);

async function run(runtime: string): Promise<Results> {
  const args = [options.rounds, ...(options.full ? ['20000', '1073741824'] : ['4000', '268435456'])];
  if (options.work !== undefined) args.push(options.work);
  const [program, ...rest] = onCore(1, [runtime, script, ...args]);
  const { stdout } = await promisify(execFile)(program!, rest, { maxBuffer: 16 << 20 });
  return JSON.parse(stdout) as Results;
}

const results = await run(process.execPath);
if (existsSync(bun)) {
  for (const [work, ways] of Object.entries(await run(bun))) results[work]!.Bun = ways['fs.promises']!;
}

console.log(`Node ${process.version}, ${pinned ? 'pinned to one core' : 'not pinned'}, page cache warm\n`);
const table = new Table({
  head: ['', '', 'CPU us', 'each us', 'against uasync, CPU', 'delay ms'],
  colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [] },
});
for (const [work, ways] of Object.entries(results)) {
  const each = ({ cpu, ops }: WorkResult): number => cpu / ops;
  const own = each(ways.uasync!);
  for (const way of ['uasync', 'fs.promises', 'sync', 'Bun']) {
    const result = ways[way];
    if (result === undefined) continue;
    table.push([
      way === 'uasync' ? work : '',
      way,
      each(result).toFixed(2),
      ((result.seconds * 1e6) / result.ops).toFixed(2),
      `${(each(result) / own).toFixed(2)}x`,
      result.delay.toFixed(1),
    ]);
  }
}
console.log(table.toString());
console.log('\nCPU us: CPU time of the process for one operation. More than 1.00x: uasync needs less.');
console.log('delay: the longest that the event loop was held up. The log is written beside the other files.');
