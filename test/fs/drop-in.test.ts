/** What a program that changes one import relies on: the names, and that they behave as Node's. */
import type { EventEmitter } from 'node:events';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { FileHandle } from '../../src/fs/handle/file-handle.js';
import { checkLeaks, collectGarbage, scratchFolder, turns } from '../harness.js';
import { ROOT } from '../programs.js';
import { type Api, node, ours, outcome } from './beside-node.js';

const folder = scratchFolder();
checkLeaks();

/** Runs `scenario` with each in a folder of its own; what they come to must agree. */
async function agree(
  t: { strictSame(found: unknown, wanted: unknown, message: string): unknown },
  name: string,
  scenario: (api: Api, folder: string) => Promise<unknown>,
): Promise<void> {
  const results: unknown[] = [];
  for (const [which, api] of [
    ['node', node],
    ['ours', ours],
  ] as const) {
    const place = join(folder, which, name.replaceAll(/\W+/g, '-'));
    nodeFs.mkdirSync(place, { recursive: true });
    const result = await outcome(() => scenario(api, place));
    results.push(JSON.parse(JSON.stringify(result).replaceAll(`/${which}/`, '/')));
  }
  t.strictSame(results[1], results[0], name);
}

t.test('every name of node:fs/promises is here', async t => {
  for (const name of Object.keys(node))
    t.equal(typeof (ours as never)[name], typeof (node as never)[name], name);
});

t.test('docs/fs.md says of every name, and of every method of a handle, what it runs on', async t => {
  const docs = nodeFs.readFileSync(join(ROOT, 'docs', 'fs.md'), 'utf8');
  const tableOf = (head: string): string =>
    new RegExp(`\n(\\| ${head} +\\|[\\s\\S]*?)\n\n`).exec(docs)?.[1] ?? '';
  const [calls, methods] = [tableOf('call'), tableOf('handle')];
  for (const name of Object.keys(ours)) if (name !== 'default') t.match(calls, `\`${name}\``, name);
  for (const name of Object.getOwnPropertyNames(FileHandle.prototype)) {
    if (name !== 'constructor') t.match(methods, new RegExp(`\`${name}[\`(]`), name);
  }
});

t.test('every method of Node’s FileHandle is here', async t => {
  const handle = await node.open('/dev/null');
  // Not documented, and of no use without async_hooks.
  const hidden = new Set(['getAsyncId', 'constructor']);
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(handle))) {
    if (!hidden.has(name)) t.ok(name in FileHandle.prototype, name);
  }
  t.ok(Symbol.asyncDispose in FileHandle.prototype);
  await handle.close();
});

t.test('paths: made, renamed, linked and removed', async t => {
  await agree(t, 'directories', async (api, at) => [
    await api.mkdir(join(at, 'one')),
    await api.mkdir(pathToFileURL(join(at, 'url')), 0o700),
    await api.mkdir(Buffer.from(join(at, 'bytes')) as never, { mode: '0711' }),
    await api.mkdir(join(at, 'a', 'b', 'c'), { recursive: true }),
    await api.mkdir(join(at, 'a', 'b', 'c'), { recursive: true }),
    (await api.stat(join(at, 'url'))).mode,
    (await api.stat(join(at, 'bytes'))).mode,
    await api.rmdir(join(at, 'one')),
    await api.rm(join(at, 'a'), { recursive: true }),
    (await api.readdir(at)).sort(),
  ]);
  await agree(t, 'files', async (api, at) => {
    const path = (name: string): string => join(at, name);
    await api.writeFile(path('a'), 'text', { mode: 0o640, flush: true });
    return [
      await api.link(path('a'), path('hard')),
      await api.symlink('a', path('soft')),
      await api.symlink('nowhere', path('dangling'), 'file'),
      await api.rename(path('a'), path('b')),
      await api.readlink(path('soft')),
      (await api.lstat(path('soft'))).isSymbolicLink(),
      (await api.stat(path('hard'))).nlink,
      await api.copyFile(path('hard'), path('copy')),
      await api.readFile(path('copy'), 'latin1'),
      await api.truncate(path('copy'), 2),
      await api.truncate(path('hard')),
      await api.appendFile(path('copy'), Buffer.from('+more')),
      await api.readFile(path('copy'), { encoding: 'hex' }),
      await api.unlink(path('b')),
      (await api.readdir(at)).sort(),
    ];
  });
});

