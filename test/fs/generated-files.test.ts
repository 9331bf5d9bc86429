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

async function operations(call: () => Promise<unknown>): Promise<number> {
  const before = loop().stats().submitted;
  await call();
  return loop().stats().submitted - before;
}

t.test('chunks reads every place once', async t => {
  const expected = nodeFs.readFileSync(PATH);
  t.ok(expected.length > 300_000, `${expected.length} bytes`);
  for (const options of [{}, { lease: true }, { size: 1000, readAhead: 16 }, { start: 100_000 }]) {
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
    const { start = 0 } = options as { start?: number };
    t.ok(Buffer.concat(chunks).equals(expected.subarray(start, start + length)), JSON.stringify(options));
    // One asks what it is.
    t.equal(count, chunks.length + 1, `${count} operations for ${chunks.length} chunks`);
  }
});

t.test('the whole of it, in every way', async t => {
  const expected = nodeFs.readFileSync(PATH);
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
      t.equal(await file.copyTo(copy), expected.length);
      return nodeFs.readFileSync(target);
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
  for (const [way, read] of Object.entries(ways)) t.ok((await read()).equals(expected), way);
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
