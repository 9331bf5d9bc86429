/** What is started on a handle keeps its order, whether plain calls do it, the backend, or some of each. */
import { execFileSync } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { allocPinned, type LoopOptions, loop } from 'uasync';
import { appendFile, open } from 'uasync/fs';
import { checkLeaks, scratchFolder, seededRandom } from '../harness.js';

const folder = scratchFolder();
checkLeaks();
const at = join(folder, 'file');
const read = (): string => nodeFs.readFileSync(at, 'latin1');

const PATHS: Readonly<Record<string, LoopOptions>> = {
  'plain calls': {},
  'now and then a plain call': { inline: 'random' },
  'the backend': { inlineWrites: 'never' },
  'nothing at once': { inline: false },
};

/** A test on each path to the same result. */
function everyWay(name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, async t => {
    for (const [path, options] of Object.entries(PATHS)) {
      loop().close();
      loop(options);
      await t.test(path, run);
    }
    loop().close();
  });
}

everyWay('a truncation waits for writes that wait for their turn', async t => {
  for (let i = 0; i < 5; i++) {
    await using handle = await open(at, 'w+');
    await Promise.all([handle.write('one'), handle.write('two'), handle.truncate(4), handle.write('three')]);
    t.equal(read(), 'onet\0\0three');
    await Promise.all([handle.truncate(0), handle.write('four')]);
    t.equal(read().replaceAll('\0', ''), 'four');
  }
});

everyWay('what is appended is neither overtaken nor cut in two, at whatever positions', async t => {
  const large = Buffer.alloc(2_500_000, 'l');
  await using handle = await open(at, 'w');
  await using appending = await open(at, 'a');
  for (let i = 0; i < 3; i++) {
    await handle.truncate(0);
    await Promise.all([
      appending.write(large, 0, large.length, 0),
      appending.write('small', large.length),
      appending.writev([Buffer.from('more')], large.length + 5),
    ]);
    t.ok(read() === `${large}smallmore`);
  }
});

everyWay('a write that takes several steps is neither overtaken nor cut in two', async t => {
  const large = Buffer.alloc(600_000, 'l');
  for (let i = 0; i < 5; i++) {
    await using handle = await open(at, 'w+');
    await Promise.all([handle.write(large, 0, 600_000, 0), handle.write('small', 500_000)]);
    t.equal(read(), `${'l'.repeat(500_000)}small${'l'.repeat(99_995)}`);
    await Promise.all([handle.write(large, 0, 600_000, 0), handle.truncate(300_000)]);
    t.equal(read(), 'l'.repeat(300_000));
    await Promise.all([
      handle.write(large, 0, 600_000, 0),
      handle.write('small', 500_000),
      handle.truncate(400_000),
      handle.write('more', 399_998),
    ]);
    t.equal(read(), `${'l'.repeat(399_998)}more`);
  }
});

everyWay('a hole is punched into what was written before', async t => {
  for (let i = 0; i < 5; i++) {
    await using handle = await open(at, 'w+');
    const [KEEP_SIZE, PUNCH_HOLE] = [1, 2];
    const punched = [
      handle.write('one'),
      handle.write('two'),
      handle.fallocate(0, 6, KEEP_SIZE | PUNCH_HOLE),
      handle.write('three'),
    ];
    await Promise.all(punched);
    t.equal(read(), '\0\0\0\0\0\0three');
  }
});

everyWay('what was asked for before a close is done', async t => {
  const handle = await open(at, 'w');
  const calls = [
    ...Array.from({ length: 3 }, () => [handle.sync(), handle.datasync()]).flat(),
    handle.write('one'),
    handle.write('two'),
    handle.truncate(5),
    handle.fallocate(0, 10),
    handle.sync(),
    handle.sync(),
  ];
  const closing = handle.close();
  t.match(await Promise.allSettled(calls), Array(calls.length).fill({ status: 'fulfilled' }));
  await closing;
  t.equal(read(), 'onetw\0\0\0\0\0');
});

everyWay('what one call appends is in one piece beside others that append', async t => {
  const size = 700_000;
  const bytes = [...'abcd'].map(letter => Buffer.alloc(size, letter));
  const pinned = allocPinned(size).fill('e');
  for (let i = 0; i < 3; i++) {
    nodeFs.writeFileSync(at, '');
    await using one = await open(at, 'a');
    await using other = await open(at, 'a+');
    const calls = [
      one.write(bytes[0]!),
      other.appendFile(bytes[1]!),
      appendFile(at, bytes[2]!),
      nodeFs.promises.appendFile(at, bytes[3]!.subarray(0, 500_000)),
      one.write(pinned),
    ];
    await Promise.all(calls);
    t.match(read(), /^(?:a{700000}|b{700000}|c{700000}|d{500000}|e{700000}){5}$/);
  }
});

everyWay('an append that is cut short leaves the position at the end', async t => {
  nodeFs.writeFileSync(at, Buffer.alloc(99_990, 'o'));
  const ignore = (): void => {};
  process.on('SIGXFSZ', ignore);
  await using handle = await open(at, 'a+');
  const limit = (size: number | string): Buffer =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${size}:`]);
  limit(100_000);
  try {
    t.equal((await handle.write(Buffer.alloc(100, 'n'))).bytesWritten, 10);
    await t.rejects(handle.write('n'), { code: 'EFBIG' });
    t.equal((await handle.read(Buffer.alloc(20))).bytesRead, 0);
  } finally {
    limit('unlimited');
    process.off('SIGXFSZ', ignore);
  }
});

everyWay('copyTo appends in order, though parts of the source are cached and parts are not', async t => {
  const random = seededRandom(t);
  const piece = 256 * 1024;
  const data = Buffer.alloc(16 * piece);
  for (let i = 0; i < data.length; i += 4) data.writeUInt32LE(i, i);
  const from = join(folder, 'source');
  nodeFs.writeFileSync(from, data);
  await using source = await open(from);
  await source.sync();
  for (let i = 0; i < 3; i++) {
    await source.fadvise('dontneed');
    await source.fadvise('random');
    for (let part = 0; part < 16; part++) {
      if (random() < 0.7) nodeFs.readSync(source.fd, Buffer.alloc(piece), 0, piece, part * piece);
    }
    nodeFs.writeFileSync(at, 'begins');
    await using target = await open(at, 'a');
    t.equal(await source.copyTo(target, { position: 5 }), data.length);
    t.ok(nodeFs.readFileSync(at).equals(Buffer.concat([Buffer.from('begins'), data])));
  }
});
