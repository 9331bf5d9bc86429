/** What a handle and a file can do that Node’s cannot. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, makeFifo, scratchFolder, seededRandom } from '../harness.js';

const folder = scratchFolder();
checkLeaks();

t.test('chunks: in order, with reads ahead, and to where the file ends by then', async t => {
  const path = join(folder, 'chunks');
  const data = Buffer.alloc(5_000_003, '0123456789');
  nodeFs.writeFileSync(path, data);
  await using handle = await fs.open(path);
  for (const options of [
    {},
    { size: 1000, readAhead: 1 },
    { size: 65536, readAhead: 16 },
    { size: 3_000_000 },
  ]) {
    const chunks: Buffer[] = [];
    for await (const chunk of handle.chunks(options)) chunks.push(chunk);
    t.ok(Buffer.concat(chunks).equals(data));
  }
  let seen = 0;
  for await (const chunk of handle.chunks({ size: 600_000, start: 500_000 })) {
    if (seen === 0) nodeFs.appendFileSync(path, 'more');
    seen += chunk.length;
  }
  t.equal(seen, 4_500_007, 'grown meanwhile');
  for await (const chunk of handle.chunks({ size: 10 })) {
    t.equal(String(chunk), '0123456789');
    break;
  }
  const signal = AbortSignal.abort();
  await t.rejects(handle.chunks({ signal }).next(), { name: 'AbortError' });
  await t.rejects(handle.chunks({ size: 0 }).next(), { code: 'ERR_OUT_OF_RANGE' });
  const pipe = makeFifo(folder, 'chunks-fifo');
  const [reader, writer] = await Promise.all([fs.open(pipe, 'r'), fs.open(pipe, 'w')]);
  await writer.write('piped');
  await writer.close();
  const piped: string[] = [];
  for await (const chunk of reader.chunks()) piped.push(String(chunk));
  t.strictSame(piped, ['piped']);
  await reader.close();
});

t.test('leased chunks: no copy, and right until the next is asked for', async t => {
  const path = join(folder, 'leased');
  const data = Buffer.alloc(3_000_001, '0123456789abcdef');
  nodeFs.writeFileSync(path, data);
  await using handle = await fs.open(path);
  const used = loop().stats().blocks.used;
  for (const options of [{}, { size: 262_144, readAhead: 3 }, { size: 1000, readAhead: 100, start: 5 }]) {
    let at = options.start ?? 0;
    for await (const chunk of handle.chunks({ ...options, lease: true })) {
      if (!chunk.equals(data.subarray(at, at + chunk.length))) t.fail(`wrong at ${at}`);
      at += chunk.length;
    }
    t.equal(at, data.length);
    t.equal(loop().stats().blocks.used, used, 'every block is given back');
  }
  for await (const chunk of handle.chunks({ lease: true })) {
    t.equal(chunk.length, 131_072);
    break;
  }
  const pipe = makeFifo(folder, 'leased-fifo');
  const [reader, writer] = await Promise.all([fs.open(pipe, 'r'), fs.open(pipe, 'w')]);
  await writer.write('piped');
  await writer.close();
  for await (const chunk of reader.chunks({ lease: true })) t.equal(String(chunk), 'piped');
  await reader.close();
  await t.rejects(handle.chunks({ lease: true, size: 262_145 }).next(), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(handle.chunks({ lease: 1 as never }).next(), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('a leased chunk that is kept, or taken away, does no harm', async t => {
  const path = join(folder, 'kept');
  nodeFs.writeFileSync(path, Buffer.alloc(1_000_000, 'k'));
  let handle = await fs.open(path);
  const kept: Buffer[] = [];
  for await (const chunk of handle.chunks({ lease: true })) {
    kept.push(chunk);
    // A message does not take it away, but from Node 22 on there is a way all the same.
    const { buffer } = chunk as unknown as { buffer: { transfer?: () => ArrayBuffer } };
    if (kept.length === 2) kept.push(Buffer.from(buffer.transfer?.() ?? new ArrayBuffer(1)));
  }
  let seen = 0;
  for await (const chunk of handle.chunks({ lease: true })) seen += Number(chunk.every(byte => byte === 107));
  t.equal(seen, 8, 'read again, by other blocks');
  await handle.close();
  loop().close();
  for (const chunk of kept) if (chunk.length > 0) chunk[0] = 1;
  handle = await fs.open(path);
  t.ok(
    (await handle.readFile()).every(byte => byte === 107),
    'on a new loop',
  );
  await handle.close();
});

t.test('copyTo: any part, to any place, of files, pipes and itself', async t => {
  const random = seededRandom(t);
  const data = Buffer.alloc(2_000_003);
  for (let at = 0; at < data.length; at += 7) data[at] = random() * 256;
  const path = join(folder, 'source');
  nodeFs.writeFileSync(path, data);
  await using source = await fs.open(path);
  await using target = await fs.open(join(folder, 'target'), 'w+');
  t.equal(await source.copyTo(target), data.length);
  t.ok((await fs.readFile(join(folder, 'target'))).equals(data));
  for (let i = 0; i < 20; i++) {
    const start = Math.floor(random() * data.length);
    const length = Math.floor(random() * (data.length - start + 10));
    const position = Math.floor(random() * 100_000);
    await target.truncate(0);
    const copied = await source.copyTo(target, { start, length, position });
    t.equal(copied, Math.min(length, data.length - start));
    const wanted = Buffer.concat([Buffer.alloc(copied && position), data.subarray(start, start + copied)]);
    t.ok((await fs.readFile(join(folder, 'target'))).equals(wanted), `${length} bytes from ${start}`);
  }
  t.equal(await source.copyTo(target, { start: data.length }), 0, 'nothing behind the end');

  const pipe = makeFifo(folder, 'copied');
  const [reader, writer] = await Promise.all([fs.open(pipe, 'r'), fs.open(pipe, 'w')]);
  await target.truncate(0);
  const arrived = reader.copyTo(target);
  t.equal(await source.copyTo(writer, { start: 3 }), data.length - 3, 'into a pipe');
  await writer.close();
  t.equal(await arrived, data.length - 3, 'and out of one');
  t.ok((await fs.readFile(join(folder, 'target'))).equals(data.subarray(3)));
  await reader.close();
});

t.test('copyTo: what goes wrong', async t => {
  const path = join(folder, 'wrong');
  nodeFs.writeFileSync(path, Buffer.alloc(3_000_000));
  const source = await fs.open(path);
  const full = await fs.open('/dev/full', 'w');
  await t.rejects(source.copyTo(full), { code: 'ENOSPC', syscall: 'write' });
  await full.close();
  await t.rejects(source.copyTo(source), { code: 'EBADF', syscall: 'write' });
  await t.rejects(source.copyTo(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(source.copyTo(source, { start: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(source.copyTo(source, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  const silent = await fs.open(makeFifo(folder, 'silent'), 'r+');
  const target = await fs.open(join(folder, 'never'), 'w');
  const controller = new AbortController();
  const waiting = silent.copyTo(target, { signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await t.rejects(waiting, { name: 'AbortError' }, 'a pipe that says nothing');
  const copying = source.copyTo(target);
  const closing = Promise.all([source.close(), target.close()]);
  t.equal(await copying, 3_000_000, 'a handle that is closed meanwhile waits for it');
  await closing;
  await t.rejects(source.copyTo(target), { code: 'EBADF' });
  await silent.close();
});

t.test('readMany and statMany: order, first error, signal', async t => {
  const paths = Array.from({ length: 300 }, (_, i) => join(folder, `numbered-${i}`));
  for (const path of paths) nodeFs.writeFileSync(path, path);
  t.strictSame((await fs.readMany(paths)).map(String), paths);
  const sizes = (await fs.statMany(new Set(paths), { concurrency: 7 })).map(({ size }) => size);
  t.strictSame(
    sizes,
    paths.map(path => path.length),
  );
  t.strictSame(await fs.readMany([]), []);
  const missing = join(folder, 'missing');
  await t.rejects(fs.readMany([...paths, missing]), { code: 'ENOENT', path: missing });
  await t.rejects(fs.statMany(paths, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await t.rejects(fs.readMany('path' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(fs.statMany(paths, { concurrency: 0 }), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('fallocate and fadvise', async t => {
  const path = join(folder, 'reserved');
  await using handle = await fs.open(path, 'w+');
  await handle.fallocate(0, 8192);
  t.equal((await handle.stat()).size, 8192);
  await handle.fadvise('sequential');
  await handle.fadvise('willneed', 0, 4096);
  await t.rejects(handle.fallocate(0, 0), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(handle.fadvise('nonsense' as never), { code: 'ERR_INVALID_ARG_VALUE' });
  await using reader = await fs.open(path);
  await t.rejects(reader.fallocate(0, 1), { code: 'EBADF', syscall: 'fallocate' });
});

t.test('extended attributes', async t => {
  const path = join(folder, 'attributes');
  nodeFs.writeFileSync(path, '');
  try {
    await fs.setxattr(path, 'user.colour', 'blue');
  } catch (error) {
    if (
      (error as NodeJS.ErrnoException).code !== 'EOPNOTSUPP' &&
      (error as NodeJS.ErrnoException).code !== 'ENOTSUP'
    )
      throw error;
    t.comment('the file system of the temporary folder has no user attributes');
    return;
  }
  t.equal(String(await fs.getxattr(path, 'user.colour')), 'blue');
  await t.rejects(fs.setxattr(path, 'user.colour', 'red', { create: true }), {
    code: 'EEXIST',
    syscall: 'setxattr',
    path,
  });
  await fs.setxattr(path, 'user.colour', Buffer.alloc(0), { replace: true });
  t.equal((await fs.getxattr(path, 'user.colour')).length, 0);
  await t.rejects(fs.getxattr(path, 'user.none'), { code: 'ENODATA' });
  await t.rejects(fs.getxattr(path, ''), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(fs.setxattr(path, 'user.a\0b', 'x'), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.rejects(fs.setxattr(path, 'user.a', Buffer.alloc(65537)), { code: 'ERR_OUT_OF_RANGE' });
  const handle = await fs.open(path);
  await handle.setxattr('user.größe', Buffer.alloc(3000, 'x'), { create: true });
  t.equal((await handle.getxattr('user.größe')).length, 3000);
  t.equal((await fs.getxattr(path, 'user.größe')).length, 3000);
  await t.rejects(handle.setxattr('user.größe', 'y', { create: true }), {
    code: 'EEXIST',
    syscall: 'fsetxattr',
  });
  await t.rejects(handle.getxattr('user.none'), { code: 'ENODATA', syscall: 'fgetxattr' });
  await handle.close();
  await t.rejects(handle.getxattr('user.colour'), { code: 'EBADF' });
});
