/** Writes and changes of names that hardly ever wait are made at once: which, in which order, and when not. */
import { execFile, execFileSync } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, makeFifo, scratchFolder, until } from '../harness.js';
import { built, PLAIN_NODE } from '../programs.js';
import { outcome } from './beside-node.js';

/** In memory nothing waits for a disk that others use. */
const folder = scratchFolder(nodeFs.existsSync('/dev/shm') ? '/dev/shm' : undefined);
const at = (name: string): string => join(folder, name);
checkLeaks();

const run = promisify(execFile);
const ENOSYS = 38;
const MIB = 1024 * 1024;

function newLoop(options: Parameters<typeof loop>[0]): void {
  loop().close();
  loop(options);
}

async function operations(call: () => Promise<unknown>): Promise<number> {
  const before = loop().stats().submitted;
  await call();
  return loop().stats().submitted - before;
}

/** Calls that change something and change it back. */
function changes(): Record<string, () => Promise<unknown>> {
  const { O_WRONLY, O_CREAT, O_EXCL } = nodeFs.constants;
  return {
    'a new file, and one removed': async () => {
      await fs.writeFile(at('new'), 'some text');
      await fs.unlink(at('new'));
    },
    'a file written over': () => fs.writeFile(at('over'), Buffer.alloc(50_000)),
    'an empty one': () => fs.writeFile(at('empty'), ''),
    'one with a signal': () => fs.writeFile(at('over'), 'text', { signal: new AbortController().signal }),
    appendFile: () => fs.appendFile(at('appended'), 'a line\n'),
    'open to write, and close': async () => (await fs.open(at('over'), 'w')).close(),
    'open to make, and close': async () => {
      await (await fs.open(at('made'), O_WRONLY | O_CREAT | O_EXCL)).close();
      await fs.unlink(at('made'));
    },
    'mkdir and rmdir': async () => {
      await fs.mkdir(at('folder'));
      await fs.rmdir(at('folder'));
    },
    'rename to a new name and back': async () => {
      await fs.rename(at('over'), at('renamed'));
      await fs.rename(at('renamed'), at('over'));
    },
    'rename to one that is there': async () => {
      await fs.writeFile(at('over.new'), 'newer');
      await fs.rename(at('over.new'), at('over'));
    },
    'link, symlink and unlink': async () => {
      await fs.link(at('over'), at('link'));
      await fs.symlink('over', at('symbolic'));
      await fs.unlink(at('link'));
      await fs.unlink(at('symbolic'));
    },
    truncate: () => fs.truncate(at('over'), 10),
    chmod: () => fs.chmod(at('over'), 0o640),
  };
}

t.beforeEach(() => newLoop({}));

t.test('what hardly ever waits takes no operation of the ring', async t => {
  await fs.writeFile(at('over'), '');
  await fs.writeFile(at('appended'), '');
  await using handle = await fs.open(at('handle'), 'w+');
  const calls = {
    ...changes(),
    'handle.write': () => handle.write(Buffer.alloc(4096)),
    'handle.write at a position': () => handle.write('text', 100),
    'handle.writev': () => handle.writev([Buffer.from('one'), Buffer.from('two')], 0),
    'handle.appendFile': () => handle.appendFile('text'),
    'handle.writeFile': () => handle.writeFile('text'),
    'handle.truncate': () => handle.truncate(50),
    'handle.read, also of what is in memory': () => handle.read(Buffer.alloc(100), 0, 100, 0),
    readFile: () => fs.readFile(at('over')),
    '300 KB': () => handle.write(Buffer.alloc(300_000), 0, 300_000, 0),
  };
  for (const [name, call] of Object.entries(calls)) {
    // Among many the one that has used up the tick's time goes through the ring.
    await until(async () => (await operations(call)) === 0);
    t.pass(name);
  }
});

t.test('inlineWrites: never leaves it to the ring', async t => {
  newLoop({ inlineWrites: 'never' });
  await fs.writeFile(at('over'), '');
  await using handle = await fs.open(at('handle'), 'w+');
  for (const [name, call] of Object.entries(changes())) {
    // Node's, else: the ring has no operation for it.
    if (name !== 'chmod') t.ok((await operations(call)) > 0, name);
  }
  t.ok((await operations(() => handle.write('text'))) > 0);
  t.equal(await operations(() => fs.stat(at('over'))), 0, 'but not what never waits');
});

