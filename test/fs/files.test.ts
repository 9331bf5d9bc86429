/** Files, beside node:fs. */
import nodeFs, { constants } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import * as fs from 'uasync/fs';
import { checkLeaks, makeFifo, scratchFolder, seededRandom, withoutInline } from '../harness.js';

const folder = scratchFolder();
checkLeaks();

t.test('readFile and writeFile, of every size around the blocks’ bounds', async t => {
  const random = seededRandom(t);
  const path = join(folder, 'sizes');
  for (const size of [0, 1, 511, 512, 513, 4096, 65535, 65536, 65537, 262144, 262145, 1_000_003, 9_000_000]) {
    const data = Buffer.alloc(size);
    for (let i = 0; i < size; i += 97) data[i] = random() * 256;
    await fs.writeFile(path, data);
    t.ok(nodeFs.readFileSync(path).equals(data), `${size} bytes written`);
    t.ok((await fs.readFile(path)).equals(data), `${size} bytes read`);
  }
});

t.test('encodings, flags, modes, URLs and byte paths', async t => {
  const path = join(folder, 'text');
  await fs.writeFile(path, 'grüße', 'latin1');
  t.equal(nodeFs.readFileSync(path, 'latin1'), 'grüße');
  t.equal(await fs.readFile(path, 'latin1'), 'grüße');
  t.equal(await fs.readFile(path, { encoding: 'hex' }), Buffer.from('grüße', 'latin1').toString('hex'));
  await fs.writeFile(path, '+more', { flag: 'a' });
  t.equal(await fs.readFile(pathToFileURL(path), 'latin1'), 'grüße+more');
  t.equal(await fs.readFile(Buffer.from(path), 'latin1'), 'grüße+more');
  const secret = join(folder, 'secret');
  await fs.writeFile(secret, new Uint16Array([1, 2]), { mode: 0o600 });
  t.equal(nodeFs.statSync(secret).mode & 0o777, 0o600);
  t.equal(nodeFs.statSync(secret).size, 4);
});

t.test('files that say nothing of their size', async t => {
  t.match(await fs.readFile('/proc/self/status', 'utf8'), /^Name:/);
  t.equal((await fs.readFile('/proc/sys/kernel/ostype', 'utf8')).trim(), 'Linux');
});

t.test('a handle reads and writes, at positions and at the current one', async t => {
  const path = join(folder, 'handle');
  await using handle = await fs.open(path, 'w+');
  t.ok(handle.fd > 0);
  t.strictSame(await handle.write('hello'), { bytesWritten: 5, buffer: 'hello' });
  const world = Buffer.from('[ world]');
  t.equal((await handle.write(world, 1, 6)).bytesWritten, 6);
  t.equal((await handle.write('J', 0)).bytesWritten, 1);
  t.equal((await handle.write(world, { offset: 7, position: 11 })).buffer, world);
  t.equal(nodeFs.readFileSync(path, 'utf8'), 'Jello world]');

  const buffer = Buffer.alloc(8);
  t.strictSame(await handle.read(buffer, 0, 5, 0), { bytesRead: 5, buffer });
  t.equal(String(buffer.subarray(0, 5)), 'Jello');
  t.equal((await handle.read({ buffer, offset: 2, length: 3, position: 6n })).bytesRead, 3);
  t.equal(String(buffer.subarray(2, 5)), 'wor');
  t.equal((await handle.read(buffer, { position: 100 })).bytesRead, 0);
  const words = new Uint16Array(2);
  t.equal((await handle.read(words, 0, 4, 0)).buffer, words);
  t.equal(words[0], 'J'.charCodeAt(0) + 256 * 'e'.charCodeAt(0));
  t.equal((await handle.read(Buffer.alloc(0))).bytesRead, 0);
  t.equal((await handle.read()).buffer.length, 16384);
});

t.test('calls at the current position keep their order', async t => {
  const path = join(folder, 'order');
  await using handle = await fs.open(path, 'w+');
  const pieces = Array.from({ length: 200 }, (_, i) => `piece ${i};`.repeat(1 + (i % 7)));
  await Promise.all(pieces.map(piece => handle.write(piece)));
  t.equal(nodeFs.readFileSync(path, 'latin1'), pieces.join(''));
  await using reader = await fs.open(path);
  const reads = await Promise.all(pieces.map(piece => reader.read(Buffer.alloc(piece.length))));
  t.strictSame(
    reads.map(({ buffer }) => String(buffer)),
    pieces,
  );
});

