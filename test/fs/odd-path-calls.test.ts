/**
 * Calls on paths that are odd, but not always wrong, with every option: what they come to, and what they leave
 * behind, is what Node's come to.
 */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { checkLeaks, scratchFolder } from '../harness.js';
import {
  type Any,
  agreement,
  contentOf,
  errorOf,
  makeFile,
  type Scenario,
  shown,
  withHandle,
} from './agreement.js';
import { ours } from './beside-node.js';

const agree = agreement(scratchFolder());
checkLeaks();

const nodeMajor = Number.parseInt(process.versions.node, 10);

function bytes(at: string): void {
  nodeFs.writeFileSync(join(at, 'file'), Buffer.from([0x61, 0xe9, 0xff, 0x80, 0, 0x62]));
}

function tree(at: string): void {
  makeFile(at);
  nodeFs.mkdirSync(join(at, 'tree', 'a', 'b'), { recursive: true });
  nodeFs.mkdirSync(join(at, 'empty'));
  for (const name of ['x', 'a/y.js', 'a/b/z.js']) nodeFs.writeFileSync(join(at, 'tree', name), name);
  nodeFs.symlinkSync('../x', join(at, 'tree', 'a', 'link'));
}

t.test('stat and lstat: every option', async t => {
  const options = [undefined, null, {}, { bigint: true }, { bigint: 1 }, { throwIfNoEntry: false }, 5, 'x'];
  for (const call of ['stat', 'lstat']) {
    for (const option of options) {
      for (const name of ['file', 'missing', 'file/x']) {
        await agree(t, `${call} ${name} ${shown(option)}`, async (api, at) => {
          const stats = await api[call](join(at, name), option);
          return stats && typeof stats.size;
        });
      }
    }
  }
  for (const option of [undefined, null, {}, { bigint: true }, 5]) {
    const scenario = withHandle(async handle => typeof (await handle.stat(option)).size);
    await agree(t, `handle.stat ${shown(option)}`, scenario);
  }
});

t.test('every mode', async t => {
  const modes = [0, 0o777, 0o4755, 0o10000, '755', '0o755', '8', '', null, undefined, -1, 2 ** 32, 1.5];
  const calls: Record<string, (api: Any, at: string, mode: unknown) => unknown> = {
    open: async (api, at, mode) => (await api.open(join(at, 'made'), 'w', mode)).close(),
    writeFile: (api, at, mode) => api.writeFile(join(at, 'made'), 'x', { mode }),
    mkdir: (api, at, mode) => api.mkdir(join(at, 'made'), mode),
    'mkdir options': (api, at, mode) => api.mkdir(join(at, 'made'), { mode }),
    'mkdir recursive': (api, at, mode) => api.mkdir(join(at, 'made', 'more'), { mode, recursive: true }),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const mode of [...modes, Number.NaN, {}, true]) {
      await agree(t, `${name} ${shown(mode)}`, async (api, at) => {
        await call(api, at, mode);
        return nodeFs.statSync(join(at, 'made')).mode;
      });
    }
  }
});

t.test('every encoding', async t => {
  const names =
    'utf8 utf-8 UTF8 ucs2 utf16le latin1 binary ascii base64 base64url hex buffer Buffer no'.split(' ');
  const text = 'aé4f00==';
  for (const encoding of [...names, '', null, undefined, 0, 5, true, {}, []] as Any[]) {
    const calls: Record<string, Scenario> = {
      readFile: (api, at) => api.readFile(join(at, 'file'), encoding),
      'readFile options': (api, at) => api.readFile(join(at, 'file'), { encoding }),
      'handle.readFile': withHandle(handle => handle.readFile(encoding)),
      writeFile: (api, at) => api.writeFile(join(at, 'file'), text, encoding).then(() => contentOf(at)),
      pieces: (api, at) =>
        api.writeFile(join(at, 'file'), ['aé', '4f00=='], { encoding }).then(() => contentOf(at)),
      appendFile: (api, at) => api.appendFile(join(at, 'file'), text, { encoding }).then(() => contentOf(at)),
      'handle.writeFile': withHandle((handle, _, at) =>
        handle.writeFile(text, encoding).then(() => contentOf(at)),
      ),
      readdir: (api, at) => api.readdir(at, encoding),
    };
    for (const [name, call] of Object.entries(calls))
      await agree(t, `${name} ${shown(encoding)}`, call, bytes);
  }
});

