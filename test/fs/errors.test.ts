/** Every call, with everything that can be wrong about its arguments: the errors are Node's, field by field. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { checkLeaks, scratchFolder } from '../harness.js';
import { type Api, node, ours, outcome } from './beside-node.js';

const folder = scratchFolder();
checkLeaks();

const file = join(folder, 'file');
const full = join(folder, 'full');
const loop = join(folder, 'loop');
nodeFs.writeFileSync(file, 'some text');
nodeFs.mkdirSync(full);
nodeFs.writeFileSync(join(full, 'x'), '');
nodeFs.symlinkSync(loop, loop);

/** Paths that lead nowhere, or not to what is wanted. */
const BAD_PATHS: Record<string, unknown> = {
  missing: join(folder, 'missing'),
  'in nothing': join(folder, 'missing', 'x'),
  'through a file': join(file, 'x'),
  'a directory': full,
  'a directory with a slash': `${full}/`,
  'a file with a slash': `${file}/`,
  'a loop': join(loop, 'x'),
  'a name too long': join(folder, 'n'.repeat(300)),
  'a path too long': `/${'p'.repeat(5000)}`,
  empty: '',
  'a read-only file system': '/proc/uasync',
  'NUL in the text': 'a\0b',
  'NUL in the bytes': Buffer.from('a\0b'),
  'NUL in the URL': new URL('file:///a%00b'),
  'bytes of a missing one': Buffer.from(join(folder, 'grüße')),
  'URL of a missing one': pathToFileURL(join(folder, 'missing')),
  'URL of the web': new URL('http://localhost/x'),
  'a number': 5,
  nothing: undefined,
  null: null,
  'an object': {},
  'an array': ['x'],
  true: true,
  'a function': function name() {},
  'a symbol': Symbol('s'),
  'a bigint': 5n,
  'a class': new (class Path {})(),
  'a view of words': new Uint16Array(2),
};

type Call = (api: Api, path: never) => Promise<unknown>;

/** Each call in each place where it takes a path. */
const PATH_CALLS: Record<string, Call> = {
  access: (api, path) => api.access(path),
  appendFile: (api, path) => api.appendFile(path, 'x'),
  chmod: (api, path) => api.chmod(path, 0o700),
  chown: (api, path) => api.chown(path, 0, 0),
  'copyFile from': (api, path) => api.copyFile(path, join(folder, 'copied')),
  'copyFile to': (api, path) => api.copyFile(file, path),
  lchown: (api, path) => api.lchown(path, 0, 0),
  'link from': (api, path) => api.link(path, join(folder, 'full', 'x')),
  'link to': (api, path) => api.link(file, path),
  lstat: (api, path) => api.lstat(path).then(stats => stats.isDirectory()),
  lutimes: (api, path) => api.lutimes(path, 1, 1),
  opendir: (api, path) => api.opendir(path).then(dir => dir.close()),
  open: (api, path) => api.open(path).then(handle => handle.close()),
  'open r+': (api, path) => api.open(path, 'r+').then(handle => handle.close()),
  readFile: (api, path) => api.readFile(path),
  readdir: (api, path) => api.readdir(path),
  readlink: (api, path) => api.readlink(path),
  realpath: (api, path) => api.realpath(path),
  'rename from': (api, path) => api.rename(path, join(folder, 'full', 'x', 'y')),
  'rename to': (api, path) => api.rename(join(folder, 'absent'), path),
  rm: (api, path) => api.rm(path),
  stat: (api, path) => api.stat(path).then(stats => stats.isDirectory()),
  'symlink to': (api, path) => api.symlink('x', path),
  truncate: (api, path) => api.truncate(path),
  unlink: (api, path) => api.unlink(path),
  utimes: (api, path) => api.utimes(path, 1, 1),
};

const nodeMajor = Number.parseInt(process.versions.node, 10);

/** Where ours differs on purpose, and why. */
const DELIBERATE: [which: RegExp, reason: string][] = [
  [
    /^read options (offset: (5|-2|\d{19})|buffer: null)$/,
    'Node fails while it computes a default, and does not say of what',
  ],
];
if (nodeMajor < 22) {
  const reason = 'Node 20 took what is no position for the current one; later ones and ours refuse it';
  DELIBERATE.push([/^read position/, reason]);
}

/** Whether ours differs on purpose; it must be an error all the same. */
function isDeliberate(t: Test, name: string, mine: unknown): boolean {
  const reason = DELIBERATE.find(([which]) => which.test(name))?.[1];
  if (reason === undefined) return false;
  t.match(mine, { error: { code: /^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/ } }, `${name}: ${reason}`);
  return true;
}

/** Those that would change what the table needs, on paths where they succeed. */
const DESTRUCTIVE = new Set([
  'copyFile to missing',
  'copyFile to URL of a missing one',
  'copyFile to bytes of a missing one',
  'link to missing',
  'link to URL of a missing one',
  'link to bytes of a missing one',
  'symlink to missing',
  'symlink to URL of a missing one',
  'symlink to bytes of a missing one',
  'appendFile missing',
  'appendFile URL of a missing one',
  'appendFile bytes of a missing one',
]);