t.test('many reads at once, and larger than a block', async t => {
  const random = seededRandom(t);
  const path = join(folder, 'large');
  const data = Buffer.alloc(3_000_000);
  for (let i = 0; i < data.length; i++) data[i] = random() * 256;
  nodeFs.writeFileSync(path, data);
  await using handle = await fs.open(path);
  const results = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const position = Math.floor(random() * data.length);
      const length = 1 + Math.floor(random() ** 3 * 1_000_000);
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead).equals(data.subarray(position, position + length));
    }),
  );
  t.ok(results.every(Boolean));
});

t.test('stat agrees with node:fs', async t => {
  const path = join(folder, 'stat');
  nodeFs.writeFileSync(path, 'x'.repeat(10_000), { mode: 0o640 });
  for (const file of [path, folder, '/dev/null']) {
    await using handle = await fs.open(file);
    const ours = await handle.stat();
    const theirs = nodeFs.statSync(file);
    for (const key of [
      'dev',
      'ino',
      'mode',
      'nlink',
      'uid',
      'gid',
      'rdev',
      'size',
      'blksize',
      'blocks',
    ] as const) {
      t.equal(ours[key], theirs[key], `${file}: ${key}`);
    }
    for (const key of ['mtimeMs', 'ctimeMs', 'birthtimeMs'] as const) t.equal(ours[key], theirs[key], key);
    for (const key of ['mtime', 'ctime', 'birthtime'] as const) t.strictSame(ours[key], theirs[key], key);
    t.equal(ours.isFile(), theirs.isFile());
    t.equal(ours.isDirectory(), theirs.isDirectory());
    t.ok(ours instanceof nodeFs.Stats);
  }
});

