/**
 * Cached random reads of 4 KiB, by uasync, by node:fs/promises and by readSync, in turns, in this
 * process. `node file-reads.js [ROUNDS]` prints JSON.
 */
import { closeSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { open as openNode } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'uasync/fs';

/** What one way of reading took. */
export interface FileResult {
  ops: number;
  seconds: number;
  /** CPU microseconds of the process, all its threads. */
  cpu: number;
}

const FILE_BYTES = 64 << 20;
const BLOCK = 4096;
const ROUND_MS = 250;

type ReadOne = (buffer: Buffer, position: number) => unknown;

async function run(depth: number, readOne: ReadOne, result: FileResult): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + ROUND_MS;
  let ops = 0;
  const reader = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafeSlow(BLOCK);
    while (performance.now() < end) {
      for (let i = 0; i < 16; i++) {
        await readOne(buffer, Math.floor(Math.random() * (FILE_BYTES / BLOCK)) * BLOCK);
        ops++;
      }
    }
  };
  await Promise.all(Array.from({ length: depth }, reader));
  const { user, system } = process.cpuUsage(cpu);
  result.ops += ops;
  result.seconds += (performance.now() - start) / 1000;
  result.cpu += user + system;
}

const rounds = Number(process.argv[2] ?? 3);
const path = join(tmpdir(), `uasync-bench-${process.pid}`);
writeFileSync(path, Buffer.alloc(FILE_BYTES, 1));
const ours = await open(path);
const theirs = await openNode(path);
const fd = openSync(path, 'r');

const ways: Record<string, ReadOne> = {
  uasync: (buffer, position) => ours.read(buffer, 0, BLOCK, position),
  'fs.promises': (buffer, position) => theirs.read(buffer, 0, BLOCK, position),
  readSync: (buffer, position) => readSync(fd, buffer, 0, BLOCK, position),
};
const DEPTHS = [1, 64];
const results: Record<string, Record<string, FileResult>> = {};
for (const depth of DEPTHS) {
  results[depth] = {};
  for (const name of Object.keys(ways)) results[depth][name] = { ops: 0, seconds: 0, cpu: 0 };
}
// The first round warms the JIT and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const depth of DEPTHS) {
    for (const [name, way] of Object.entries(ways)) {
      const warmUp = { ops: 0, seconds: 0, cpu: 0 };
      await run(depth, way, round === 0 ? warmUp : results[depth]![name]!);
    }
  }
}
closeSync(fd);
await theirs.close();
await ours.close();
rmSync(path);
console.log(JSON.stringify(results));
