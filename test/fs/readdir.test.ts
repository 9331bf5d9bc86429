/** What `readdir` lists, against Node's: every option, whatever is in the tree. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import { checkLeaks, makeFifo, openFds, scratchFolder, seededRandom } from '../harness.js';
import type { Any } from './agreement.js';
import { node, ours, outcome } from './beside-node.js';
import { makeTree } from './random-trees.js';

const folder = scratchFolder();
checkLeaks();

const AS_USER = process.getuid?.() !== 0;

async function agree(t: Test, name: string, path: Any, ...options: Any[]): Promise<void> {
  const call = (api: Any) => outcome(() => api.readdir(path, ...options));
  const [mine, theirs] = [await call(ours), await call(node)];
  t.strictSame(mine, theirs, name);
  // As well as what they are: Dirents say it by methods.
  const kinds = (result: Any): unknown =>
    Array.isArray(result.value) &&
    result.value.map(
      (entry: Any) => entry?.isFile && [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()],
    );
  t.strictSame(kinds(mine), kinds(theirs), `${name}: kinds`);
}

const OPTIONS: Any[] = [
  undefined,
  null,
  {},
  { withFileTypes: true },
  { recursive: true },
  { recursive: true, withFileTypes: true },
  { recursive: true, encoding: 'utf-8' },
  { recursive: true, encoding: 'latin1' },
  { recursive: true, encoding: 'buffer' },
  { encoding: 'buffer' },
  { encoding: 'hex', withFileTypes: true },
  { recursive: 1, withFileTypes: 'yes', encoding: null },
  'utf8',
  'buffer',
  'no',
  5,
  { signal: AbortSignal.abort() },
  { signal: 5 },
];

t.test('random trees, with every option', async t => {
  const random = seededRandom(t);
  for (let i = 0; i < 8; i++) {
    const at = join(folder, `random-${i}`);
    nodeFs.mkdirSync(at);
    makeTree(at, random, { special: i % 4 === 1, bytes: i % 4 === 2 });
    nodeFs.writeFileSync(join(at, 'one'), '');
    nodeFs.mkdirSync(join(at, 'two', 'three'), { recursive: true });
    nodeFs.symlinkSync('two', join(at, 'to two'));
    nodeFs.symlinkSync('one', join(at, 'link'));
    nodeFs.symlinkSync('missing', join(at, 'dangling'));
    nodeFs.symlinkSync('self', join(at, 'self'));
    for (const options of OPTIONS) await agree(t, JSON.stringify(options) ?? 'no options', at, options);
  }
});

t.test('a link that leads up is followed as far as the kernel does', async t => {
  const at = join(folder, 'loop');
  nodeFs.mkdirSync(join(at, 'inner'), { recursive: true });
  nodeFs.writeFileSync(join(at, 'inner', 'file'), '');
  nodeFs.symlinkSync('..', join(at, 'inner', 'up'));
  for (const withFileTypes of [false, true]) {
    // At the last of its 40 links the kernel counts some twice when it has to begin again.
    const result = async (api: Any): Promise<string[]> => {
      const found = await api.readdir(at, { recursive: true, withFileTypes });
      const paths: string[] = found.map((entry: Any) =>
        entry.isFile ? `${entry.parentPath}/${entry.name}` : entry,
      );
      return paths.filter(path => path.split('/up').length < 30);
    };
    t.strictSame(await result(ours), await result(node));
  }
});

t.test('paths of every kind', async t => {
  const at = join(folder, 'paths');
  nodeFs.mkdirSync(join(at, 'a', 'b'), { recursive: true });
  nodeFs.writeFileSync(join(at, 'a', 'file'), '');
  nodeFs.symlinkSync('a/b', join(at, 'link'));
  const paths = [
    '',
    '/',
    '/..',
    '//',
    '/./',
    '/a/',
    '/a/..',
    '/link',
    '/link/',
    '/link/..',
    '/a/file',
    '/a/file/',
  ];
  const odd = [Buffer.from(at), pathToFileURL(at), 5, null, {}, '', `${at}\0`, `${at}/${'x'.repeat(300)}`];
  // Of the kernel's own, one that stays as it is: threads come and go.
  const missing = [`${at}/missing`, `${at}/${'x/'.repeat(2500)}`, '/proc/self/ns', '/dev/null'];
  for (const path of [...paths.map(path => at + path), ...odd, ...missing]) {
    await agree(t, `${path}`, path);
    await agree(t, `${path} with types`, path, { withFileTypes: true });
    await agree(t, `${path} recursive`, path, { recursive: true });
    await agree(t, `${path}, all`, path, { recursive: true, withFileTypes: true });
  }
  const cwd = process.cwd();
  process.chdir(join(at, 'a'));
  try {
    for (const path of ['.', './', '..', '../a', 'b', '']) {
      await agree(t, path, path);
      await agree(t, path, path, { withFileTypes: true });
      await agree(t, path, path, { recursive: true });
      await agree(t, path, path, { recursive: true, withFileTypes: true });
    }
  } finally {
    process.chdir(cwd);
  }
});

t.test('large directories, deep ones, and those that may not be read', async t => {
  const at = join(folder, 'odd');
  nodeFs.mkdirSync(join(at, 'large'), { recursive: true });
  for (let i = 0; i < 3000; i++) nodeFs.writeFileSync(join(at, 'large', `file ${i % 7} ${i}`), '');
  nodeFs.mkdirSync(join(at, 'deep', ...Array(150).fill('x')), { recursive: true });
  makeFifo(at, 'fifo');
  for (const options of OPTIONS.slice(0, 6)) await agree(t, JSON.stringify(options) ?? '', at, options);
  await agree(t, 'large', join(at, 'large'));
  nodeFs.mkdirSync(join(at, 'deep', 'closed'));
  nodeFs.chmodSync(join(at, 'deep', 'closed'), 0);
  for (const options of OPTIONS.slice(0, 6)) await agree(t, `closed ${JSON.stringify(options)}`, at, options);
  if (!AS_USER) t.comment('root reads everything');
});

t.test('no descriptor stays open, and nothing is left of a loop that closes meanwhile', async t => {
  const at = join(folder, 'odd');
  // An ordinary user may not look into it.
  nodeFs.chmodSync(join(at, 'deep', 'closed'), 0o755);
  const before = openFds();
  for (let i = 0; i < 50; i++) await ours.readdir(join(at, 'deep'), { recursive: true });
  t.equal(openFds(), before);
  const reading = Array.from({ length: 20 }, () =>
    outcome(() => ours.readdir(join(at, 'deep'), { recursive: true })),
  );
  loop().close();
  for (const result of (await Promise.all(reading)) as Any[]) {
    if (result.error !== undefined) t.equal(result.error.code, 'ERR_CLOSED');
    else t.ok(result.value.length > 100);
  }
});

t.test('a large tree does not hold up the loop', async t => {
  const at = join(folder, 'wide');
  for (let i = 0; i < 300; i++) nodeFs.mkdirSync(join(at, `${i % 10}`, `${i}`), { recursive: true });
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  for (let i = 0; i < 5; i++)
    await Promise.all(Array.from({ length: 10 }, () => ours.readdir(at, { recursive: true })));
  clearInterval(count);
  t.ok(turns > 5, `${turns} turns`);
});
