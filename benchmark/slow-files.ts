/**
 * Files that wait, and files that do not: FIFOs without a writer, and readFile of small files meanwhile. It shows
 * histograms of the times of these reads, and of the delays of the event loop. `node slow-files.js [--fifos N]
 * [--seconds S]`; with `--way WAY` one of them, which prints JSON.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import nodeFs, { promises } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as fs from 'uasync/fs';

const { values: options } = parseArgs({
  options: {
    fifos: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '2' },
    way: { type: 'string' },
  },
});

interface Outcome {
  /** For each of BOUNDS, the number of reads that took less, and at least the previous bound. */
  reads: number[];
  /** Reads that had not ended when the time was up. */
  stuck: number;
  /** The delays of the event loop at checks every millisecond: percentiles, in milliseconds. */
  delays: [percentile: number, ms: number][];
}

/** In microseconds. */
const BOUNDS = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, Number.MAX_SAFE_INTEGER];

/** Runs in this process, which pending calls keep alive afterwards. */
async function measure(way: string): Promise<Outcome> {
  const api = way.startsWith('uasync') ? (fs as unknown as typeof promises) : promises;
  const folder = nodeFs.mkdtempSync(join(tmpdir(), 'uasync-bench-'));
  const [fifo, plain] = [join(folder, 'fifo'), join(folder, 'plain')];
  execFileSync('mkfifo', [fifo]);
  nodeFs.writeFileSync(plain, Buffer.alloc(4096, 'x'));
  const reads = BOUNDS.map(() => 0);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  for (let i = 0; i < 500; i++) await api.readFile(plain);
  for (let i = 0; i < Number(options.fifos); i++) api.open(fifo).catch(() => {});
  const end = performance.now() + Number(options.seconds) * 1000;
  let pending = 0;
  const reader = async (): Promise<void> => {
    while (performance.now() < end) {
      const began = performance.now();
      pending++;
      await api.readFile(plain);
      pending--;
      const took = (performance.now() - began) * 1000;
      reads[BOUNDS.findIndex(bound => took < bound)]!++;
      await sleep(1);
    }
  };
  delays.enable();
  for (let i = 0; i < 8; i++) void reader();
  await sleep(Number(options.seconds) * 1000 + 100);
  delays.disable();
  nodeFs.rmSync(folder, { recursive: true });
  const percentiles = [50, 90, 99, 99.9, 100];
  return { reads, stuck: pending, delays: percentiles.map(p => [p, delays.percentile(p) / 1e6]) };
}

function microseconds(bound: number): string {
  if (bound === BOUNDS.at(-1)) return '     more';
  return bound < 1000 ? `< ${bound} us`.padStart(9) : `< ${bound / 1000} ms`.padStart(9);
}

function show({ reads, stuck, delays }: Outcome): void {
  const total = reads.reduce((sum, count) => sum + count, 0);
  console.log(`  ${total} reads, by how long they took${stuck > 0 ? `, and ${stuck} that never ended` : ''}`);
  for (const [i, count] of reads.entries()) {
    if (count === 0) continue;
    const bar = '#'.repeat(Math.ceil((count / total) * 50));
    console.log(`    ${microseconds(BOUNDS[i]!)}  ${String(count).padStart(7)}  ${bar}`);
  }
  const looks = delays.map(([percentile, ms]) => `p${percentile} ${ms.toFixed(1)}`).join('  ');
  console.log(`  event loop, between two looks of 1 ms: ${looks} ms`);
}

if (options.way !== undefined) {
  nodeFs.writeSync(1, JSON.stringify(await measure(options.way)));
  // Any other exit would wait for the blocked threads.
  process.kill(process.pid, 'SIGKILL');
}
const { fifos, seconds } = options;
console.log(`${fifos} FIFOs that nobody writes, and readFile of 4 KiB by 8 readers for ${seconds} s`);
for (const way of ['uasync', 'uasync (epoll)', 'fs.promises']) {
  const args = [fileURLToPath(import.meta.url), '--way', way, '--fifos', fifos, '--seconds', seconds];
  console.log(`\n${way}`);
  const env = { ...process.env, UASYNC_BACKEND: way === 'uasync' ? 'io_uring' : 'epoll' };
  show(JSON.parse(spawnSync(process.execPath, args, { env, encoding: 'utf8' }).stdout) as Outcome);
}