t.test('other values are refused', async t => {
  loop().close();
  for (const inlineWrites of [true, null, 'always', 1]) {
    t.throws(() => loop({ inlineWrites } as never), { code: 'ERR_INVALID_ARG_VALUE' });
  }
});

t.test('no write overtakes one that the ring has, nor a truncation', async t => {
  const large = Buffer.alloc(3 * MIB, 'l');
  for (let i = 0; i < 10; i++) {
    await using handle = await fs.open(at('ordered'), 'w+');
    await Promise.all([handle.write(large, 0, large.length, 0), handle.write('small', 0)]);
    t.equal(nodeFs.readFileSync(at('ordered'), 'latin1').slice(0, 6), 'smalll');
    await handle.truncate(0);
    await Promise.all([handle.write(large), handle.write('one'), handle.write('two')]);
    t.equal(nodeFs.readFileSync(at('ordered'), 'latin1').slice(-7), 'lonetwo');
    await Promise.all([handle.truncate(0), handle.write('x', 0)]);
    t.equal(nodeFs.readFileSync(at('ordered'), 'latin1'), 'x');
    // More than may go at once: the ring cuts it.
    await handle.write(large, 0, large.length, 0);
    await Promise.all([handle.truncate(0), handle.write('y', 0)]);
    t.equal(nodeFs.readFileSync(at('ordered'), 'latin1'), 'y');
  }
});

t.test('positions, and files that append', async t => {
  await using handle = await fs.open(at('positions'), 'w+');
  await handle.write('abc');
  await handle.write('X', 1);
  await handle.write('def');
  t.equal(nodeFs.readFileSync(at('positions'), 'latin1'), 'aXcdef');
  t.equal((await handle.read(Buffer.alloc(9))).bytesRead, 0, 'the current position is at the end');
  await using appending = await fs.open(at('positions'), 'a+');
  const { bytesWritten } = await appending.write('!', 0);
  t.equal(bytesWritten, 1);
  t.equal(nodeFs.readFileSync(at('positions'), 'latin1'), 'aXcdef!', 'as the kernel does: pwrite(2)');
});

t.test('a promise settles as a microtask, never within the call', async t => {
  await using handle = await fs.open(at('handle'), 'w+');
  const order: string[] = [];
  const all = [handle.write('text', 0), fs.mkdir(at('soon')), fs.writeFile(at('over'), 'text')];
  for (const one of all) one.then(() => order.push('settled'));
  order.push('called');
  await Promise.all(all);
  t.equal(order[0], 'called');
  await fs.rmdir(at('soon'));
});

t.test('what is written through, FIFOs and other devices go through the backend', async t => {
  await using through = await fs.open(at('through'), 'as');
  t.ok((await operations(() => through.write('text'))) > 0, 'O_SYNC');
  await using nothing = await fs.open('/dev/null', 'w');
  t.ok((await operations(() => nothing.write('text'))) > 0, '/dev/null');
  const fifo = makeFifo(folder, 'fifo');
  const [reader, writer] = await Promise.all([fs.open(fifo), fs.open(fifo, 'w')]);
  t.ok((await operations(() => writer.write('text'))) > 0, 'a FIFO');
  await Promise.all([reader.close(), writer.close()]);
});

t.test('readFile of a large file opens it once', async t => {
  const content = Buffer.alloc(2 * MIB, 'r');
  await fs.writeFile(at('large'), content);
  const opened = async (): Promise<number> => {
    const { submitted } = loop().stats();
    t.ok((await fs.readFile(at('large'))).equals(content));
    return loop().stats().submitted - submitted;
  };
  // Two reads of 1 MiB at most, and no OPENAT or CLOSE.
  await until(async () => (await opened()) <= 2);
});