t.test('wrong arguments of read and write', async t => {
  await using handle = await fs.open(join(folder, 'arguments'), 'w+');
  const buffer = Buffer.alloc(4);
  const range = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
  await t.rejects(handle.read(buffer, 5), range);
  await t.rejects(handle.read(buffer, 0, 5), range);
  await t.rejects(handle.read(buffer, -1), range);
  await t.rejects(handle.read(buffer, 0, 1, -2), range);
  await t.rejects(handle.read('x' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(handle.write(buffer, 3, 2), range);
  await t.rejects(handle.write(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('a closed handle', async t => {
  const handle = await fs.open(join(folder, 'closed'), 'w+');
  const pending = handle.write(Buffer.alloc(300_000));
  const closing = handle.close();
  t.equal(handle.close(), closing, 'a second close is the first');
  t.equal((await pending).bytesWritten, 300_000, 'what was pending is done');
  await closing;
  t.equal(handle.fd, -1);
  await handle.close();
  await t.rejects(handle.read(Buffer.alloc(1)), { code: 'EBADF', syscall: 'read' });
  await t.rejects(handle.write('x'), { code: 'EBADF', syscall: 'write' });
  await t.rejects(handle.stat(), { code: 'EBADF' });
});

t.test('the wrong direction', async t => {
  const path = join(folder, 'direction');
  await using writer = await fs.open(path, 'w');
  await t.rejects(writer.read(Buffer.alloc(1)), { code: 'EBADF', syscall: 'read', errno: -9 });
  await using reader = await fs.open(path, constants.O_RDONLY);
  await t.rejects(reader.write('x'), { code: 'EBADF', syscall: 'write' });
  await t.rejects(reader.write(Buffer.alloc(100_000)), { code: 'EBADF' });
});

t.test('abort', async t => {
  const signal = AbortSignal.abort();
  const path = join(folder, 'abort');
  await fs.writeFile(path, Buffer.alloc(40_000_000));
  await t.rejects(fs.readFile(path, { signal }), { name: 'AbortError', code: 'ABORT_ERR' });
  await t.rejects(fs.writeFile(path, 'x', { signal }), { name: 'AbortError' });
  const controller = new AbortController();
  const reading = fs.readFile(path, { signal: controller.signal });
  setImmediate(() => controller.abort());
  await t.rejects(reading, { name: 'AbortError' });
});

t.test('a file that shrinks while it is read gives what is left', async t => {
  const path = join(folder, 'shrinks');
  nodeFs.writeFileSync(path, Buffer.alloc(12_000_000, 'a'));
  const reading = fs.readFile(path);
  setImmediate(() => nodeFs.truncateSync(path, 5));
  const bytes = await reading;
  t.ok(bytes.length <= 12_000_000);
  t.ok(bytes.every(byte => byte === 97));
});

t.test('a buffer that is taken away during a read is an error, not a stray write', async t => {
  withoutInline();
  await using handle = await fs.open('/dev/zero');
  const target = new Uint8Array(100_000).fill(7);
  const reading = handle.read(target);
  const moved = structuredClone(target.buffer, { transfer: [target.buffer] });
  await t.rejects(reading, { code: 'ERR_INVALID_STATE' });
  t.ok(
    new Uint8Array(moved).every(byte => byte === 7),
    'its bytes were not touched',
  );
});

t.test('a slow file holds up nobody', async t => {
  const fifo = makeFifo(folder, 'fifo');
  await using handle = await fs.open(fifo, 'r+');
  const waiting = handle.read(Buffer.alloc(10), 0, 10);
  const other = join(folder, 'plain');
  nodeFs.writeFileSync(other, 'x');
  for (let i = 0; i < 100; i++) await fs.readFile(other);
  await handle.write('at last', null);
  t.equal((await waiting).bytesRead, 7);
});

t.test('a read of a pipe takes what is there, and does not wait for more', async t => {
  const fifo = makeFifo(folder, 'wide');
  await using handle = await fs.open(fifo, 'r+');
  await handle.write(Buffer.alloc(60_000), null);
  t.equal((await handle.read(Buffer.alloc(1_000_000))).bytesRead, 60_000);
});

t.test('buffers that change while calls are queued: an error, and the handle still closes', async t => {
  withoutInline();
  const handle = await fs.open(join(folder, 'queued'), 'w+');
  await handle.write('x'.repeat(100), 0);
  const detach = (view: Uint8Array<ArrayBuffer>): void => {
    structuredClone(view.buffer, { transfer: [view.buffer] });
  };
  const [a, b] = [new Uint8Array(10), new Uint8Array(10)];
  const reads = Promise.allSettled([handle.read(a), handle.read(b)]);
  detach(b);
  const [first, second] = await reads;
  t.match(first, { status: 'fulfilled', value: { bytesRead: 10 } });
  t.match(second, { status: 'rejected', reason: { code: 'ERR_INVALID_STATE' } });
  const c = new Uint8Array(20);
  const writes = Promise.allSettled([handle.write('1'), handle.write(c)]);
  detach(c);
  t.match((await writes)[1], { status: 'rejected', reason: { code: 'ERR_INVALID_STATE' } });
  await handle.close();
});

t.test('a pipe that does not wait: memory that is taken away meanwhile stays as it is', async t => {
  const { O_NONBLOCK, O_RDWR } = nodeFs.constants;
  await using handle = await fs.open(makeFifo(folder, 'taken'), O_RDWR | O_NONBLOCK);
  await handle.write('some text');
  const bytes = Buffer.alloc(100_000);
  const reading = handle.read(bytes);
  const taken = structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  await t.rejects(reading, { code: 'ERR_INVALID_STATE' });
  t.equal(Buffer.compare(Buffer.from(taken), Buffer.alloc(100_000)), 0);
  const text = Buffer.alloc(50_000, 'a');
  const writing = handle.write(text);
  structuredClone(text.buffer, { transfer: [text.buffer] });
  t.equal((await writing).bytesWritten, 50_000);
  t.equal((await handle.read(Buffer.alloc(100_000), 10, 60_000)).buffer.indexOf('a'), 10);
});

t.test('a path that is changed while a call with a signal gives a turn', async t => {
  const { signal } = new AbortController();
  for (const write of [fs.writeFile, fs.appendFile]) {
    const [kept, other] = [`${write.name}-1`, `${write.name}-2`].map(name => join(folder, name));
    const path = Buffer.from(kept!);
    const writing = write(path, 'text', { signal });
    path.write('2', path.length - 1);
    await writing;
    t.equal(nodeFs.readFileSync(kept!, 'latin1'), 'text');
    t.notOk(nodeFs.existsSync(other!));
  }
});

t.test('a path one byte too long is not cut to another', async t => {
  const base = `${folder}/`;
  const victim = `${base}${'d/../'.repeat(1000)}`.slice(0, 4089);
  const path = `${victim}/victim`.slice(0, 4095);
  t.equal(Buffer.byteLength(`${path}é`), 4097);
  await t.rejects(fs.writeFile(`${path}é`, 'oops'), { code: 'ENAMETOOLONG' });
});