t.test('stat: every field, plain and bigint, of files of every kind', async t => {
  const link = join(folder, 'stat-link');
  nodeFs.symlinkSync('/dev/null', link);
  // Nobody but this test touches the first; of the others only what does not move.
  for (const path of [link, '/dev/null', '/', '/proc/self/cmdline']) {
    for (const call of ['stat', 'lstat'] as const) {
      for (const bigint of [false, true]) {
        const theirs = await node[call](path, { bigint });
        const mine = await ours[call](path, { bigint });
        t.equal(Object.getPrototypeOf(mine), Object.getPrototypeOf(theirs), `${call} ${path}: class`);
        t.strictSame(Object.keys(mine), Object.keys(theirs), `${call} ${path}: keys`);
        for (const key of Object.keys(theirs) as (keyof typeof theirs)[]) {
          if (path !== link && /time/.test(key)) t.equal(typeof mine[key], typeof theirs[key], key);
          else t.strictSame(mine[key], theirs[key], `${call} ${path}: ${key}`);
        }
        for (const test of [
          'isFile',
          'isDirectory',
          'isSymbolicLink',
          'isCharacterDevice',
          'isFIFO',
        ] as const) {
          t.equal(mine[test](), theirs[test](), `${call} ${path}: ${test}`);
        }
        if (path === link) t.strictSame(mine.mtime, theirs.mtime, 'dates');
      }
    }
  }
  const before1970 = join(folder, 'old');
  nodeFs.writeFileSync(before1970, '');
  nodeFs.utimesSync(before1970, 1, new Date(-86_400_500));
  t.equal((await ours.stat(before1970)).mtimeMs, nodeFs.statSync(before1970).mtimeMs);
  const ns = (await ours.stat(before1970, { bigint: true })).mtimeNs;
  t.equal(ns, nodeFs.statSync(before1970, { bigint: true }).mtimeNs);
});

t.test('the handle’s calls', async t => {
  await agree(t, 'handle', async (api, at) => {
    const path = join(at, 'file');
    const handle = await api.open(path, 'wx+', '0644');
    const results: unknown[] = [typeof handle.fd];
    results.push(await handle.writeFile('a text of 20 bytes.\n'));
    results.push(await handle.appendFile('more\n', 'utf8'));
    const buffers = [Buffer.alloc(2), new Uint8Array(3), Buffer.alloc(0), new Uint16Array(2)];
    results.push(await handle.readv(buffers, 2));
    results.push(await handle.writev([Buffer.from('AB'), Buffer.from('CD')], 4));
    results.push(
      (await handle.writev([])).bytesWritten,
      (await handle.writev([Buffer.from('!')])).bytesWritten,
    );
    results.push(await handle.truncate(10), (await handle.stat()).size, await handle.truncate(-5));
    results.push((await handle.stat({ bigint: true })).size.toString());
    results.push(await handle.sync(), await handle.datasync(), await handle.chmod(0o600));
    results.push(
      await handle.utimes(1, new Date(2000)),
      (await handle.stat()).mtimeMs,
      await handle.chown(process.getuid!(), process.getgid!()),
    );
    let closes = 0;
    (handle as unknown as EventEmitter).on('close', () => closes++);
    results.push(await handle.close(), closes, handle.fd);
    return results;
  });
  await agree(t, 'write', async (api, at) => {
    const handle = await api.open(join(at, 'file'), 'w+');
    const results = [
      await handle.write('grüße', null, 'latin1'),
      await handle.write('dead', 0, 'hex'),
      await handle.write(Buffer.from('0123'), { offset: 1, length: 2, position: 4 } as never),
      await handle.write(new DataView(new ArrayBuffer(3))),
      await handle.write(''),
      await handle.readFile('hex'),
      await api.readFile(join(at, 'file'), 'hex'),
      await handle.read(Buffer.alloc(4), null, null, 0),
      await handle.read({ buffer: Buffer.alloc(6), offset: 2, position: 1 }),
      await handle.read(Buffer.alloc(2), { position: 2 }),
    ];
    await handle.close();
    return results;
  });
});

