/** Reads and writes of pinned memory, which the kernel fills and takes in place. */
import { constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { allocPinned } from 'uasync';
import { open, readFile, writeFile } from 'uasync/fs';
import { checkLeaks, scratchFolder, seededRandom } from '../harness.js';

checkLeaks();
const folder = scratchFolder();

/** `length` bytes that are not all alike. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 9)) & 0xff));
}

t.test('bytes go where they are wanted, and nowhere else', async t => {
  const path = join(folder, 'read');
  const data = pattern(1_000_000);
  writeFileSync(path, data);
  await using file = await open(path);
  const buffer = allocPinned(700_000);
  // In several pieces.
  t.strictSame(await file.read(buffer, 1000, 600_000, 5000), { bytesRead: 600_000, buffer });
  t.ok(data.subarray(5000, 605_000).equals(buffer.subarray(1000, 601_000)));
  t.ok(buffer.subarray(0, 1000).every(byte => byte === 0));
  t.ok(buffer.subarray(601_000).every(byte => byte === 0));
  t.equal((await file.read(buffer, 0, 700_000, 999_000)).bytesRead, 1000, 'the end of the file');
  t.equal((await file.read(buffer, 0, 700_000, 2_000_000)).bytesRead, 0, 'beyond it');
  t.equal((await file.read(buffer, 0, 5000)).bytesRead, 5000);
  t.equal((await file.read(buffer, 5000, 300_000)).bytesRead, 300_000, 'at the current position');
  t.ok(data.subarray(0, 305_000).equals(buffer.subarray(0, 305_000)));
  const parts = [allocPinned(5000), Buffer.alloc(100), allocPinned(9000)];
  t.equal((await file.readv(parts, 0)).bytesRead, 14_100);
  t.ok(data.subarray(0, 14_100).equals(Buffer.concat(parts)));
});

t.test('writes of pinned bytes', async t => {
  const path = join(folder, 'write');
  const data = pattern(900_000);
  const pinned = allocPinned(data.length + 1000);
  pinned.set(data, 1000);
  await using file = await open(path, 'w+');
  t.equal((await file.write(pinned, 1000, data.length, 0)).bytesWritten, data.length);
  t.ok(data.equals(readFileSync(path)));
  t.equal((await file.writev([pinned.subarray(1000, 6000), Buffer.from('end')], 10)).bytesWritten, 5003);
  t.ok(data.subarray(0, 5000).equals(readFileSync(path).subarray(10, 5010)));
  await writeFile(path, pinned.subarray(1000));
  t.ok(data.equals(await readFile(path)));
});

t.test('beside the page cache', async t => {
  const path = join(folder, 'direct');
  const data = pattern(300_000);
  writeFileSync(path, data);
  await using file = await open(path, constants.O_RDONLY | constants.O_DIRECT);
  const buffer = allocPinned(300_000);
  t.equal((await file.read(buffer, 0, 300_000, 0)).bytesRead, 300_000);
  t.ok(data.equals(buffer));
});

t.test('errors, and what was moved before them', async t => {
  const buffer = allocPinned(8192);
  await using folderHandle = await open(folder);
  await t.rejects(folderHandle.read(buffer, 0, 8192, 0), { code: 'EISDIR', syscall: 'read' });
  const full = await open('/dev/full', 'w');
  await t.rejects(full.write(buffer), { code: 'ENOSPC', syscall: 'write' });
  await full.close();
});

t.test('at random, many at once', async t => {
  const random = seededRandom(t);
  const path = join(folder, 'random');
  const data = pattern(2_000_000);
  writeFileSync(path, data);
  await using file = await open(path);
  let wrong = 0;
  const worker = async (): Promise<void> => {
    const buffer = allocPinned(300_000);
    for (let i = 0; i < 30; i++) {
      const length = 1 + Math.floor(random() * 290_000);
      const offset = Math.floor(random() * (300_000 - length));
      const position = Math.floor(random() * data.length);
      const { bytesRead } = await file.read(buffer, offset, length, position);
      const expected = data.subarray(position, position + length);
      if (!expected.equals(buffer.subarray(offset, offset + bytesRead))) wrong++;
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  t.equal(wrong, 0);
});