t.test('errors are those of Node', async t => {
  await fs.mkdir(at('full'));
  await fs.writeFile(at('full/file'), 'x');
  await fs.symlink('endless', at('endless'));
  const names = [
    'full',
    'full/file',
    'full/file/x',
    'endless',
    'missing',
    'missing/x',
    '',
    'full/.',
    '/',
    '.',
  ];
  for (const name of names) {
    const path = name === '' || name === '/' || name === '.' ? name : at(name);
    const calls: ((api: typeof nodeFs.promises) => Promise<unknown>)[] = [
      api => api.mkdir(path === '' ? '' : `${path}/.`),
      api => api.rmdir(name === 'full' ? path : at('full')),
      api => api.unlink(name.startsWith('missing') || name === 'full' ? path : at('full/')),
      api => api.rename(at('missing'), path),
      api => api.rename(at('full'), at('full/inside')),
      api => api.link(at('missing'), path),
      api => api.symlink('x', name.startsWith('missing') ? at('full') : path),
      async api => (await api.open(path, 'wx+')).close().then(() => nodeFs.unlinkSync(path)),
      api => api.truncate(at('missing')),
      api => api.chmod(name === 'missing' || name === 'endless' ? path : at('full'), 0o755),
    ];
    for (const call of calls) {
      const ours = await outcome(() => call(fs as unknown as typeof nodeFs.promises));
      t.strictSame(ours, await outcome(() => call(nodeFs.promises)), `${call} of ${name}`);
    }
  }
  t.equal(nodeFs.readFileSync(at('full/file'), 'latin1'), 'x');
});

t.test('a full disk takes a part, and then says so', async t => {
  const mount = at('mount');
  nodeFs.mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', mount], { stdio: 'ignore' });
  } catch {
    t.comment('mounting is not permitted here');
    t.equal((await fs.readdir(mount)).length, 0);
    return;
  }
  try {
    const path = join(mount, 'file');
    const results = async (inline: boolean): Promise<unknown> => {
      newLoop({ inline });
      const handle = await fs.open(path, 'w');
      const written = await handle.write(Buffer.alloc(MIB - 10_000));
      const part = await handle.write(Buffer.alloc(50_000));
      const none = await outcome(() => handle.write('x'.repeat(5000)));
      const small = await outcome(() => fs.writeFile(join(mount, 'other'), 'x'));
      const { size } = await handle.stat();
      await handle.close();
      await fs.unlink(path);
      await fs.unlink(join(mount, 'other'));
      return [written.bytesWritten, part.bytesWritten, none, small, size];
    };
    const inline = await results(true);
    t.strictSame(inline, await results(false));
    const [first, part] = inline as number[];
    t.equal(first, MIB - 10_000);
    t.ok(part! < 50_000, `${part} bytes of 50,000`);
  } finally {
    execFileSync('umount', [mount]);
  }
});

t.test('a device that is slow is left alone for a while', async t => {
  const program = ['-qq', '-o', '/dev/null', '-e', 'trace=pwritev2'];
  const delay = ['-e', 'inject=pwritev2:delay_enter=5000:when=1..2'];
  const args = [...program, ...delay, ...PLAIN_NODE, built('test/fixtures/slow-writes.js'), at('slow')];
  let stdout: string;
  try {
    ({ stdout } = await run('strace', args));
  } catch (error) {
    if (!/ENOENT|ptrace|Operation not permitted|inject/.test(String(error))) throw error;
    t.comment('strace is not to be had here');
    t.ok(error);
    return;
  }
  const [inline, again] = stdout.trim().split('\n');
  t.ok(Number(inline) <= 2, `${inline} slow writes before it was noticed`);
  t.equal(again, 'again');
});

t.test('a kernel without openat2', async t => {
  const OPENAT2 = 437;
  const folder = at('without');
  nodeFs.mkdirSync(folder);
  const program = [built('test/fixtures/all-kinds.js'), folder];
  const [node, ...args] = PLAIN_NODE;
  const deny = [...args, built('test/fixtures/deny-io-uring.js'), `${ENOSYS}:${OPENAT2}`];
  const { stdout } = await run(node!, [...deny, ...program]);
  t.equal(stdout, (await run(node!, [...args, ...program])).stdout);
  t.same(JSON.parse(stdout), ['WRITTEN and', 11, 'link', 'ENOENT']);
});

t.test('what is appended is one piece', async t => {
  newLoop({ inline: true });
  type Budget = { refill(): void; take(bytes: number, calls: number): void };
  const { inline } = loop() as unknown as { inline: Budget };
  const handle = await fs.open(at('one-piece'), 'a');
  // Another process could append between two pieces. The budget is enough for one of them.
  inline.refill();
  inline.take(0, 509);
  const writing = handle.write(Buffer.alloc(300_000));
  t.equal(nodeFs.fstatSync(handle.fd).size, 300_000);
  await writing;
  await handle.close();
  nodeFs.writeFileSync(at('one-piece'), '');
  inline.refill();
  inline.take(0, 500);
  const appending = fs.appendFile(at('one-piece'), Buffer.alloc(300_000));
  t.equal(nodeFs.statSync(at('one-piece')).size, 300_000);
  await appending;
});
