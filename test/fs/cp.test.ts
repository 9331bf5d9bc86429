/** `cp` of trees against Node's: every option, what is in the way, and what fails. */
import { execFile } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import { NR_FCHMOD } from '../../src/sys/abi/syscall-numbers.js';
import { checkLeaks, makeFifo, scratchFolder, seededRandom } from '../harness.js';
import { built, PLAIN_NODE } from '../programs.js';
import { type Any, byBoth } from './agreement.js';
import { node, ours, outcome } from './beside-node.js';
import { duplicateTree, makeTree, treeOf } from './random-trees.js';

const onDisk = scratchFolder();
/** Most trees are here: a disk is slow with many small files. */
const inMemory = scratchFolder(nodeFs.existsSync('/dev/shm') ? '/dev/shm' : undefined);
const EIO = 5;
let folder = onDisk;
checkLeaks();

/** Copies `source` by both, each to a place that `prepare` has made; they come to the same, and leave the same. */
async function agree(
  t: Test,
  what: string,
  source: Any,
  options: Any,
  prepare: (at: string) => unknown = () => {},
  dest = 'copy',
): Promise<void> {
  const [theirs, mine] = await byBoth(folder, async (api, at, which) => {
    prepare(at);
    const asked: string[] = [];
    const filter = options?.filter?.(asked);
    const given = filter === undefined ? options : { ...options, filter };
    const result = await outcome(() => api.cp(source, join(at, dest), given));
    const left = treeOf(at, options?.preserveTimestamps === true);
    return JSON.stringify([result, asked, left], null, 1).replaceAll(`/${which}/`, '/');
  });
  t.equal(mine, theirs, what);
}

/** Wants most of what it is asked about, sometimes later, and notes the questions. */
function some(asked: string[]): (from: string, to: string) => Any {
  return (from, to) => {
    asked.push(`${from} ${to}`);
    const wanted = asked.length % 7 !== 3;
    return asked.length % 2 === 0 ? Promise.resolve(wanted) : wanted;
  };
}

const OPTIONS: Any[] = [
  { recursive: true },
  { recursive: true, filter: some },
  { recursive: true, verbatimSymlinks: true },
  { recursive: true, preserveTimestamps: true },
  { recursive: true, preserveTimestamps: true, filter: some },
  { recursive: true, dereference: true },
  { recursive: true, force: false },
  { recursive: true, force: false, errorOnExist: true },
  { recursive: true, mode: nodeFs.constants.COPYFILE_EXCL },
  { recursive: true, mode: nodeFs.constants.COPYFILE_FICLONE },
];

t.test('random trees, with every option: to a new place, over itself, over another tree', async t => {
  const random = seededRandom(t);
  for (let i = 0; i < 5; i++) {
    folder = i === 1 ? onDisk : inMemory;
    const [source, other] = [join(folder, `source-${i}`), join(folder, `other-${i}`)];
    for (const at of [source, other]) {
      nodeFs.mkdirSync(at, { mode: i % 2 === 0 ? 0o755 : 0o700 });
      makeTree(at, random, { links: i % 3 !== 0, special: i % 3 === 1, bytes: i % 3 === 2 });
      // Names of both, of a kind or not.
      nodeFs.writeFileSync(join(at, 'same'), at);
      if (at === source) nodeFs.mkdirSync(join(at, 'mixed'));
      else if (i % 2 === 0) nodeFs.writeFileSync(join(at, 'mixed'), '');
    }
    nodeFs.utimesSync(join(source, 'same'), 1.5, 1600000000.123456);
    for (const [which, options] of OPTIONS.entries()) {
      // Links that lead up would be followed into the copy itself.
      if (options.dereference && i % 3 !== 0) continue;
      if (which % 2 !== i % 2 && i > 1) continue;
      const name = `${i} ${JSON.stringify(options)}`;
      await agree(t, name, source, options);
      const over = (from: string) => (at: string) => duplicateTree(from, join(at, 'copy'));
      if (i % 3 === 1 || (which + i) % 3 === 0) continue;
      await agree(t, `${name} over itself`, source, options, over(source));
      await agree(t, `${name} over another`, source, options, over(other));
    }
  }
});

function small(at: string): void {
  nodeFs.mkdirSync(join(at, 'inner', 'most'), { recursive: true });
  nodeFs.writeFileSync(join(at, 'inner', 'file'), 'text');
  nodeFs.writeFileSync(join(at, 'empty'), '');
  nodeFs.writeFileSync(join(at, 'large'), Buffer.alloc(300_000, 'x'), { mode: 0o4755 });
  nodeFs.symlinkSync('inner/file', join(at, 'link'));
  nodeFs.symlinkSync('inner', join(at, 'to inner'));
  nodeFs.symlinkSync('missing', join(at, 'dangling'));
}

