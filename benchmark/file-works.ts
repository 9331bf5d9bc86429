/**
 * What programs do with files, by uasync/fs, by node:fs/promises and by node:fs's sync calls, in turns, in
 * this process. `node file-works.js ROUNDS FILES LARGE_BYTES [WORK]` prints JSON.
 */
import nodeFs, { promises } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What one way of doing one work took, summed over the rounds. */
export interface WorkResult {
  ops: number;
  seconds: number;
  /** CPU microseconds of the process, all its threads. */
  cpu: number;
  /** The longest that the event loop was held up, in milliseconds. */
  delay: number;
}

type Api = typeof promises;
/** Does the work once; resolves to the number of operations. */
type Work = () => Promise<number> | number;

const [rounds = 3, files = 4000, largeBytes = 256 << 20] = process.argv.slice(2, 5).map(Number);
const only = process.argv[5];
const SMALL = 4096;
const AT_A_TIME = 64;
const CHUNK = 128 << 10;
const READS = 20_000;
const APPENDS = 640;

const folder = nodeFs.mkdtempSync(join(process.env.UASYNC_BENCH_DIR ?? tmpdir(), 'uasync-bench-'));
const small = Array.from({ length: files }, (_, i) => join(folder, `small-${i}`));
const large = join(folder, 'large');
const content = Buffer.alloc(SMALL, 'x');
for (const path of small) nodeFs.writeFileSync(path, content);
const fill = nodeFs.openSync(large, 'w');
for (let at = 0; at < largeBytes; at += 4 << 20) nodeFs.writeSync(fill, Buffer.alloc(4 << 20, 1));
nodeFs.closeSync(fill);

/** `each` for every index below `count`, so many at a time. */
async function spread(
  count: number,
  atATime: number,
  each: (i: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return count;
}

function somewhere(): number {
  return Math.floor(Math.random() * (largeBytes / SMALL)) * SMALL;
}

async function randomReads(api: Api, depth: number): Promise<number> {
  const handle = await api.open(large);
  const buffers = Array.from({ length: depth }, () => Buffer.allocUnsafeSlow(SMALL));
  let left = READS;
  const reader = async (buffer: Buffer): Promise<void> => {
    while (left-- > 0) await handle.read(buffer, 0, SMALL, somewhere());
  };
  await Promise.all(buffers.map(reader));
  await handle.close();
  return READS;
}

function randomReadsSync(): number {
  const fd = nodeFs.openSync(large, 'r');
  const buffer = Buffer.allocUnsafeSlow(SMALL);
  for (let i = 0; i < READS; i++) nodeFs.readSync(fd, buffer, 0, SMALL, somewhere());
  nodeFs.closeSync(fd);
  return READS;
}

async function sequential(api: Api): Promise<number> {
  const handle = await api.open(large);
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  let count = 0;
  while ((await handle.read(buffer, 0, CHUNK)).bytesRead > 0) count++;
  await handle.close();
  return count;
}

function sequentialSync(): number {
  const fd = nodeFs.openSync(large, 'r');
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  let count = 0;
  while (nodeFs.readSync(fd, buffer, 0, CHUNK, null) > 0) count++;
  nodeFs.closeSync(fd);
  return count;
}

async function appendLog(api: Api): Promise<number> {
  const handle = await api.open(join(folder, 'log'), 'a');
  await spread(APPENDS, AT_A_TIME, async () => {
    await handle.write(content);
    await handle.datasync();
  });
  await handle.close();
  return APPENDS;
}

function appendLogSync(): number {
  const fd = nodeFs.openSync(join(folder, 'log'), 'a');
  for (let i = 0; i < APPENDS; i++) {
    nodeFs.writeSync(fd, content);
    nodeFs.fdatasyncSync(fd);
  }
  nodeFs.closeSync(fd);
  return APPENDS;
}

let made = 0;
function newPath(): string {
  return join(folder, `new-${made++}`);
}

function forEach(each: (path: string) => unknown): number {
  for (const path of small) each(path);
  return files;
}

const apis: Record<string, Api> = { 'fs.promises': promises };
// Bun runs this file too, for its own fs.promises.
if (process.versions.bun === undefined) apis.uasync = (await import('uasync/fs')) as unknown as Api;

const works: Record<string, Record<string, Work>> = {};
function add(name: string, work: (api: Api) => Promise<number>, sync: Work): void {
  if (only !== undefined && !name.startsWith(only)) return;
  const ways: Record<string, Work> = { sync };
  for (const [which, api] of Object.entries(apis)) ways[which] = () => work(api);
  works[name] = ways;
}
for (const depth of [1, 32, 256]) {
  add(`read 4 KiB at random, ${depth} at a time`, api => randomReads(api, depth), randomReadsSync);
}
add(
  `readFile, ${AT_A_TIME} at a time`,
  api => spread(files, AT_A_TIME, i => api.readFile(small[i]!)),
  () => forEach(nodeFs.readFileSync),
);
add(
  `stat, ${AT_A_TIME} at a time`,
  api => spread(files, AT_A_TIME, i => api.stat(small[i]!)),
  () => forEach(nodeFs.statSync),
);
add(
  `writeFile, ${AT_A_TIME} at a time`,
  api => spread(files, AT_A_TIME, () => api.writeFile(newPath(), content)),
  () => forEach(() => nodeFs.writeFileSync(newPath(), content)),
);
add('read in chunks of 128 KiB', sequential, sequentialSync);
add('append 4 KiB and datasync, 64 writers', appendLog, appendLogSync);

const results: Record<string, Record<string, WorkResult>> = {};
// The first round warms the JIT and the page cache, and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const [name, ways] of Object.entries(works)) {
    for (const [way, work] of Object.entries(ways)) {
      const histogram = monitorEventLoopDelay({ resolution: 1 });
      histogram.enable();
      const cpu = process.cpuUsage();
      const start = performance.now();
      const ops = await work();
      const seconds = (performance.now() - start) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      histogram.disable();
      if (round === 0) continue;
      results[name] ??= {};
      const sum = results[name];
      sum[way] ??= { ops: 0, seconds: 0, cpu: 0, delay: 0 };
      sum[way].ops += ops;
      sum[way].seconds += seconds;
      sum[way].cpu += user + system;
      sum[way].delay = Math.max(sum[way].delay, histogram.max / 1e6);
    }
  }
}
nodeFs.rmSync(folder, { recursive: true });
console.log(JSON.stringify(results));