for (const [name, call] of Object.entries(PATH_CALLS)) {
  t.test(`${name}: every bad path`, async t => {
    for (const [what, path] of Object.entries(BAD_PATHS)) {
      if (DESTRUCTIVE.has(`${name} ${what}`)) continue;
      const expected = await outcome(() => call(node, path as never));
      t.strictSame(await outcome(() => call(ours, path as never)), expected, what);
    }
  });
}

t.test('mkdir, rmdir, writeFile and symlink, where they fail', async t => {
  const calls: Record<string, Call> = {
    mkdir: (api, path) => api.mkdir(path),
    rmdir: (api, path) => api.rmdir(path),
    writeFile: (api, path) => api.writeFile(path, 'x'),
    'symlink from': (api, path) => api.symlink(path, full),
    mkdtemp: (api, path) => api.mkdtemp(path),
  };
  const harmless = Object.entries(BAD_PATHS).filter(([what]) => !/^(missing|URL of a m|bytes)/.test(what));
  for (const [name, call] of Object.entries(calls)) {
    for (const [what, path] of harmless) {
      // A template is no path: these would make directories.
      if (name === 'mkdtemp' && typeof path === 'string' && !path.includes('\0')) continue;
      const expected = await outcome(() => call(node, path as never));
      t.strictSame(await outcome(() => call(ours, path as never)), expected, `${name}: ${what}`);
    }
  }
});

t.test('every bad argument beside the path', async t => {
  const odd = [-1, 1.5, Number.NaN, 2 ** 32, 2 ** 53, '8', 'x', {}, [], true, null, 5n, Symbol('s')];
  const calls: Record<string, (api: Api, value: never) => Promise<unknown>> = {
    'open flags': (api, value) => api.open(file, value).then(handle => handle.close()),
    'open mode': (api, value) => api.open(file, 'r', value).then(handle => handle.close()),
    'readFile options': (api, value) => api.readFile(file, value),
    'readFile encoding': (api, value) => api.readFile(file, { encoding: value }),
    'readFile flag': (api, value) => api.readFile(file, { flag: value }),
    'readFile signal': (api, value) => api.readFile(file, { signal: value }),
    'writeFile data': (api, value) => api.writeFile(join(folder, 'data'), value),
    'writeFile options': (api, value) => api.writeFile(join(folder, 'data'), 'x', value),
    'writeFile mode': (api, value) => api.writeFile(join(folder, 'data'), 'x', { mode: value }),
    'writeFile flush': (api, value) => api.writeFile(join(folder, 'data'), 'x', { flush: value }),
    'writeFile encoding': (api, value) => api.writeFile(join(folder, 'data'), 'x', { encoding: value }),
    'appendFile data': (api, value) => api.appendFile(join(folder, 'data'), value),
    'truncate len': (api, value) => api.truncate(join(folder, 'data'), value),
    'mkdir recursive': (api, value) => api.mkdir(full, { recursive: value }),
    'mkdir mode': (api, value) => api.mkdir(full, { mode: value }),
    'symlink type': (api, value) => api.symlink('x', full, value),
    'chmod mode': (api, value) => api.chmod(join(folder, 'data'), value),
    'access mode': (api, value) => api.access(file, value),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const value of odd) {
      const expected = await outcome(() => call(node, value as never));
      t.strictSame(await outcome(() => call(ours, value as never)), expected, `${name}: ${String(value)}`);
    }
  }
});

type Handle = nodeFs.promises.FileHandle;

/** Each call of a handle, with one argument to be odd. */
const HANDLE_CALLS: Record<string, (handle: Handle, value: never) => Promise<unknown>> = {
  'read buffer': (handle, value) => handle.read(value).then(({ bytesRead }) => bytesRead),
  'read offset': (handle, value) => read(handle, [Buffer.alloc(4), value, 1, 0]),
  'read position': (handle, value) => read(handle, [Buffer.alloc(4), 0, 4, value]),
  'read options offset': (handle, value) =>
    read(handle, [{ buffer: Buffer.alloc(4), offset: value, position: 0 }]),
  'read options buffer': (handle, value) => read(handle, [{ buffer: value, position: 0 }]),
  'readv buffers': (handle, value) => handle.readv(value, 0).then(({ bytesRead }) => bytesRead),
  'readv position': (handle, value) => handle.readv([Buffer.alloc(2)], value).then(() => 'done'),
  'write data': (handle, value) => handle.write(value, 0).then(({ bytesWritten }) => bytesWritten),
  'write offset': (handle, value) => write(handle, [Buffer.alloc(4), value, 1, 0]),
  'write position': (handle, value) => write(handle, [Buffer.alloc(4), 0, 4, value]),
  'write encoding': (handle, value) => write(handle, ['abc', 0, value]),
  'writev buffers': (handle, value) => handle.writev(value, 0).then(({ bytesWritten }) => bytesWritten),
  'readFile options': (handle, value) => handle.readFile(value).then(() => 'done'),
  'writeFile data': (handle, value) => handle.writeFile(value),
  'writeFile options': (handle, value) => handle.writeFile('x', value),
  'appendFile data': (handle, value) => handle.appendFile(value),
  'truncate len': (handle, value) => handle.truncate(value),
  'chmod mode': (handle, value) => handle.chmod(value),
  'chown uid': (handle, value) => handle.chown(value, 0),
  'utimes atime': (handle, value) => handle.utimes(value, 0),
};

