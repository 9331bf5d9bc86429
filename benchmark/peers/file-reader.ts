/**
 * Reads of one file, so many at a time, for so many seconds, with the arguments of file-uring.c:
 * `node file-reader.js uasync|fs.promises|readSync|lease FILE BLOCK DEPTH SECONDS random|sequential [direct]`
 * prints one line of JSON. `lease` is `handle.chunks({ lease: true })`.
 */
import nodeFs, { constants, promises } from 'node:fs';
import * as fs from 'uasync/fs';

const [way, path = '', size, count, time, order, mode] = process.argv.slice(2);
const block = Number(size);
const depth = Number(count);
const flags = constants.O_RDONLY | (mode === 'direct' ? constants.O_DIRECT : 0);
const blocks = Math.floor(nodeFs.statSync(path).size / block);

let next = 0;
function position(): number {
  return (order === 'random' ? Math.floor(Math.random() * blocks) : next++ % blocks) * block;
}

let ops = 0;
let end = 0;

/** Whether the time is over; not asked each time. */
function over(): boolean {
  return (ops & 15) === 0 && performance.now() >= end;
}

async function readAtOnce(open: typeof promises.open): Promise<void> {
  const handle = await open(path, flags);
  const reader = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafeSlow(block);
    while (!over()) {
      const { bytesRead } = await handle.read(buffer, 0, block, position());
      if (bytesRead !== block) throw new Error(`${bytesRead} bytes read`);
      ops++;
    }
  };
  await Promise.all(Array.from({ length: depth }, reader));
  await handle.close();
}

async function lease(): Promise<void> {
  const handle = await fs.open(path, flags);
  while (!over()) {
    for await (const _ of handle.chunks({ size: block, readAhead: depth, lease: true })) {
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
  uasync: () => readAtOnce(fs.open as never),
  'fs.promises': () => readAtOnce(promises.open),
  readSync,
  lease,
};

/** For so many seconds; what it took. */
async function measure(seconds: number): Promise<object> {
  ops = 0;
  const before = process.cpuUsage();
  const began = performance.now();
  end = began + seconds * 1000;
  await ways[way!]!();
  const { user, system } = process.cpuUsage(before);
  return { ops, seconds: (performance.now() - began) / 1000, cpu: user + system };
}

// Cold, a warm-up would leave pages behind; the JIT's share is small beside the device.
if (mode !== 'cold') await measure(0.3);
const resident = process.memoryUsage().rss;
const result = await measure(Number(time));
const grown = process.resourceUsage().maxRSS * 1024 - resident;
console.log(JSON.stringify({ ...result, grown: Math.max(0, grown) }));