t.test('signals that are aborted, and what is none', async t => {
  const signals = {
    plain: AbortSignal.abort(),
    'with an error': AbortSignal.abort(new Error('why')),
    'with a text': AbortSignal.abort('why'),
    ...Object.fromEntries([null, {}, 5, 'x', { aborted: true }, { aborted: false }].map(x => [shown(x), x])),
  };
  for (const [what, signal] of Object.entries(signals)) {
    const calls: Record<string, Scenario> = {
      readFile: (api, at) => api.readFile(join(at, 'file'), { signal }),
      'readFile of nothing': (api, at) => api.readFile(join(at, 'missing'), { signal }),
      'readFile of a number': api => api.readFile(5, { signal }),
      writeFile: (api, at) => api.writeFile(join(at, 'file'), 'zz', { signal }),
      'writeFile of pieces': (api, at) => api.writeFile(join(at, 'file'), ['a', 'b'], { signal }),
      appendFile: (api, at) => api.appendFile(join(at, 'file'), 'zz', { signal }),
      'handle.readFile': withHandle(handle => handle.readFile({ signal })),
      'handle.writeFile': withHandle(handle => handle.writeFile('x', { signal })),
      'readFile of a handle': withHandle((handle, api) => api.readFile(handle, { signal })),
      'writeFile of a handle': withHandle((handle, api) => api.writeFile(handle, 'x', { signal })),
    };
    for (const [name, call] of Object.entries(calls)) {
      const scenario: Scenario = async (api, at) => {
        const result = await Promise.resolve(call(api, at)).catch(errorOf);
        return [result, contentOf(at)];
      };
      await agree(t, `${name}, ${what}`, scenario);
    }
  }
});

t.test('what is written: iterables, streams, views, and what is none of them', async t => {
  async function* pieces(): AsyncGenerator<unknown> {
    yield 'one';
    yield Buffer.from('two');
    yield new Uint16Array([65, 66]);
  }
  async function* wrong(): AsyncGenerator<unknown> {
    yield 'one';
    yield 5;
  }
  // biome-ignore lint/correctness/useYield: it fails first.
  async function* failing(): AsyncGenerator<unknown> {
    throw new Error('failing');
  }
  const contents: Record<string, () => unknown> = {
    ...{ pieces, wrong, failing, array: () => ['a', 'b'], empty: () => [], set: () => new Set(['x']) },
    ...{ readable: () => Readable.from(['p', 'q']), web: () => new Blob(['xyz']).stream() },
    ...{ objects: () => [{}], nulls: () => [null], boxed: () => new String('boxed'), map: () => new Map() },
    ...{ memory: () => new ArrayBuffer(4), view: () => new DataView(new ArrayBuffer(4)), number: () => 5 },
    ...{ object: () => ({}), null: () => null, nothing: () => undefined, blob: () => new Blob(['x']) },
    ...{ 'no text': () => '', 'no bytes': () => Buffer.alloc(0), words: () => new Float64Array([1]) },
  };
  for (const [what, make] of Object.entries(contents)) {
    for (const name of ['writeFile', 'appendFile']) {
      await agree(t, `${name}: ${what}`, async (api, at) => [
        await api[name](join(at, 'file'), make()).catch(errorOf),
        contentOf(at),
      ]);
      const scenario = withHandle(async (handle, _, at) => [
        await handle[name](make()).catch(errorOf),
        contentOf(at),
      ]);
      await agree(t, `handle.${name}: ${what}`, scenario);
    }
  }
});

t.test('a detached buffer is not an empty one', async t => {
  const at = join(scratchFolder(), 'kept');
  nodeFs.writeFileSync(at, 'kept');
  const detached = Buffer.alloc(4);
  structuredClone(detached, { transfer: [detached.buffer] });
  const handle = await ours.open(at, 'r+');
  for (const call of [
    () => ours.writeFile(at, detached),
    () => ours.appendFile(at, detached),
    () => handle.writeFile(detached),
    () => handle.appendFile(detached),
  ]) {
    await t.rejects(call(), { code: 'ERR_INVALID_STATE' }, String(call));
    t.equal(nodeFs.readFileSync(at, 'latin1'), 'kept');
  }
  await handle.close();
});