t.test('readFile and writeFile take handles, iterables, streams and signals', async t => {
  await agree(t, 'contents', async (api, at) => {
    const path = join(at, 'file');
    async function* pieces() {
      yield 'one ';
      yield Buffer.from('two ');
    }
    await api.writeFile(path, pieces());
    await api.appendFile(path, ['three ', 'four'] as never);
    const handle = await api.open(path, 'r+');
    const first = await handle.read(Buffer.alloc(4));
    const rest = await api.readFile(handle, 'utf8');
    await api.writeFile(handle, ' five');
    const end = await handle.readFile('utf8');
    await handle.close();
    const stream = nodeFs.createReadStream(path);
    await api.writeFile(join(at, 'copy'), stream);
    const aborted = await outcome(() => api.readFile(path, { signal: AbortSignal.abort() }));
    return [first, rest, end, await api.readFile(join(at, 'copy'), 'utf8'), aborted];
  });
});

t.test('streams over a handle', async t => {
  await agree(t, 'streams', async (api, at) => {
    const path = join(at, 'file');
    const content = 'line\n'.repeat(50_000);
    const writer = await api.open(path, 'w');
    await pipeline([content], writer.createWriteStream());
    const results: unknown[] = [writer.fd];
    const reader = await api.open(path);
    results.push((await text(reader.createReadStream())) === content, reader.fd);
    const part = await api.open(path);
    results.push(await text(part.createReadStream({ start: 3, end: 8, autoClose: false })), part.fd >= 0);
    let lines = 0;
    for await (const line of part.readLines({ start: 0, autoClose: false })) lines += Number(line === 'line');
    results.push(lines);
    let bytes = 0;
    const web = await api.open(path);
    for await (const chunk of web.readableWebStream({ type: 'bytes' })) bytes += (chunk as Uint8Array).length;
    results.push(bytes, web.fd >= 0, await outcome(async () => web.readableWebStream()));
    await web.close();
    const ended = await api.open(path);
    const webReader = ended.readableWebStream({ type: 'bytes' }).getReader();
    results.push((await webReader.read()).done, await ended.close(), (await webReader.read()).done);
    await part.close();
    return results;
  });
  const handle = await ours.open(join(folder, 'ours', 'streams', 'file'));
  const stream = handle.createReadStream();
  stream.on('error', () => {});
  await handle.close();
  await turns();
  t.ok(stream.destroyed, 'a handle that is closed ends its streams');
});

t.test('a forgotten handle is closed, with Node’s warnings', async t => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  const path = join(folder, 'forgotten');
  nodeFs.writeFileSync(path, '');
  const open = (): boolean =>
    nodeFs.readdirSync('/proc/self/fd').some(fd => {
      try {
        return nodeFs.readlinkSync(`/proc/self/fd/${fd}`) === path;
      } catch {
        return false;
      }
    });
  await (async () => {
    await ours.open(path);
  })();
  t.ok(open());
  for (let tries = 0; tries < 100 && (open() || warnings.length < 2); tries++) {
    collectGarbage();
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  process.off('warning', listen);
  t.notOk(open());
  t.match(warnings[0], /^Closing file descriptor \d+ on garbage collection$/);
  t.match(warnings[1], /^Closing a FileHandle object on garbage collection is deprecated/);
});

t.test('handles of Node’s are read and written', async t => {
  const path = join(folder, 'nodes');
  const handle = await nodeFs.promises.open(path, 'w+');
  await ours.writeFile(handle, 'by Node');
  await ours.appendFile(handle, ' itself');
  t.equal(await ours.readFile(path, 'utf8'), 'by Node itself');
  await handle.close();
  const again = await nodeFs.promises.open(path);
  t.equal(await ours.readFile(again, 'utf8'), 'by Node itself');
  await again.close();
  await t.rejects(ours.readFile({ fd: 1, getAsyncId: 5 } as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => nodeFs.createReadStream('', { fd: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
});
