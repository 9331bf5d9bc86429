/** O_DIRECT: past the page cache, from and to memory of any alignment, on what file systems there are. */
import nodeFs, { constants } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder, seededRandom } from '../harness.js';

const { O_CREAT, O_DIRECT, O_RDONLY, O_RDWR } = constants;

const disk = scratchFolder();
const folders: Record<string, string> = { 'the temporary folder': disk };
if (nodeFs.existsSync('/dev/shm')) folders['/dev/shm'] = scratchFolder('/dev/shm');
checkLeaks();

/** Why a folder has no O_DIRECT; undefined if it has. */
function refusal(folder: string): string | undefined {
  const path = join(folder, 'probe');
  try {
    nodeFs.closeSync(nodeFs.openSync(path, O_CREAT | O_RDWR | O_DIRECT));
    return undefined;
  } catch (error) {
    return `this file system has no O_DIRECT (${(error as Error).message}); tmpfs has it from Linux 6.6 on`;
  }
}

function on(name: string, run: (t: Test, folder: string) => Promise<void>): void {
  for (const [where, folder] of Object.entries(folders)) {
    t.test(`${name}: ${where}`, { skip: refusal(folder) ?? false }, t => run(t, folder));
  }
}

/** A file of bytes that say where they are. */
function filled(folder: string, size: number, random: () => number): { path: string; data: Buffer } {
  const data = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1 + Math.floor(random() * 50)) data[at] = random() * 256;
  const path = join(folder, `filled-${size}`);
  nodeFs.writeFileSync(path, data);
  return { path, data };
}

on('reads of every length into memory of every alignment', async (t, folder) => {
  const random = seededRandom(t);
  const { path, data } = filled(folder, 1_000_003, random);
  await using handle = await fs.open(path, O_RDONLY | O_DIRECT);
  for (const length of [1, 511, 512, 4095, 4096, 5000, 32_768, 65_537, 262_144, 262_145, 900_001]) {
    const position = Math.floor((random() * (data.length - length)) / 4096) * 4096;
    const target = new Uint8Array(length + 16).fill(7);
    const offset = 1 + Math.floor(random() * 15);
    const { bytesRead } = await handle.read(target, offset, length, position);
    t.equal(bytesRead, length);
    const wanted = data.subarray(position, position + length);
    t.ok(wanted.equals(target.subarray(offset, offset + length)), `${length} bytes from ${position}`);
    t.ok(
      target.subarray(0, offset).every(byte => byte === 7),
      'and none before',
    );
    t.ok(
      target.subarray(offset + length).every(byte => byte === 7),
      'and none behind',
    );
  }
  const last = await handle.read(Buffer.alloc(9000), 0, 9000, 995_328);
  t.equal(last.bytesRead, 1_000_003 - 995_328, 'to the end of the file');
});

on('the current position is where the bytes that were asked for end', async (t, folder) => {
  const { path, data } = filled(folder, 300_000, seededRandom(t));
  await using handle = await fs.open(path, O_RDONLY | O_DIRECT);
  t.equal((await handle.read(Buffer.alloc(8192))).bytesRead, 8192);
  const { buffer } = await handle.read(Buffer.alloc(100));
  t.ok(buffer.equals(data.subarray(8192, 8292)));
  const position = Number(
    /pos:\s*(\d+)/.exec(nodeFs.readFileSync(`/proc/self/fdinfo/${handle.fd}`, 'utf8'))![1],
  );
  t.equal(position, 8292);
  await using whole = await fs.open(path, O_RDONLY | O_DIRECT);
  t.ok((await whole.readFile()).equals(data));
  t.ok((await fs.readFile(path, { flag: O_RDONLY | O_DIRECT })).equals(data));
});

on('writes of whole sectors, from memory of every alignment', async (t, folder) => {
  const random = seededRandom(t);
  const path = join(folder, 'written');
  const { data } = filled(folder, 1 << 20, random);
  const source = Buffer.alloc(data.length + 3);
  source.set(data, 3);
  await using handle = await fs.open(path, O_CREAT | O_RDWR | O_DIRECT);
  t.equal((await handle.write(source, 3, 524_288)).bytesWritten, 524_288, 'at the current position');
  const pieces = Array.from({ length: 128 }, (_, i) => 524_288 + i * 4096);
  const written = await Promise.all(pieces.map(at => handle.write(source, 3 + at, 4096, at)));
  t.ok(written.every(({ bytesWritten }) => bytesWritten === 4096));
  t.ok(nodeFs.readFileSync(path).equals(data));
});

on('many large ones at once: some without a registered buffer', async (t, folder) => {
  const { path, data } = filled(folder, 8 << 20, seededRandom(t));
  await using handle = await fs.open(path, O_RDONLY | O_DIRECT);
  const length = 200_000;
  const reads = Array.from({ length: 40 }, async (_, i) => {
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, i * 196_608);
    return buffer.equals(data.subarray(i * 196_608, i * 196_608 + length));
  });
  t.ok((await Promise.all(reads)).every(Boolean));
  t.ok(loop().stats().blocks.mapped > 0);
});

on('chunks, copied and leased', async (t, folder) => {
  const { path, data } = filled(folder, 1_000_003, seededRandom(t));
  await using handle = await fs.open(path, O_RDONLY | O_DIRECT);
  for (const options of [{}, { lease: true }, { lease: true, size: 262_144, readAhead: 40 }]) {
    const chunks: Buffer[] = [];
    for await (const chunk of handle.chunks(options)) chunks.push(Buffer.from(chunk));
    t.ok(Buffer.concat(chunks).equals(data));
  }
});

on('copyTo, from and to a file past the page cache', async (t, folder) => {
  const { path, data } = filled(folder, 1_000_003, seededRandom(t));
  await using direct = await fs.open(path, O_RDONLY | O_DIRECT);
  await using plain = await fs.open(join(folder, 'plain'), 'w+');
  t.equal(await direct.copyTo(plain), data.length);
  t.ok((await fs.readFile(join(folder, 'plain'))).equals(data));
  t.equal(await direct.copyTo(plain, { start: 8192, length: 100, position: 5 }), 100);
  t.ok((await plain.read(Buffer.alloc(100), 0, 100, 5)).buffer.equals(data.subarray(8192, 8292)));
  await using target = await fs.open(join(folder, 'target'), O_CREAT | O_RDWR | O_DIRECT);
  t.equal(await direct.copyTo(target, { length: 524_288, position: 4096 }), 524_288);
  t.ok(nodeFs.readFileSync(join(folder, 'target')).subarray(4096).equals(data.subarray(0, 524_288)));
});

t.test('what is no whole sector: EINVAL, where the kernel says how large they are', async t => {
  const path = join(disk, 'sectors');
  const handle = await fs.open(path, 'w+');
  const alignment = await handle.directAlignment();
  await handle.write(Buffer.alloc(8192));
  await handle.close();
  if (!alignment) {
    t.comment(`this file system says ${alignment}: O_DIRECT came to statx with Linux 6.1`);
    return;
  }
  t.ok(Number.isInteger(Math.log2(alignment)), `${alignment} bytes`);
  await using direct = await fs.open(path, O_RDWR | O_DIRECT);
  t.equal(await direct.directAlignment(), alignment);
  await t.rejects(direct.read(Buffer.alloc(512), 0, 512, 1), { code: 'EINVAL', syscall: 'read' });
  await t.rejects(direct.write(Buffer.alloc(100), 0, 100, 0), { code: 'EINVAL', syscall: 'write' });
  t.equal((await direct.write(Buffer.alloc(alignment), 0, alignment, alignment)).bytesWritten, alignment);
});