async function read(handle: Handle, args: unknown[]): Promise<number> {
  return (await handle.read(...(args as [Buffer]))).bytesRead;
}

async function write(handle: Handle, args: unknown[]): Promise<number> {
  return (await handle.write(...(args as [Buffer]))).bytesWritten;
}

t.test('every bad argument of a handle’s calls', async t => {
  const odd = [-1, -2, 1.5, 5, Number.NaN, 2 ** 53, 'abc', {}, [], [5], true, null, 5n, -2n, 2n ** 63n];
  for (const [name, call] of Object.entries(HANDLE_CALLS)) {
    for (const value of odd) {
      const results: unknown[] = [];
      for (const api of [node, ours]) {
        const path = join(folder, 'handle');
        // The call before this one may have left a mode that keeps its owner out.
        nodeFs.rmSync(path, { force: true });
        nodeFs.writeFileSync(path, 'some text');
        const handle = await api.open(path, 'r+');
        results.push(await outcome(() => call(handle, value as never)));
        await handle.close();
      }
      const what = `${name}: ${String(value)}`;
      const same = isDeepStrictEqual(results[0], results[1]);
      if (same || !isDeliberate(t, what, results[1])) t.strictSame(results[1], results[0], what);
    }
  }
});

t.test('a length that is no integer is an error, where Node aborts the process', async t => {
  const handle = await ours.open(file, 'r+');
  for (const length of [1.5, Number.NaN, 2 ** 53, 'abc', {}]) {
    await t.rejects(read(handle, [Buffer.alloc(4), 0, length, 0]), { code: /^ERR_/ }, `read: ${length}`);
  }
  await t.rejects(write(handle, [Buffer.alloc(4), 0, 1.5, 0]), { code: 'ERR_OUT_OF_RANGE' });
  await handle.close();
});

t.test('every call of a closed handle is EBADF, by the call’s name', async t => {
  const calls: Record<string, (handle: Handle) => Promise<unknown>> = {
    appendFile: handle => handle.appendFile('x'),
    chmod: handle => handle.chmod(0o600),
    chown: handle => handle.chown(0, 0),
    datasync: handle => handle.datasync(),
    read: handle => handle.read(Buffer.alloc(1)),
    readFile: handle => handle.readFile(),
    readv: handle => handle.readv([Buffer.alloc(1)]),
    stat: handle => handle.stat(),
    sync: handle => handle.sync(),
    truncate: handle => handle.truncate(),
    utimes: handle => handle.utimes(0, 0),
    write: handle => handle.write('x'),
    writeFile: handle => handle.writeFile('x'),
    writev: handle => handle.writev([Buffer.alloc(1)]),
    readableWebStream: async handle => handle.readableWebStream(),
    close: handle => handle.close(),
  };
  for (const [name, call] of Object.entries(calls)) {
    const results: unknown[] = [];
    for (const api of [node, ours]) {
      const handle = await api.open(file);
      await handle.close();
      results.push(await outcome(() => call(handle)));
    }
    t.strictSame(results[1], results[0], name);
  }
});

t.test('the wrong direction, and what cannot be done to a descriptor', async t => {
  const calls: Record<string, [path: string, flags: string, call: (handle: Handle) => Promise<unknown>]> = {
    'read of a writer': [file, 'a', handle => handle.read(Buffer.alloc(1))],
    'readv of a writer': [file, 'a', handle => handle.readv([Buffer.alloc(1)])],
    'readFile of a writer': [file, 'a', handle => handle.readFile()],
    'write of a reader': [file, 'r', handle => handle.write('x')],
    'writev of a reader': [file, 'r', handle => handle.writev([Buffer.from('x')])],
    'writeFile of a reader': [file, 'r', handle => handle.writeFile('x')],
    'truncate of a reader': [file, 'r', handle => handle.truncate(1)],
    'read of a directory': [full, 'r', handle => handle.read(Buffer.alloc(1))],
    'readFile of a directory': [full, 'r', handle => handle.readFile()],
    'sync of a device': ['/dev/null', 'r', handle => handle.sync()],
    'datasync of a device': ['/dev/null', 'r', handle => handle.datasync()],
    'write to a full device': ['/dev/full', 'w', handle => handle.write('x')],
    'writeFile to a full device': ['/dev/full', 'w', handle => handle.writeFile('x')],
  };
  for (const [name, [path, flags, call]] of Object.entries(calls)) {
    const results: unknown[] = [];
    for (const api of [node, ours]) {
      const handle = await api.open(path, flags);
      results.push(await outcome(() => call(handle)));
      await handle.close();
    }
    t.strictSame(results[1], results[0], name);
  }
});
