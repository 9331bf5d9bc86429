/** Calls that do not wait are made at once, without the ring: what they see, and when they leave it to the ring. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { kernelIsAtLeast } from '../../src/sys/proc.js';
import { checkLeaks, makeFifo, openFds, scratchFolder, turns, withoutInline } from '../harness.js';
import { outcome } from './beside-node.js';

const folder = scratchFolder();
checkLeaks();

const KIB = 1024;
/** ES2024 */
const Resizable = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ArrayBuffer;
const file = join(folder, 'file');
const data = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
nodeFs.writeFileSync(file, data);
const small = join(folder, 'small');
nodeFs.writeFileSync(small, data.subarray(0, 2000));

/** A loop whose calls are made at once, and the operations that `call` takes of its ring. */
async function operations(call: () => Promise<unknown>): Promise<number> {
  const before = loop().stats().submitted;
  await call();
  return loop().stats().submitted - before;
}

/** The first lookup of a name may have to wait. */
function warm(path: string): void {
  nodeFs.statSync(path, { throwIfNoEntry: false });
}

t.beforeEach(() => {
  loop().close();
  loop({ inline: true });
  warm(file);
  warm(join(folder, 'missing'));
});

t.test('what is cached takes no operation of the ring', async t => {
  await using handle = await fs.open(file);
  const buffer = Buffer.alloc(4096);
  const calls: [name: string, call: () => Promise<unknown>][] = [
    ['stat', () => fs.stat(file)],
    ['lstat', () => fs.lstat(file)],
    ['stat of what is not there', () => fs.stat(join(folder, 'missing')).catch(() => {})],
    ['access', () => fs.access(file)],
    ['readFile', () => fs.readFile(small)],
    ['realpath', () => fs.realpath(file)],
    ['open and close', async () => (await fs.open(file)).close()],
    ['handle.stat', () => handle.stat()],
    ['handle.read at a position', () => handle.read(buffer, 0, 4096, 8192)],
    ['handle.read at the current position', () => handle.read(buffer)],
    ['handle.readFile', () => handle.readFile()],
  ];
  for (const [name, call] of calls) t.equal(await operations(call), 0, name);
});

t.test('without it everything takes the ring, and comes to the same', async t => {
  const read = async (): Promise<unknown[]> => {
    await using handle = await fs.open(file);
    const some = await handle.read(Buffer.alloc(5000), 0, 5000, 299_000);
    const { size, ino } = await fs.stat(file);
    return [some.bytesRead, some.buffer.toString('latin1'), size, ino, await fs.readFile(file, 'latin1')];
  };
  const inline = await read();
  withoutInline();
  let ring: unknown[] = [];
  t.ok((await operations(async () => (ring = await read()))) > 3);
  t.strictSame(inline, ring);
});

t.test('a promise settles as a microtask, never within the call', async t => {
  await using handle = await fs.open(file);
  const order: string[] = [];
  const read = handle.read(Buffer.alloc(10), 0, 10, 0).then(() => order.push('read'));
  const stat = fs.stat(file).then(() => order.push('stat'));
  order.push('call');
  await Promise.all([read, stat]);
  t.equal(order[0], 'call');
});

t.test('reads in any size, at any place, into any kind of view', async t => {
  await using handle = await fs.open(file);
  const views: ((length: number) => Uint8Array)[] = [
    length => Buffer.allocUnsafe(length),
    length => new Uint8Array(length + 3).subarray(3),
    length => new Uint8Array(new SharedArrayBuffer(length)),
    length => new Uint8Array(new Resizable(length, { maxByteLength: length * 2 })),
  ];
  for (const length of [1, 16, 4096, 16 * KIB, 16 * KIB + 1, 128 * KIB, 400_000]) {
    for (const position of [0, 1, 4095, 299_999, 300_000, 400_000]) {
      for (const make of views) {
        const view = make(length);
        const { bytesRead } = await handle.read(view, 0, length, position);
        const expected = data.subarray(position, position + length);
        t.equal(bytesRead, expected.length);
        if (!Buffer.from(view.subarray(0, bytesRead)).equals(expected)) t.fail(`${length} at ${position}`);
      }
    }
  }
});