t.test('paths and options of every kind', async t => {
  folder = onDisk;
  const source = join(folder, 'small');
  nodeFs.mkdirSync(source);
  small(source);
  const wrong: Any[] = [undefined, null, {}, 5, { recursive: 1 }, { recursive: true, force: 1 }];
  wrong.push(
    { recursive: true, mode: 8 },
    { recursive: true, mode: 'x' },
    { recursive: true, force: undefined },
  );
  wrong.push(
    { recursive: true, dereference: true, verbatimSymlinks: true },
    { recursive: true, filter: () => 5 },
  );
  for (const options of wrong) await agree(t, JSON.stringify(options) ?? 'none', source, options);
  const recursive = { recursive: true };
  const sources: Any[] = [
    `${source}/`,
    `${source}/.`,
    join(source, 'to inner'),
    `${source}/to inner/`,
    5,
    '',
  ];
  sources.push(Buffer.from(source), pathToFileURL(source), join(source, 'empty'), join(source, 'missing'));
  for (const from of sources) {
    await agree(t, String(from), from, recursive);
    await agree(t, `${String(from)} dereferenced`, from, { recursive: true, dereference: true });
  }
  for (const dest of ['a/b/c', 'copy/', './copy', 'x/../copy']) {
    await agree(t, dest, source, recursive, () => {}, dest);
  }
  const file = (at: string): void => nodeFs.writeFileSync(join(at, 'copy'), '');
  const link = (at: string): void => nodeFs.symlinkSync('elsewhere', join(at, 'copy'));
  for (const prepare of [file, link]) await agree(t, prepare.name, source, recursive, prepare);
  await agree(t, 'a file above', source, recursive, file, 'copy/below');
  for (const to of [
    source,
    join(source, 'inner'),
    join(source, 'inner', 'new'),
    join(source, 'to inner', 'new'),
  ]) {
    const result = (api: Any): Promise<Any> => outcome(() => api.cp(source, to, recursive));
    t.strictSame(await result(ours), await result(node), to);
  }
  const failing = (error: unknown) => () => () => {
    throw error;
  };
  await agree(t, 'a filter that throws', source, { recursive: true, filter: failing(new Error('no')) });
  const none = (asked: string[]) => (from: string) => void asked.push(from);
  await agree(t, 'a filter that wants nothing', source, { recursive: true, filter: none });
});

t.test('what may not be read or written', async t => {
  const { getuid, seteuid } = process;
  const root = getuid?.() === 0;
  const source = join(folder, 'guarded');
  nodeFs.mkdirSync(source);
  small(source);
  makeFifo(source, 'fifo');
  nodeFs.chmodSync(folder, 0o777);
  for (const name of ['node', 'ours']) nodeFs.chmodSync(join(folder, name), 0o777);
  const options = {
    recursive: true,
    filter: (asked: string[]) => (from: string) => asked.push(from) > 0 && !from.endsWith('fifo'),
  };
  await agree(t, 'with the FIFO', source, { recursive: true });
  nodeFs.unlinkSync(join(source, 'fifo'));
  if (root) seteuid!(65534);
  try {
    await agree(t, 'others', source, options);
    for (const [name, mode] of [
      ['inner/file', 0],
      ['inner', 0o300],
      ['inner', 0],
      ['inner', 0o555],
      ['', 0o555],
    ] as const) {
      if (root) seteuid!(0);
      const before = nodeFs.statSync(join(source, name)).mode;
      nodeFs.chmodSync(join(source, name), mode);
      if (root) seteuid!(65534);
      await agree(t, `${name} ${mode.toString(8)}`, source, options);
      if (root) seteuid!(0);
      nodeFs.chmodSync(join(source, name), before);
    }
  } finally {
    if (root) seteuid!(0);
  }
  const hard = (at: string): void => {
    nodeFs.mkdirSync(join(at, 'copy', 'inner'), { recursive: true });
    nodeFs.linkSync(join(source, 'inner', 'file'), join(at, 'copy', 'inner', 'file'));
  };
  await agree(t, 'over itself, by another name', source, { recursive: true }, hard);
});

t.test('deep trees, many files, and a loop that closes meanwhile', async t => {
  folder = inMemory;
  const source = join(folder, 'large');
  nodeFs.mkdirSync(join(source, ...Array(220).fill('d')), { recursive: true });
  for (let i = 0; i < 150; i++) nodeFs.writeFileSync(join(source, 'd', `file ${i}`), `${i}`);
  await agree(t, 'large', source, { recursive: true });
  const copies = Array.from({ length: 3 }, (_, i) =>
    outcome(() => ours.cp(source, join(folder, `closed-${i}`), { recursive: true })),
  );
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
  loop().close();
  for (const result of (await Promise.all(copies)) as Any[]) {
    if (result.error !== undefined) t.equal(result.error.code, 'ERR_CLOSED');
  }
  t.strictSame(Object.keys(treeOf(source)).length, 370);
});

t.test('a large copy does not hold up the loop', async t => {
  const source = join(folder, 'large');
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  await Promise.all([1, 2].map(i => ours.cp(source, join(folder, `beside-${i}`), { recursive: true })));
  clearInterval(count);
  t.ok(turns > 10, `${turns} turns`);
});

t.test('a folder whose mode cannot be set is an error: others could enter the copy', async t => {
  const from = join(onDisk, 'private');
  nodeFs.mkdirSync(join(from, 'inner'), { recursive: true });
  nodeFs.chmodSync(join(from, 'inner'), 0o700);
  const to = join(onDisk, 'not-private');
  nodeFs.mkdirSync(to);
  const [program, ...args] = PLAIN_NODE;
  const deny = [built('test/fixtures/deny-io-uring.js'), `${EIO}:${NR_FCHMOD}`];
  const copy = [built('test/fixtures/copies-folders.js'), from, to];
  const { stdout } = await promisify(execFile)(program!, [...args, ...deny, ...copy]);
  const inner = join(to, 'inner');
  const result = JSON.parse(stdout);
  // Node, which has another call for it, copies what plain calls leave.
  if (result === 'copied') t.equal(nodeFs.statSync(inner).mode & 0o777, 0o700);
  else t.strictSame(result, { code: 'EIO', syscall: 'chmod', path: inner });
});
