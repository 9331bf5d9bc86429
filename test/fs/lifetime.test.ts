/** Files whose owner goes away: handles closed, reads aborted, memory collected, workers ended. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import {
  checkLeaks,
  collectGarbage,
  makeFifo,
  openFds,
  scratchFolder,
  seededRandom,
  turns,
  until,
} from '../harness.js';
import { built } from '../programs.js';

const folder = scratchFolder();
checkLeaks();

const large = join(folder, 'large');
nodeFs.writeFileSync(large, Buffer.alloc(8_000_000, 'abcdefgh'));

t.test('a handle closed while hundreds of reads are in flight waits for them', async t => {
  const handle = await fs.open(large);
  const reads = Array.from({ length: 300 }, (_, i) => handle.read(Buffer.alloc(5000), 0, 5000, i * 8));
  const whole = handle.readFile();
  const closing = handle.close();
  await t.rejects(handle.read(Buffer.alloc(1)), { code: 'EBADF' });
  for (const { bytesRead, buffer } of await Promise.all(reads)) {
    t.equal(bytesRead, 5000);
    t.equal(buffer.toString('latin1', 0, 8), 'abcdefgh');
  }
  t.equal((await whole).length, 8_000_000);
  await closing;
  t.equal(handle.fd, -1);
});

t.test('aborted at random moments: the right bytes, or an AbortError', async t => {
  const random = seededRandom(t);
  for (let i = 0; i < 20; i++) {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      fs.readFile(large, { signal }).then(bytes => bytes.length),
      fs.writeFile(join(folder, 'aborted'), Buffer.alloc(9_000_000), { signal }).then(() => 8_000_000),
    ];
    setTimeout(() => controller.abort(), random() * 8);
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'fulfilled') t.equal(result.value, 8_000_000);
      else t.match(result.reason, { name: 'AbortError', code: 'ABORT_ERR' });
    }
  }
});

t.test('buffers that only the call knows survive garbage collection', async t => {
  const handle = await fs.open(large);
  const calls: Promise<boolean>[] = [];
  for (let i = 0; i < 200; i++) {
    calls.push(
      handle
        .read({ buffer: Buffer.alloc(50_000), position: i * 16 })
        .then(({ buffer }) => buffer.toString('latin1', 49_992) === 'abcdefgh'),
    );
    calls.push(fs.writeFile(join(folder, `collected-${i % 10}`), 'x'.repeat(i)).then(() => true));
    if (i % 20 === 0) collectGarbage();
    if (i % 50 === 0) await turns(1);
  }
  collectGarbage();
  t.ok((await Promise.all(calls)).every(Boolean));
  await handle.close();
});

t.test('timers get their share while hundreds of large reads are in flight', async t => {
  const handle = await fs.open(large);
  let stopped = false;
  let reads = 0;
  const reader = async (i: number): Promise<void> => {
    const buffer = Buffer.alloc(100_000);
    for (; !stopped; reads++) await handle.read(buffer, 0, buffer.length, i * 1000);
  };
  const readers = Array.from({ length: 200 }, (_, i) => reader(i));
  for (let i = 0; i < 5; i++) await new Promise(resolve => setTimeout(resolve, 1));
  const before = reads;
  stopped = true;
  await Promise.all(readers);
  await handle.close();
  // Between two timers there could be 64 turns of 200 each.
  t.ok(before < 5 * 10 * 200, `five timers took as long as ${before} reads`);
});

t.test('a loop that is closed: calls in flight reject, and later ones work', async t => {
  const fifo = makeFifo(folder, 'fifo');
  const handle = await fs.open(large);
  const small = join(folder, 'small');
  nodeFs.writeFileSync(small, 'text');
  // Calls that have not begun would not find a file that is renamed meanwhile.
  const moved = join(folder, 'moved');
  nodeFs.writeFileSync(moved, 'text');
  const calls = [
    // More than may be under way: some wait for a place.
    ...Array.from({ length: 1100 }, () => fs.readFile(fifo)),
    fs.open(fifo),
    ...Array.from({ length: 50 }, () => fs.readFile(small)),
    ...Array.from({ length: 50 }, () => fs.stat(small)),
    ...Array.from({ length: 50 }, (_, i) => fs.writeFile(join(folder, `w${i}`), 'x')),
    ...Array.from({ length: 50 }, () => handle.read(Buffer.alloc(10))),
  ];
  await new Promise(resolve => setImmediate(resolve));
  const late = [fs.readFile(small), fs.stat(small), fs.rename(moved, `${moved}2`)];
  loop().close();
  for (const result of await Promise.allSettled([...calls, ...late])) {
    if (result.status === 'rejected') t.equal(result.reason.code, 'ERR_CLOSED', result.reason.message);
  }
  await handle.close();
  t.equal(await fs.readFile(small, 'utf8'), 'text', 'on a new loop');
});

t.test('the end of the process, and of the loop, while large files are read in place', async t => {
  for (let i = 0; i < 3; i++) {
    const { status, signal } = spawnSync(process.execPath, [
      built('test/fixtures/exits-while-reading.js'),
      large,
    ]);
    t.strictSame([status, signal], [7, null]);
  }
  const reads = Array.from({ length: 20 }, () => fs.readFile(large));
  await new Promise(resolve => setTimeout(resolve, 2));
  loop().close();
  for (const result of await Promise.allSettled(reads)) {
    if (result.status === 'rejected') t.equal(result.reason.code, 'ERR_CLOSED');
    else t.equal(result.value.length, 8_000_000);
  }
});

t.test('loops that are closed at random moments, under calls of every kind', async t => {
  const random = seededRandom(t);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const sizes = [0, 100, 70_000, 300_000, 3_000_000];
  const pathOf = (size: number): string => join(folder, `of-${size}`);
  for (const size of sizes) nodeFs.writeFileSync(pathOf(size), Buffer.alloc(size, 'q'));
  for (let round = 0; round < 15; round++) {
    const flags = random() < 0.5 ? 'r' : nodeFs.constants.O_DIRECT;
    const open = (size: number): Promise<fs.FileHandle> =>
      fs.open(pathOf(size), flags).catch(() => fs.open(pathOf(size)));
    const handles = await Promise.all(sizes.map(open));
    const out = await fs.open(join(folder, 'out'), 'w+');
    const whole = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) if (chunk.some(byte => byte !== 113)) t.fail('wrong bytes');
    };
    const kinds: ((handle: fs.FileHandle, path: string) => Promise<unknown>)[] = [
      (_, path) => fs.readFile(path),
      (_, path) => fs.readMany([path, path], { encoding: 'latin1' }),
      handle => handle.readFile(),
      handle => handle.read(Buffer.alloc(200_000), 0, 200_000, 0),
      handle => handle.copyTo(out),
      handle => whole(handle.chunks()),
      handle => whole(handle.chunks({ lease: true, readAhead: 10 })),
      handle => handle.stat(),
      handle => handle.setxattr('user.x', 'y').then(() => handle.getxattr('user.x')),
      (_, path) => fs.stat(path),
      () => fs.writeFile(join(folder, `out-${round % 5}`), Buffer.alloc(100_000)),
    ];
    const calls = Array.from({ length: 50 }, () => pick(kinds)(pick(handles), pathOf(pick(sizes))));
    const results = Promise.allSettled(calls);
    await new Promise(resolve => setTimeout(resolve, random() * 6));
    loop().close();
    for (const result of await results) {
      // A file system may have no attributes.
      if (result.status === 'rejected') t.match(result.reason.code, /^(ERR_CLOSED|ENOTSUP|EOPNOTSUPP)$/);
    }
    for (const handle of [...handles, out]) await handle.close();
  }
});

t.test('a queue of one entry is enough', async t => {
  const path = join(folder, 'one-entry');
  loop().close();
  loop({ entries: 1 });
  await fs.writeFile(path, 'text');
  await fs.appendFile(path, '!');
  t.strictSame(await fs.readMany([path, path], { encoding: 'utf8' }), ['text!', 'text!']);
  t.equal((await fs.stat(path)).size, 5);
  loop().close();
});

t.test('a worker that is terminated with hundreds of calls in flight', async t => {
  const before = openFds();
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(built('test/fixtures/busy-files-worker.js'), { workerData: large });
    await once(worker, 'message');
    await worker.terminate();
  }
  // The handles of each were open when it was terminated: descriptors belong to the process.
  await until(() => openFds() <= before + 6);
  t.pass('no ring is left open');
  for (const fd of nodeFs.readdirSync('/proc/self/fd')) {
    try {
      if (nodeFs.readlinkSync(`/proc/self/fd/${fd}`) === large) nodeFs.closeSync(Number(fd));
    } catch {
      // The descriptor of the folder itself.
    }
  }
  t.equal((await fs.readFile(large)).length, 8_000_000, 'and this thread goes on');
});

t.test('a path whose bytes change while its call waits is the one that was given', async t => {
  const file = join(folder, 'given');
  nodeFs.writeFileSync(file, 'x'.repeat(16_200));
  for (let round = 0; round < 2; round++) {
    // More than have a place at once.
    const first = Array.from({ length: 1024 }, () => fs.readFile(file));
    const path = Buffer.from(file);
    const waiting = Array.from({ length: 20 }, () => fs.readFile(path));
    path.fill(0);
    const read = await Promise.all([...first, ...waiting]);
    t.ok(read.every(({ length }) => length === 16_200));
  }
});

t.test('a buffer taken away while its file is opened is an error, not an empty file', async t => {
  for (const [size, options] of [
    [20_000_000, {}],
    [1000, { flush: true }],
  ] as const) {
    const bytes = new Uint8Array(size).fill(65);
    const writing = fs.writeFile(join(folder, 'taken'), bytes, options);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    // What was written at once, before it was taken, is all there.
    const error = await writing.then(
      () => null,
      reason => reason,
    );
    if (error !== null) t.equal(error.code, 'ERR_INVALID_STATE');
    else t.equal(nodeFs.statSync(join(folder, 'taken')).size, size);
  }
});

t.test('a handle whose descriptor somebody else has closed can still be closed', async t => {
  const handle = await fs.open(large);
  nodeFs.closeSync(handle.fd);
  const results = await Promise.allSettled([handle.read(), handle.write('x')]);
  t.ok(results.every(({ status }) => status === 'rejected'));
  await t.rejects(handle.close(), { code: 'EBADF' });
});

t.test('registered files of the loop are the runtime’s own', async t => {
  const { AT_FDCWD, FILE_INDEX_ALLOC } = await import('uasync/ring');
  const calls = [
    () => loop().submit(sqe => sqe.openatDirect(AT_FDCWD, large, 0, 0, FILE_INDEX_ALLOC)),
    () => loop().submit(sqe => sqe.closeDirect(0)),
    () => loop().submit(sqe => sqe.read(0, Buffer.alloc(1)).fixedFile()),
    () => loop().submit(sqe => sqe.filesUpdate(Int32Array.of(-1), 0)),
  ];
  for (const call of calls) await t.rejects(call(), { code: 'ERR_RESERVED_FILES' });
});
