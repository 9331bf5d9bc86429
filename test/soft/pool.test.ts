/** What threads of libuv's pool do for a loop on epoll: cancelled, closed and terminated while they are at it. */
import { once } from 'node:events';
import nodeFs, { constants } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { connect, listen } from 'uasync/net';
import { checkLeaks, makeFifo, openFds, scratchFolder, turns, until } from '../harness.js';
import { HOST, portOf } from '../net/sockets.js';
import { built, output } from '../programs.js';

process.env.UASYNC_BACKEND = 'epoll';
const folder = scratchFolder();
checkLeaks();

const THREADS = 4;
/** More than libuv gets at once. */
const MANY = 40;
const { O_RDONLY, O_RDWR, O_WRONLY } = constants;

let fifos = 0;
/** Has Node keep all threads of the pool waiting; to be called to let them go. */
async function blockPool(): Promise<() => Promise<void>> {
  const path = makeFifo(folder, `blocking-${fifos++}`);
  const opens = Array.from({ length: THREADS }, () => promisify(nodeFs.open)(path, O_WRONLY));
  await turns();
  return async () => {
    // One that may be opened without waiting.
    const reader = nodeFs.openSync(path, O_RDWR);
    for (const fd of await Promise.all(opens)) nodeFs.closeSync(fd);
    nodeFs.closeSync(reader);
  };
}

const open = (path: string, signal?: AbortSignal): Promise<number> =>
  loop().submit(sqe => sqe.open(path, O_RDONLY).async(), signal && { signal });

t.test('what has not begun is cancelled at once, the rest ends as it would have', async t => {
  const path = join(folder, 'plain');
  nodeFs.writeFileSync(path, 'plain');
  const letGo = await blockPool();
  const controller = new AbortController();
  const opening = Array.from({ length: MANY }, () => open(path, controller.signal));
  const codes: unknown[] = [];
  const settled = opening.map(one =>
    one.then(
      fd => nodeFs.closeSync(fd),
      error => codes.push(error.name),
    ),
  );
  await turns();
  controller.abort();
  await until(() => codes.length > MANY / 2);
  t.ok(codes.length < MANY, 'libuv has some');
  t.ok(codes.every(name => name === 'AbortError'));
  await letGo();
  await Promise.all(settled);
});

t.test('changes of one file are made in their order', async t => {
  const path = join(folder, 'ordered');
  const fd = nodeFs.openSync(path, 'w+');
  const letGo = await blockPool();
  const bytes = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1000 - i, i));
  const writes = bytes.map(one => loop().submit(sqe => sqe.write(fd, one, 0)));
  const last = loop().submit(sqe => sqe.ftruncate(fd, 100));
  await letGo();
  t.same(
    await Promise.all(writes),
    bytes.map(one => one.length),
  );
  t.equal(await last, 0);
  const found = nodeFs.readFileSync(path);
  t.equal(found.length, 100);
  t.ok(
    found.every(byte => byte === 19),
    `the last one: ${found[0]}`,
  );
  nodeFs.closeSync(fd);
});

t.test('the device is not waited for by this thread', async t => {
  const path = join(folder, 'direct');
  nodeFs.writeFileSync(path, Buffer.alloc(65_536, 'd'));
  let file: fs.FileHandle;
  try {
    file = await fs.open(path, O_RDWR | constants.O_DIRECT);
  } catch (error) {
    t.comment(`O_DIRECT cannot be used here: ${error}`);
    return;
  }
  // With nothing of it cached the kernel would read and write at once, and wait.
  await file.sync();
  await file.fadvise('dontneed');
  const letGo = await blockPool();
  let done = 0;
  const pending = [
    file.read(Buffer.alloc(4096), 0, 4096, 0).then(({ bytesRead }) => (done += bytesRead)),
    file.write(Buffer.alloc(4096, 'e'), 0, 4096, 8192).then(({ bytesWritten }) => (done += bytesWritten)),
    file.sync(),
  ];
  await turns(10);
  t.equal(done, 0, 'a thread of the pool does');
  await letGo();
  await Promise.all(pending);
  t.equal(done, 8192);
  await file.close();
});