t.test('reads at the current position keep their order, cached or not', async t => {
  await using handle = await fs.open(file);
  await handle.fadvise('dontneed');
  const buffers = Array.from({ length: 40 }, () => Buffer.alloc(5000));
  const reads = await Promise.all(buffers.map(buffer => handle.read(buffer)));
  const all = Buffer.concat(reads.map(({ bytesRead, buffer }) => buffer.subarray(0, bytesRead)));
  t.ok(all.equals(data.subarray(0, all.length)));
  t.equal(all.length, 200_000);
});

t.test('pages that were dropped between two reads come through the ring', async t => {
  const big = join(folder, 'dropped');
  nodeFs.writeFileSync(big, Buffer.alloc(1 << 20, 'x'));
  await using handle = await fs.open(big, 'r+');
  await handle.sync();
  const buffer = Buffer.alloc(100_000);
  for (let i = 0; i < 10; i++) {
    await handle.fadvise('dontneed');
    buffer.fill(0);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, i * 1000);
    t.equal(bytesRead, buffer.length);
    t.ok(buffer.every(byte => byte === 120));
  }
});

t.test('holes, and files that grow and shrink meanwhile', async t => {
  const path = join(folder, 'changing');
  await using handle = await fs.open(path, 'w+');
  await handle.truncate(100_000);
  const buffer = Buffer.alloc(50_000, 1);
  t.equal((await handle.read(buffer, 0, buffer.length, 25_000)).bytesRead, 50_000);
  t.ok(buffer.every(byte => byte === 0));
  for (const size of [100, 0, 70_000, 1]) {
    await handle.truncate(size);
    t.equal((await handle.read(buffer, 0, buffer.length, 0)).bytesRead, Math.min(size, buffer.length));
    t.equal((await fs.readFile(path)).length, size);
    t.equal((await fs.stat(path)).size, size);
  }
});

t.test('errors are those of Node, whatever the path is', async t => {
  const at = (name: string): string => join(folder, name);
  nodeFs.symlinkSync('loop', at('loop'));
  nodeFs.symlinkSync('file', at('link'));
  nodeFs.symlinkSync('missing', at('dangling'));
  nodeFs.mkdirSync(at('directory'));
  const paths = [
    'loop',
    'link',
    'dangling',
    'missing',
    'file/x',
    'directory',
    'directory/..',
    'x'.repeat(300),
    '',
  ];
  for (const name of paths) {
    const path = name === '' ? '' : at(name);
    const size = ({ size, mode }: nodeFs.Stats): number[] => [size, mode];
    const { O_RDONLY, O_NOFOLLOW, O_DIRECTORY } = nodeFs.constants;
    const calls: ((api: typeof nodeFs.promises) => Promise<unknown>)[] = [
      async api => size(await api.stat(path)),
      async api => size(await api.lstat(path)),
      api => api.access(path),
      api => api.access(path, nodeFs.constants.X_OK),
      api => api.readFile(path, 'latin1'),
      api => api.realpath(path),
      api => api.readlink(path),
      async api => (await api.open(path)).close(),
      async api => (await api.open(path, O_RDONLY | O_NOFOLLOW)).close(),
      async api => (await api.open(path, O_RDONLY | O_DIRECTORY)).close(),
      async api => (await api.open(path, 'r+')).close(),
    ];
    for (const call of calls) {
      const ours = await outcome(() => call(fs as unknown as typeof nodeFs.promises));
      t.strictSame(ours, await outcome(() => call(nodeFs.promises)), `${call} of ${name}`);
    }
  }
});

