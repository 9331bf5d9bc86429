/** Files that are not plain: that grow, shrink, block, have holes, are full, or say nothing of their size. */
import { execFileSync } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, makeFifo, scratchFolder, seededRandom, until } from '../harness.js';

const folder = scratchFolder();
checkLeaks();

t.test('files of /proc and /sys, whole', async t => {
  // What is longer than one read of /proc gives: each line is there once.
  const linesOf = (text: string): number => text.split('\n').length;
  const byNode = (): number => linesOf(nodeFs.readFileSync('/proc/kallsyms', 'utf8'));
  // It changes when the kernel loads a module, as another test may have it do.
  let [before, lines, after] = [0, 0, byNode()];
  while (before !== after) {
    before = after;
    lines = linesOf(await fs.readFile('/proc/kallsyms', 'utf8'));
    after = byNode();
  }
  t.equal(lines, after);
  t.equal(await fs.readFile('/proc/self/cmdline', 'utf8'), nodeFs.readFileSync('/proc/self/cmdline', 'utf8'));
  t.equal(
    await fs.readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').catch(() => 'none'),
    sysFile(),
  );
  const handle = await fs.open('/proc/self/status');
  t.match(await handle.readFile('utf8'), /^Name:/);
  await handle.close();
});

function sysFile(): string {
  try {
    return nodeFs.readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
  } catch {
    return 'none';
  }
}

t.test('readFile of every size around its first block', async t => {
  for (const size of [0, 1, 65_023, 65_024, 65_025, 65_535, 65_536, 65_537, 200_000, 300_000, 5_000_000]) {
    const path = join(folder, 'size');
    const data = Buffer.alloc(size, 'abcdefg');
    await fs.writeFile(path, data);
    const found = await fs.readFile(path);
    t.ok(found.equals(data), `${size} bytes`);
    t.equal(found.buffer.byteLength, size, 'in memory of their own, as Node’s');
    t.equal(await fs.readFile(path, 'latin1'), data.toString('latin1'));
  }
});

t.test('more readFiles at once than there are registered files', async t => {
  const path = join(folder, 'popular');
  nodeFs.writeFileSync(path, 'text');
  const all = await Promise.all(Array.from({ length: 1500 }, () => fs.readFile(path, 'utf8')));
  t.ok(all.every(text => text === 'text'));
  const written = Array.from({ length: 1200 }, (_, i) => join(folder, `many-${i % 500}`));
  await Promise.all(written.map(path => fs.writeFile(path, path)));
  t.strictSame(await fs.readMany(written, { encoding: 'utf8' }), written);
});

t.test('opening a FIFO waits for the other end', async t => {
  const path = makeFifo(folder, 'both');
  let opened = false;
  const reading = fs.open(path, 'r').then(handle => {
    opened = true;
    return handle;
  });
  await new Promise(resolve => setTimeout(resolve, 30));
  t.notOk(opened);
  const [reader, writer] = await Promise.all([reading, fs.open(path, 'w')]);
  await writer.write('through');
  t.equal(String((await reader.read(Buffer.alloc(7))).buffer), 'through');
  await Promise.all([reader.close(), writer.close()]);
});

t.test('readFile of a FIFO waits for its writer, and reads to its end', async t => {
  const path = makeFifo(folder, 'whole');
  const reading = fs.readFile(path, 'utf8');
  await new Promise(resolve => setTimeout(resolve, 30));
  const writer = await fs.open(path, 'w');
  const pieces = Array.from({ length: 100 }, (_, i) => `piece ${i} `.repeat(100));
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
  t.equal(await reading, pieces.join(''));
  const late = fs.readFile(path, 'latin1');
  await fs.writeFile(path, 'in one go');
  t.equal(await late, 'in one go');
});

t.test('a FIFO that nobody writes holds up nobody', async t => {
  const path = makeFifo(folder, 'silent');
  let ended = 0;
  const waiting = [1, 2].map(async () => {
    const bytes = await fs.readFile(path);
    ended++;
    return bytes;
  });
  const plain = join(folder, 'plain');
  nodeFs.writeFileSync(plain, 'x');
  for (let i = 0; i < 200; i++) t.equal(await fs.readFile(plain, 'latin1'), 'x');
  // With the first writer gone the readers would end, and the next one would wait for others.
  const writer = await fs.open(path, 'w');
  await fs.writeFile(path, '');
  await writer.close();
  // One of the readers may not have begun until now.
  await until(() => {
    nodeFs.closeSync(nodeFs.openSync(path, 'r+'));
    return ended === 2;
  });
  for (const read of waiting) t.equal((await read).length, 0);
});

t.test('forty FIFOs that nobody opens hold up nobody, nor the event loop', async t => {
  const path = makeFifo(folder, 'forty');
  const plain = join(folder, 'beside');
  const heldUp = async (): Promise<number> => {
    const opens = Array.from({ length: 40 }, () => fs.open(path));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    for (let i = 0; i < 50; i++) {
      await fs.writeFile(plain, `${i}`);
      t.equal((await fs.stat(plain)).size, `${i}`.length);
      t.equal(await fs.readFile(plain, 'latin1'), `${i}`);
    }
    delay.disable();
    const writer = await fs.open(path, 'w');
    for (const handle of await Promise.all(opens)) await handle.close();
    await writer.close();
    return delay.max / 1e6;
  };
  let ms = await heldUp();
  // A busy machine may stop the process for as long, but not each time.
  for (let tries = 1; tries < 10 && ms >= 500; tries++) ms = await heldUp();
  t.ok(ms < 500, `the event loop was held up for ${ms} ms`);
});