t.test('a loop that is closed: its memory and what it opens stay until the threads are done', async t => {
  const path = join(folder, 'late');
  nodeFs.writeFileSync(path, Buffer.alloc(100_000, 'l'));
  const fd = nodeFs.openSync(path, O_RDWR);
  loop().close();
  const first = loop({ inline: false });
  const before = openFds();
  const letGo = await blockPool();
  const pending = [
    ...Array.from({ length: 3 }, () => open(path)),
    first.submit(sqe => sqe.fsync(fd)),
    fs.stat(`/proc/self/fd/${fd}`),
    ...Array.from({ length: MANY }, () => open(path)),
    fs.mkdir(join(folder, 'never')),
  ];
  const outcomes = Promise.allSettled(pending);
  await turns();
  first.close();
  for (const result of await outcomes) {
    t.equal(result.status === 'rejected' && result.reason.code, 'ERR_CLOSED');
  }
  t.equal((await fs.stat(path)).size, 100_000, 'another one takes over');
  await letGo();
  await until(() => openFds() <= before);
  t.notOk(nodeFs.existsSync(join(folder, 'never')));
  nodeFs.closeSync(fd);
});

/** Bytes in memory of mappings as large as the buffers of a loop's sockets. proc_pid_smaps(5) */
function residentBytes(): number {
  const areas = nodeFs.readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const numberOf = (area: string, name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(area)?.[1] ?? 0) * 1024;
  const ours = areas.filter(area => /^VmFlags:.* nr/m.test(area) && numberOf(area, 'Size') >= 8 << 20);
  return ours.reduce((sum, area) => sum + numberOf(area, 'Rss'), 0);
}

t.test('a loop that is closed: the buffers of its sockets go when the threads are done', async t => {
  loop().close();
  const first = loop({ inline: false });
  const server = await listen({ port: 0, host: HOST });
  const client = await connect({ port: portOf(server), host: HOST });
  const conn = await server.accept();
  // Larger ones are received without these buffers.
  const piece = Buffer.alloc(4096);
  for (let i = 0; i < 800; i++) {
    await client.write(piece);
    await conn.readExactly(piece.length);
  }
  const letGo = await blockPool();
  const pending = open(folder).catch(error => error.code);
  await Promise.all([client.reset(), conn.reset(), server.close()]);
  const before = residentBytes();
  t.ok(before > 1 << 20, `${before} bytes`);
  first.close();
  t.equal(await pending, 'ERR_CLOSED');
  await letGo();
  await until(() => before - residentBytes() > 1 << 20);
});

async function cancelOpening(t: Test, flags: number): Promise<void> {
  const path = makeFifo(folder, `cancelled-${flags}`);
  const controller = new AbortController();
  const opening = Array.from({ length: MANY }, () =>
    loop().submit(sqe => sqe.open(path, flags).async(), { signal: controller.signal }),
  );
  const settled = Promise.allSettled(opening);
  await new Promise(resolve => setTimeout(resolve, 20));
  controller.abort();
  for (const result of await settled) {
    t.equal(result.status === 'rejected' && result.reason.name, 'AbortError');
  }
}

t.test('opening a FIFO without a reader can be cancelled', t => cancelOpening(t, O_WRONLY));
t.test('opening a FIFO without a writer can be cancelled', t => cancelOpening(t, O_RDONLY));

t.test('more files are read at once than there may be descriptors', async t => {
  const path = join(folder, 'often');
  nodeFs.writeFileSync(path, 'often');
  const node = [process.execPath, built('test/fixtures/many-reads.js'), path];
  t.equal(await output('prlimit', ['--nofile=1024:1024', ...node]), '3000 epoll true\n');
});

t.test('a sandbox without openat2, preadv2 or pwritev2', async t => {
  const deny = built('test/fixtures/deny-io-uring.js');
  for (const number of [437, 327, 328]) {
    const at = join(folder, String(number));
    nodeFs.mkdirSync(at);
    const args = [deny, `38:${number}`, built('test/fixtures/all-kinds.js'), at];
    const printed = JSON.parse(await output(process.execPath, args));
    t.same(printed, ['WRITTEN and', 11, 'link', 'ENOENT'], `system call ${number}`);
  }
});

t.test('what the pool opens for a worker that is terminated is closed', async t => {
  const before = openFds();
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(built('test/fixtures/pool-worker.js'), { workerData: folder });
    const [backend] = await once(worker, 'message');
    if (i === 0) t.equal(backend, 'epoll');
    await new Promise(resolve => setTimeout(resolve, 2 * i));
    await worker.terminate();
  }
  t.ok(openFds() <= before, `${openFds()} descriptors, ${before} before`);
});
