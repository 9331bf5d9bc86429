/** Files at the limit of the loop's memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import nodeFs, { constants } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder, turns } from '../harness.js';

const MIB = 1 << 20;
const { O_CREAT, O_DIRECT, O_RDONLY, O_RDWR } = constants;

const folder = scratchFolder();
checkLeaks();

const file = join(folder, 'file');
const data = Buffer.alloc(300_000, 'abcdefgh');
nodeFs.writeFileSync(file, data);

/** A new loop, all of whose memory is in the smallest blocks: it was used for many small things. */
async function smallBlocks(): Promise<void> {
  loop().close();
  // Inline, a cached file takes no block.
  loop({ memory: MIB, inline: false, entries: 2048 });
  await Promise.all(Array.from({ length: 2048 }, () => fs.stat(file)));
  await turns();
  const { mapped, used } = loop().stats().blocks;
  assert.deepEqual({ mapped, used }, { mapped: MIB, used: 0 });
}

/** A file system may have no attributes. */
const noAttributes = /^(ENOTSUP|EOPNOTSUPP)$/;

for (const count of [1, 2, 50]) {
  t.test(`memory in small blocks, ${count} who can do with large ones only`, async t => {
    await smallBlocks();
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: count }, async (_, i) => {
        await fs.setxattr(file, `user.a${i % 8}`, 'value');
        return String(await fs.getxattr(file, `user.a${i % 8}`));
      });
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === 'fulfilled') t.equal(result.value, 'value');
        else t.match(result.reason.code, noAttributes);
      }
    }
  });

  t.test(`memory in small blocks, ${count} who copy files`, async t => {
    await smallBlocks();
    await using source = await fs.open(file);
    const copies = Array.from({ length: count }, async (_, i) => {
      await using target = await fs.open(join(folder, `copy-${i}`), 'w+');
      t.equal(await source.copyTo(target), data.length);
      t.ok((await target.readFile()).equals(data));
    });
    // Those who need little are not held up.
    const stats = Array.from({ length: 500 }, () => fs.stat(file));
    await Promise.all([...copies, ...stats]);
  });
}

t.test('memory in small blocks: what one call appends is in one piece', async t => {
  await smallBlocks();
  const log = join(folder, 'log');
  await using one = await fs.open(log, 'a');
  await using other = await fs.open(log, 'a');
  for (let round = 0; round < 3; round++) {
    const [a, b, c] = [...'abc'].map(letter => Buffer.alloc(50_000, letter));
    await Promise.all([one.write(a!), other.write(b!), fs.appendFile(log, c!)]);
    const runs = nodeFs.readFileSync(log, 'latin1').match(/(.)\1*/g);
    t.ok(runs!.every(run => run.length % 50_000 === 0));
    nodeFs.truncateSync(log);
  }
});

t.test('memory in small blocks: a later write is not cut in two by an earlier one', async t => {
  await smallBlocks();
  const at = join(folder, 'overlapping');
  await using handle = await fs.open(at, 'w+');
  for (let round = 0; round < 3; round++) {
    const first = handle.write(Buffer.alloc(100_000, 'a'), 0, 100_000, 0);
    await Promise.all([first, handle.write(Buffer.alloc(10_000, 'b'), 0, 10_000, 80_000)]);
    t.match(nodeFs.readFileSync(at, 'latin1'), /^a{80000}b{10000}a{10000}$/);
    await Promise.all([handle.write('c'.repeat(50_000), 0), handle.truncate(10)]);
    t.equal(nodeFs.readFileSync(at, 'latin1'), 'c'.repeat(10));
  }
});

t.test('more files above 64 KiB than there are blocks of that size', async t => {
  loop().close();
  loop({ memory: MIB });
  const count = 4 * (MIB / 65_536);
  for (let round = 0; round < 3; round++) {
    const read = await Promise.all(Array.from({ length: count }, () => fs.readFile(file)));
    t.ok(read.every(bytes => bytes.equals(data)));
  }
});

t.test('writes whose buffers are taken away while they wait for memory', async t => {
  await smallBlocks();
  const written = join(folder, 'written');
  const paths = Array.from({ length: 100 }, (_, i) => `${written}-${i}`);
  // All there is, for a while.
  const stats = Array.from({ length: 2048 }, () => fs.stat(file));
  const lost = paths.map(path => {
    const bytes = new Uint8Array(100).fill(65);
    const writing = fs.writeFile(path, bytes);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return writing;
  });
  for (const result of await Promise.allSettled(lost)) {
    t.equal(result.status === 'rejected' && result.reason.code, 'ERR_INVALID_STATE');
  }
  await Promise.all(stats);
  await fs.writeFile(written, 'kept');
  t.equal(await fs.readFile(written, 'utf8'), 'kept');
  t.notOk(nodeFs.existsSync(paths[0]!));
});

/** Why the temporary folder has no O_DIRECT; false if it has. */
function refusal(): string | false {
  try {
    nodeFs.closeSync(nodeFs.openSync(file, O_RDONLY | O_DIRECT));
    return false;
  } catch (error) {
    return `this file system has no O_DIRECT: ${(error as Error).message}`;
  }
}

t.test('O_DIRECT with memory in small blocks goes by whole sectors', { skip: refusal() }, async t => {
  await smallBlocks();
  await using handle = await fs.open(file, O_RDONLY | O_DIRECT);
  for (const length of [512, 4096, 8192, 20_000]) {
    const before = loop().stats().submitted;
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, 4096);
    t.equal(bytesRead, length);
    t.ok(buffer.equals(data.subarray(4096, 4096 + length)));
    const pieces = loop().stats().submitted - before;
    t.ok(pieces <= Math.ceil(length / 4096), `${pieces} pieces of ${length} bytes`);
  }
  const path = join(folder, 'direct');
  await using target = await fs.open(path, O_CREAT | O_RDWR | O_DIRECT);
  const writes = Array.from({ length: 40 }, (_, i) => target.write(data, 0, 8192, i * 8192));
  t.ok((await Promise.all(writes)).every(({ bytesWritten }) => bytesWritten === 8192));
  const whole = Buffer.concat(Array.from({ length: 40 }, () => data.subarray(0, 8192)));
  t.ok(nodeFs.readFileSync(path).equals(whole));
});

/** A block device whose sectors have 4096 bytes: its path, or why there is none. losetup(8) */
function largeSectors(): { path: string } | { missing: string } {
  const image = join(folder, 'image');
  nodeFs.writeFileSync(image, '');
  nodeFs.truncateSync(image, MIB);
  try {
    const options = ['--find', '--show', '--sector-size', '4096', image];
    const path = execFileSync('losetup', options, { encoding: 'utf8', stdio: 'pipe' }).trim();
    t.teardown(() => execFileSync('losetup', ['--detach', path]));
    return { path };
  } catch (error) {
    return { missing: `no loop device with sectors of 4096 bytes here: ${(error as Error).message.trim()}` };
  }
}

const device = largeSectors();

t.test(
  'a device with sectors of 4096 bytes, and memory in small blocks',
  { skip: 'missing' in device && device.missing },
  async t => {
    await smallBlocks();
    await using handle = await fs.open((device as { path: string }).path, O_RDWR | O_DIRECT);
    for (const length of [4096, 8192, 40_960]) {
      t.equal((await handle.write(data, 0, length, 0)).bytesWritten, length);
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, 0);
      t.equal(bytesRead, length);
      t.ok(buffer.equals(data.subarray(0, length)));
    }
    const odd = await handle.read(Buffer.alloc(5000), 0, 5000, 4096);
    t.ok(odd.buffer.equals(data.subarray(0, 5000)));
  },
);