t.test('append mode: every write goes to the end, whatever the position', async t => {
  const path = join(folder, 'append');
  await fs.writeFile(path, 'start;');
  await using one = await fs.open(path, 'a+');
  await using two = await fs.open(path, 'a');
  const texts: string[] = [];
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => {
      texts.push(`${i};`);
      return (i % 2 ? one : two).write(`${i};`, i % 3 ? null : 0);
    }),
  );
  const found = (await fs.readFile(path, 'latin1')).split(';');
  t.strictSame(found.toSorted(), ['start', '', ...texts.map(text => text.slice(0, -1))].toSorted());
  t.equal((await one.read(Buffer.alloc(6), 0, 6, 0)).buffer.toString(), 'start;');
});

t.test('writes and reads in flight at the current position keep their order', async t => {
  const random = seededRandom(t);
  const path = join(folder, 'order');
  await using handle = await fs.open(path, 'w+');
  const calls: Promise<unknown>[] = [];
  let expected = '';
  for (let i = 0; i < 500; i++) {
    if (random() < 0.1) {
      // At the end there is nothing to read: but what is written before must not come after it.
      calls.push(handle.read(Buffer.alloc(10)).then(({ bytesRead }) => t.equal(bytesRead, 0)));
    } else {
      const text = `${i},`.repeat(1 + Math.floor(random() ** 4 * 20_000));
      expected += text;
      calls.push(handle.write(text).then(({ bytesWritten }) => t.equal(bytesWritten, text.length)));
    }
  }
  await Promise.all(calls);
  t.equal(await fs.readFile(path, 'latin1'), expected);
});

t.test('a file of more than 2 GiB, most of it a hole', async t => {
  const path = join(folder, 'sparse');
  await using handle = await fs.open(path, 'w+');
  const far = 5 * 2 ** 30;
  await handle.write('the end', far);
  t.equal((await handle.stat()).size, far + 7);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, far - 3);
  t.equal(buffer.toString('latin1', 0, bytesRead), '\0\0\0the end');
  await t.rejects(fs.readFile(path), { name: 'RangeError', code: 'ERR_FS_FILE_TOO_LARGE' });
  await t.rejects(handle.readFile(), { code: 'ERR_FS_FILE_TOO_LARGE' });
  await handle.truncate(2 ** 32 + 1);
  t.equal((await fs.stat(path)).size, 2 ** 32 + 1);
});

t.test('a full disk takes what fits, and then says ENOSPC', async t => {
  const disk = join(folder, 'disk');
  nodeFs.mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', disk], { stdio: 'ignore' });
  } catch {
    t.comment('mount(8) needs root');
    return;
  }
  try {
    const path = join(disk, 'file');
    const handle = await fs.open(path, 'w');
    const { bytesWritten } = await handle.write(Buffer.alloc(3 << 20));
    t.equal(bytesWritten, 1 << 20, 'as much as there is room for');
    await t.rejects(handle.write('x'), { code: 'ENOSPC', errno: -28, syscall: 'write' });
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => handle.write('xyz')));
    t.ok(
      results.every(({ status }) => status === 'rejected'),
      'queued ones, each',
    );
    await handle.truncate((1 << 20) - 8192);
    await handle.close();
    const again = await fs.open(path, 'a');
    const counts = await Promise.allSettled(Array.from({ length: 5 }, () => again.write(Buffer.alloc(3000))));
    t.strictSame(
      counts.map(result => (result.status === 'fulfilled' ? result.value.bytesWritten : result.reason.code)),
      [3000, 3000, 2192, 'ENOSPC', 'ENOSPC'],
    );
    await again.close();
    await t.rejects(fs.writeFile(join(disk, 'second'), 'x'.repeat(10_000)), {
      code: 'ENOSPC',
      syscall: 'write',
    });
    nodeFs.truncateSync(path, (1 << 20) - 4096);
    await t.rejects(fs.writeFile(join(disk, 'third'), 'x'.repeat(10_000)), { code: 'ENOSPC' });
    t.equal(nodeFs.statSync(join(disk, 'third')).size, 4096);
    nodeFs.unlinkSync(join(disk, 'third'));
    const fourth = await fs.open(join(disk, 'fourth'), 'w');
    t.equal((await fourth.write(Buffer.alloc(10_000, 'a'))).bytesWritten, 4096);
    nodeFs.unlinkSync(path);
    await fourth.write('b');
    t.equal(
      nodeFs.readFileSync(join(disk, 'fourth'), 'latin1'),
      `${'a'.repeat(4096)}b`,
      'where it had stopped',
    );
    await fourth.close();
  } finally {
    execFileSync('umount', [disk]);
  }
});

t.test('devices that stop for a signal are read on', async t => {
  const handle = await fs.open('/dev/zero');
  const reads = Array.from({ length: 600 }, async (_, i) => {
    const buffer = Buffer.alloc(4096 + (i % 7) * 65_536, 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return bytesRead > 0 && buffer.subarray(0, bytesRead).equals(Buffer.alloc(bytesRead));
  });
  t.ok((await Promise.all(reads)).every(Boolean));
  await handle.close();
});

t.test('syncs that come together share one, and each covers what was written before it', async t => {
  const path = join(folder, 'synced');
  const handle = await fs.open(path, 'a');
  const before = loop().stats().submitted;
  const log = async (i: number): Promise<void> => {
    await handle.write(`${i}\n`);
    await handle.datasync();
  };
  await Promise.all(Array.from({ length: 200 }, (_, i) => log(i)));
  t.ok(loop().stats().submitted - before < 200, 'operations are shared');
  t.equal(nodeFs.readFileSync(path, 'latin1').split('\n').length, 201);
  await handle.close();
});
