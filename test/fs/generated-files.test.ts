/** Files that the kernel generates as they are read, as those of /proc: read once, from front to back, to the end. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder } from '../harness.js';

const folder = scratchFolder();
checkLeaks();

/** Some megabytes, of which one read gives a page at most; its size is 0. */
const PATH = '/proc/kallsyms';
let expected = nodeFs.readFileSync(PATH);

/**
 * Whether what is read is the file, or with `start` what it has from there on. It is read again if the file has changed
 * meanwhile: it does when the kernel loads a module, as another test may have it do.
 */
async function agrees(read: () => Promise<Buffer>, start?: number): Promise<boolean> {
  for (;;) {
    const bytes = await read();
    const wanted = start === undefined ? expected : expected.subarray(start, start + bytes.length);
    if (bytes.equals(wanted)) return true;
    const now = nodeFs.readFileSync(PATH);
    if (now.equals(expected)) return false;
    expected = now;
  }
}

async function operations(call: () => Promise<unknown>): Promise<number> {
  const before = loop().stats().submitted;
  await call();
  return loop().stats().submitted - before;
}

t.test('chunks reads every place once', async t => {
  t.ok(expected.length > 300_000, `${expected.length} bytes`);
  for (const options of [{}, { lease: true }, { size: 1000, readAhead: 16 }, { start: 100_000 }]) {
    const read = async (): Promise<Buffer> => {
      const file = await fs.open(PATH);
      const chunks: Buffer[] = [];
      let length = 0;
      const count = await operations(async () => {
        for await (const chunk of file.chunks(options)) {
          chunks.push(Buffer.from(chunk));
          length += chunk.length;
          if (length > 300_000) break;
        }
      });
      await file.close();
      t.ok(length > 300_000, `${length} bytes`);
      // One asks what it is.
      t.equal(count, chunks.length + 1, `${count} operations for ${chunks.length} chunks`);
      return Buffer.concat(chunks);
    };
    const { start = 0 } = options as { start?: number };
    t.ok(await agrees(read, start), JSON.stringify(options));
  }
});

t.test('the whole of it, in every way', async t => {
  const target = join(folder, 'copy');
  const ways: Record<string, () => Promise<Buffer>> = {
    readFile: () => fs.readFile(PATH),
    'handle.readFile': async () => {
      await using file = await fs.open(PATH);
      return await file.readFile();
    },
    copyTo: async () => {
      await using file = await fs.open(PATH);
      await using copy = await fs.open(target, 'w');
      const copied = await file.copyTo(copy);
      const bytes = nodeFs.readFileSync(target);
      t.equal(copied, bytes.length);
      return bytes;
    },
    'copyTo in part': async () => {
      await using file = await fs.open(PATH);
      await using copy = await fs.open(target, 'r+');
      t.equal(await file.copyTo(copy, { start: 5000, length: 20_000, position: 5000 }), 20_000);
      return nodeFs.readFileSync(target);
    },
    createReadStream: async () => buffer((await fs.open(PATH)).createReadStream()),
    readLines: async () => {
      const lines: string[] = [];
      for await (const line of (await fs.open(PATH)).readLines()) lines.push(`${line}\n`);
      return Buffer.from(lines.join(''));
    },
  };
  for (const [way, read] of Object.entries(ways)) t.ok(await agrees(read), way);
});

t.test('of a file with a size nothing is read ahead beyond it; it may grow all the same', async t => {
  const path = join(folder, 'file');
  nodeFs.writeFileSync(path, Buffer.alloc(10_000, 'x'));
  const file = await fs.open(path);
  let length = 0;
  const count = await operations(async () => {
    // Leased ones are always read by the ring, whose operations are counted.
    for await (const chunk of file.chunks({ size: 1000, readAhead: 16, lease: true })) {
      length += chunk.length;
      if (length === 10_000) nodeFs.appendFileSync(path, Buffer.alloc(2500, 'y'));
    }
  });
  await file.close();
  t.equal(length, 12_500);
  // Ten, three and one that finds the end, and perhaps one for what it is.
  t.ok(count === 14 || count === 15, `${count} operations`);
});

t.test('large files are read ahead as before', async t => {
  const file = await fs.open(process.execPath);
  const chunks = file.chunks({ size: 4096, readAhead: 8, lease: true });
  const count = await operations(() => chunks.next());
  t.ok(count === 8 || count === 9, `${count} operations`);
  await chunks.return();
  await file.close();
});
