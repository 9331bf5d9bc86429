/**
 * Reads of one file for a number of seconds, with the arguments of one-file.c: `node one-file.js
 * uasync|uasync-pinned|uasync-lease|node|node-sync FILE BLOCK AT_A_TIME SECONDS random|sequential [direct|cold]` prints
 * one line of JSON. With a cold cache nothing is read before the measurement.
 */
import nodeFs, { constants, promises } from 'node:fs';
import { allocPinned } from 'uasync';
import * as fs from 'uasync/fs';

const [way = '', path = '', size, count, time, order, mode] = process.argv.slice(2);
const block = Number(size);
const atATime = Number(count);
const flags = constants.O_RDONLY | (mode === 'direct' ? constants.O_DIRECT : 0);
const blocks = Math.floor(nodeFs.statSync(path).size / block);

let next = 0;
function position(): number {
  return (order === 'random' ? Math.floor(Math.random() * blocks) : next++ % blocks) * block;
}

let ops = 0;
let end = 0;

/** Whether the time is up; not checked each time. A cold file is read only once, because it is warm then. */
function over(): boolean {
  if (mode === 'cold' && ops >= blocks) return true;
  return (ops & 15) === 0 && performance.now() >= end;
}

async function readBy(open: typeof promises.open, allocate: (size: number) => Buffer): Promise<void> {
  const handle = await open(path, flags);
  const reader = async (): Promise<void> => {
    const buffer = allocate(block);
    while (!over()) {
      const { bytesRead } = await handle.read(buffer, 0, block, position());
      if (bytesRead !== block) throw new Error(`${bytesRead} bytes read`);
      ops++;
    }
  };
  await Promise.all(Array.from({ length: atATime }, reader));
  await handle.close();
}

async function lease(): Promise<void> {
  const handle = await fs.open(path, flags);
  while (!over()) {
    for await (const _ of handle.chunks({ size: block, readAhead: atATime, lease: true })) {
      ops++;
      if (over()) break;
    }
  }
  await handle.close();
}

function readSync(): void {
  const fd = nodeFs.openSync(path, flags);
  const buffer = Buffer.allocUnsafeSlow(block);
  while (!over()) {
    nodeFs.readSync(fd, buffer, 0, block, position());
    ops++;
  }
  nodeFs.closeSync(fd);
}

const ways: Record<string, () => Promise<void> | void> = {
  uasync: () => readBy(fs.open as never, Buffer.allocUnsafeSlow),
  'uasync-pinned': () => readBy(fs.open as never, allocPinned),
  'uasync-lease': lease,
  node: () => readBy(promises.open, Buffer.allocUnsafeSlow),
  'node-sync': readSync,
};

/** Reads for `seconds`; returns the result. */
async function measure(seconds: number): Promise<object> {
  ops = 0;
  const before = process.cpuUsage();
  const began = performance.now();
  end = began + seconds * 1000;
  await ways[way]!();
  const { user, system } = process.cpuUsage(before);
  return { ops, seconds: (performance.now() - began) / 1000, cpu: user + system, system };
}

// With a cold cache a warm-up would leave pages behind; the JIT's share is small compared with the device.
if (mode !== 'cold') await measure(0.3);
const before = process.memoryUsage().rss;
const result = await measure(Number(time));
const resident = Math.max(0, process.resourceUsage().maxRSS * 1024 - before);
console.log(JSON.stringify({ ...result, resident, latencies: [] }));