t.test('a descriptor has the flags that were asked for, and no others', async t => {
  const flagsOf = (fd: number): string =>
    /flags:\s*(\d+)/.exec(nodeFs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!;
  for (const flags of ['r', 'r+', nodeFs.constants.O_WRONLY | nodeFs.constants.O_APPEND]) {
    await using handle = await fs.open(file, flags);
    const theirs = await nodeFs.promises.open(file, flags);
    t.equal(flagsOf(handle.fd), flagsOf(theirs.fd));
    await theirs.close();
  }
});

t.test('a FIFO is not opened until its other end is', async t => {
  const fifo = makeFifo(folder, 'fifo');
  const opening = fs.open(fifo);
  await turns();
  const writer = spawn('sh', ['-c', 'echo hello > "$1"', 'sh', fifo]);
  // It may end before the read does.
  const written = once(writer, 'close');
  const handle = await opening;
  t.equal((await handle.read(Buffer.alloc(5), 0, 5)).buffer.toString(), 'hello');
  await Promise.all([handle.close(), written]);
  t.equal((await fs.stat(fifo)).isFIFO(), true);
});

t.test('files of /proc are read to their ends', async t => {
  t.equal(await fs.readFile('/proc/self/comm', 'utf8'), nodeFs.readFileSync('/proc/self/comm', 'utf8'));
  await using handle = await fs.open('/proc/self/status');
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(100), 0, 100, 0);
  t.equal(buffer.toString('latin1', 0, 5), 'Name:');
  t.equal(bytesRead, 100);
});

t.test('another mount, and one in its place', async t => {
  const mount = join(folder, 'mount');
  nodeFs.mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'none', mount], { stdio: 'ignore' });
  } catch {
    t.comment('mounting is not permitted here');
    t.equal((await fs.readdir(mount)).length, 0);
    return;
  }
  try {
    nodeFs.writeFileSync(join(mount, 'inside'), 'tmpfs');
    t.equal(await fs.readFile(join(mount, 'inside'), 'utf8'), 'tmpfs');
  } finally {
    execFileSync('umount', [mount]);
  }
  // The next file system may get the number of that one, and be of a kind that is not asked at once.
  execFileSync('mount', ['-t', 'devpts', '-o', 'newinstance', 'none', mount], { stdio: 'ignore' });
  try {
    warm(mount);
    const taken = await operations(() => fs.stat(mount));
    // Before, the id of the mount may be that of the one before as well.
    if (kernelIsAtLeast(6, 8)) t.equal(taken, 1);
  } finally {
    execFileSync('umount', [mount]);
  }
  t.equal(
    ((await outcome(() => fs.stat(join(mount, 'inside')))) as { error: { code: string } }).error.code,
    'ENOENT',
  );
});

t.test('readers of cached files do not hold up timers', async t => {
  await using handle = await fs.open(file);
  let stopped = false;
  const readers = Array.from({ length: 64 }, async () => {
    const buffer = Buffer.alloc(4096);
    while (!stopped) await handle.read(buffer, 0, 4096, 0);
  });
  for (let i = 0; i < 10; i++) await new Promise(resolve => setTimeout(resolve, 1));
  stopped = true;
  await Promise.all(readers);
  t.pass('ten timers fired');
});

t.test('a handle closes at once, and its number is free', async t => {
  const before = openFds();
  for (let i = 0; i < 100; i++) {
    const handle = await fs.open(file);
    const reading = handle.read(Buffer.alloc(10), 0, 10, 0);
    await handle.close();
    t.equal((await reading).bytesRead, 10);
    await t.rejects(handle.read(Buffer.alloc(10)), { code: 'EBADF' });
  }
  t.equal(openFds(), before);
});

t.test('calls that were queued when the loop was closed touch none of its memory', async t => {
  const path = join(folder, 'queued');
  nodeFs.writeFileSync(path, Buffer.alloc(1 << 20, 'q'));
  for (let i = 0; i < 20; i++) {
    const handle = await fs.open(path, 'r+');
    await handle.sync();
    await handle.fadvise('dontneed');
    const calls = [handle.read(Buffer.alloc(1 << 20)), handle.readFile(), handle.stat(), handle.read()];
    loop().close();
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'rejected') t.equal(result.reason.code, 'ERR_CLOSED');
    }
    await handle.close();
  }
});