t.test('paths of every kind', async t => {
  const kinds: Record<string, (at: string) => unknown> = {
    bytes: at => Buffer.from(at),
    url: at => pathToFileURL(at),
    'url of another realm': at => {
      const { href, protocol, pathname, hostname, host } = pathToFileURL(at);
      return { href, protocol, pathname, hostname, host };
    },
    'with a slash': at => `${at}/`,
    'with dots': at => `${at}/./../${at.split('/').pop()}`,
    relative: at => `${'../'.repeat(20)}${nodeFs.realpathSync(at).slice(1)}`,
  };
  const calls: Record<string, (api: Any, path: unknown) => unknown> = {
    ...{ readdir: (api, path) => api.readdir(path), access: (api, path) => api.access(path) },
    ...{ mkdir: (api, path) => api.mkdir(path), rmdir: (api, path) => api.rmdir(path) },
    ...{ readFile: (api, path) => api.readFile(path), writeFile: (api, path) => api.writeFile(path, 'x') },
    ...{ unlink: (api, path) => api.unlink(path), truncate: (api, path) => api.truncate(path) },
    ...{ rename: (api, path) => api.rename(path, path), link: (api, path) => api.link(path, path) },
    ...{ symlink: (api, path) => api.symlink(path, path), open: (api, path) => api.open(path, 'w') },
    stat: async (api, path) => (await api.stat(path)).isDirectory(),
    lstat: async (api, path) => (await api.lstat(path, { bigint: true })).isDirectory(),
    mkdtemp: async (api, path) => String(await api.mkdtemp(path)).length,
    statfs: async (api, path) => (await api.statfs(path)).bsize,
  };
  for (const [what, make] of Object.entries(kinds)) {
    for (const [name, call] of Object.entries(calls)) {
      await agree(t, `${name}: ${what}`, (api, at) => call(api, make(at)));
    }
  }
  const urls = [
    'file:///tmp/%ff',
    'file:///tmp/a%2Fb',
    'file://host/x',
    'http://x/y',
    'data:,x',
    'file:///no%20',
  ];
  const odd = [
    { toString: () => '/tmp' },
    new String('/tmp'),
    new Date(0),
    Buffer.alloc(0),
    new DataView(new ArrayBuffer(4)),
  ];
  for (const path of [...urls.map(url => new URL(url)), ...odd, Buffer.from([0xff, 0xfe])]) {
    for (const name of ['stat', 'readFile', 'open', 'readdir', 'unlink', 'rename']) {
      await agree(t, `${name}: ${shown(String(path))}`, api =>
        api[name](path, name === 'rename' ? 'x' : undefined),
      );
    }
  }
});

t.test('trees: read, found, copied, made and removed, with every option', async t => {
  const entry = (found: Any): unknown =>
    typeof found === 'string' || Buffer.isBuffer(found)
      ? found
      : [String(found.name), String(found.parentPath), found.isFile(), found.isSymbolicLink()];
  const sorted = (list: Any[]): unknown[] => list.map(entry).map(shown).sort();
  const left = (at: string): unknown => nodeFs.readdirSync(at, { recursive: true }).sort();
  const types = [{ withFileTypes: true }, { withFileTypes: true, recursive: true }, { recursive: true }];
  for (const options of [undefined, {}, ...types, { encoding: 'buffer' }, 'hex', null]) {
    const scenario: Scenario = async (api, at) => sorted(await api.readdir(join(at, 'tree'), options));
    await agree(t, `readdir ${shown(options)}`, scenario, tree);
  }
  for (const options of [undefined, { bufferSize: 1 }, { recursive: true, bufferSize: 2 }, 'buffer', null]) {
    const scenario: Scenario = async (api, at) => {
      const entries: unknown[] = [];
      for await (const found of await api.opendir(join(at, 'tree'), options)) entries.push(found);
      return sorted(entries);
    };
    await agree(t, `opendir ${shown(options)}`, scenario, tree);
  }
  const patterns: unknown[][] = [
    ['**/*.js'],
    ['**', { exclude: () => false }],
    [['*', 'a/*']],
    [5],
    ['*', { cwd: 5 }],
  ];
  for (const [pattern, options = {}] of nodeMajor < 22 ? [] : patterns) {
    const scenario: Scenario = async (api, at) => {
      const found: unknown[] = [];
      for await (const path of api.glob(pattern, { cwd: join(at, 'tree'), ...(options as object) }))
        found.push(path);
      return sorted(found);
    };
    await agree(t, `glob ${shown(pattern)}`, scenario, tree);
  }
  const filter = (source: string): boolean => !source.endsWith('y.js');
  const copies = [
    undefined,
    { recursive: true },
    { recursive: true, dereference: true },
    { filter: 5 },
    null,
  ];
  for (const options of [
    ...copies,
    { recursive: true, filter },
    { recursive: true, verbatimSymlinks: true },
  ]) {
    const scenario: Scenario = async (api, at) => {
      await api.cp(join(at, 'tree'), join(at, 'copy'), options);
      return left(at);
    };
    await agree(t, `cp ${shown(options)}`, scenario, tree);
  }
  for (const call of ['rm', 'rmdir']) {
    for (const options of [
      undefined,
      {},
      { recursive: false },
      { force: true },
      { maxRetries: -1 },
      null,
      5,
    ]) {
      for (const name of ['tree', 'tree/x', 'empty', 'missing']) {
        const scenario: Scenario = async (api, at) => [await api[call](join(at, name), options), left(at)];
        await agree(t, `${call} ${name} ${shown(options)}`, scenario, tree);
      }
    }
  }
  for (const options of [
    undefined,
    null,
    {},
    { recursive: true },
    { recursive: null },
    { mode: null },
    true,
    [],
  ]) {
    for (const name of ['new', 'tree', 'tree/x', 'n/e/w', 'tree/x/y']) {
      const scenario: Scenario = async (api, at) => [await api.mkdir(join(at, name), options), left(at)];
      await agree(t, `mkdir ${name} ${shown(options)}`, scenario, tree);
    }
  }
});
