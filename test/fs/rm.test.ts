/** `rm` against Node's: every option, what stands in its way, and what happens to the tree meanwhile. */
import { execFileSync } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import { checkLeaks, scratchFolder, seededRandom, turns } from '../harness.js';
import { type Any, byBoth } from './agreement.js';
import { ours, outcome } from './beside-node.js';
import { raceRemoval } from './raced-removal.js';
import { makeTree, treeOf } from './random-trees.js';

const onDisk = scratchFolder();
/** Most trees are here: a disk is slow with many small files. */
const inMemory = scratchFolder(nodeFs.existsSync('/dev/shm') ? '/dev/shm' : undefined);
let folder = onDisk;
checkLeaks();

/** Removes `name` of a folder that `prepare` has made, by both: they come to the same, and leave the same. */
async function agree(
  t: Test,
  what: string,
  prepare: (at: string) => unknown,
  remove: (api: Any, at: string) => Promise<unknown>,
): Promise<void> {
  const [theirs, mine] = await byBoth(folder, async (api, at, which) => {
    prepare(at);
    const result = await outcome(() => remove(api, at));
    return [JSON.stringify(result).replaceAll(`/${which}/`, '/'), treeOf(at)];
  });
  t.strictSame(mine, theirs, what);
}

/** Waits until nothing more goes: Node goes on with the rest of a tree after it has said that something failed. */
async function settled(): Promise<void> {
  const calling = (): boolean => process.getActiveResourcesInfo().some(kind => kind.startsWith('FSReq'));
  for (let idle = 0; idle < 3; await turns(1)) {
    idle = calling() || loop().stats().inFlight !== 0 ? 0 : idle + 1;
  }
}

t.test('random trees, whole and in part', async t => {
  const random = seededRandom(t);
  for (let i = 0; i < 8; i++) {
    folder = i % 2 === 0 ? onDisk : inMemory;
    const seed = random();
    const again = (): (() => number) => {
      let state = Math.floor(seed * 2 ** 32);
      return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
    };
    const prepare = (at: string): void => {
      nodeFs.mkdirSync(join(at, 'tree'));
      makeTree(join(at, 'tree'), again(), { special: i % 3 === 0, bytes: i % 2 === 0, links: true });
      nodeFs.writeFileSync(join(at, 'stays'), '');
    };
    await agree(t, `tree ${i}`, prepare, (api, at) => api.rm(join(at, 'tree'), { recursive: true }));
  }
});

t.test('paths and options of every kind', async t => {
  const prepare = (at: string): void => {
    nodeFs.mkdirSync(join(at, 'dir', 'inner'), { recursive: true });
    nodeFs.mkdirSync(join(at, 'empty'));
    nodeFs.writeFileSync(join(at, 'dir', 'inner', 'file'), 'x');
    nodeFs.writeFileSync(join(at, 'file'), 'x');
    nodeFs.writeFileSync(join(at, 'large'), '');
    nodeFs.truncateSync(join(at, 'large'), 5 << 20);
    nodeFs.symlinkSync('dir', join(at, 'link'));
    nodeFs.symlinkSync('missing', join(at, 'dangling'));
    nodeFs.symlinkSync('loop', join(at, 'loop'));
  };
  const names =
    'dir,dir/,dir/.,dir/inner/..,empty,file,file/,file/x,large,link,link/,dangling,loop,loop/x,missing,missing/x';
  const options: Any[] = [
    undefined,
    null,
    {},
    { recursive: true },
    { force: true },
    { recursive: true, force: true },
  ];
  for (const name of names.split(',')) {
    for (const option of options) {
      await agree(t, `${name} ${JSON.stringify(option)}`, prepare, (api, at) =>
        api.rm(join(at, name), option),
      );
    }
    await agree(t, `${name} as text`, prepare, (api, at) => api.rm(`${at}/${name}`, { recursive: true }));
  }
  const wrong: Any[] = [{ recursive: 1 }, { force: 'x' }, { maxRetries: -1 }, { retryDelay: 1.5 }, 5, 'x'];
  wrong.push(
    { retryDelay: 2 ** 31 },
    { maxRetries: 2 ** 32 },
    { maxRetries: undefined },
    { recursive: null },
  );
  for (const option of wrong) {
    await agree(t, JSON.stringify(option), prepare, (api, at) => api.rm(join(at, 'dir'), option));
  }
  const paths: ((at: string) => Any)[] = [
    at => Buffer.from(join(at, 'dir')),
    at => pathToFileURL(join(at, 'dir')),
    at => `${at}/dir\0`,
    at => `${at}/${'x'.repeat(300)}`,
    () => '',
    () => 5,
    () => null,
  ];
  for (const path of paths) {
    await agree(t, String(path), prepare, (api, at) => api.rm(path(at), { recursive: true, force: true }));
  }
});

t.test('what may not be removed', async t => {
  folder = onDisk;
  const { getuid, geteuid, seteuid } = process;
  const root = getuid?.() === 0;
  const prepare = (at: string): void => {
    nodeFs.mkdirSync(join(at, 'tree', 'closed'), { recursive: true });
    nodeFs.mkdirSync(join(at, 'tree', 'open', 'more'), { recursive: true });
    for (const name of ['closed/file', 'open/file', 'open/more/file', 'file']) {
      nodeFs.writeFileSync(join(at, 'tree', name), name);
    }
    nodeFs.chmodSync(at, 0o777);
    if (root)
      for (const name of ['', 'tree', 'tree/closed', 'tree/open', 'tree/open/more'])
        nodeFs.chownSync(join(at, name), 65534, 65534);
  };
  const modes: [name: string, mode: number][] = [
    ['tree/closed', 0o555],
    ['tree/closed', 0o300],
    ['tree/closed', 0],
    ['tree', 0o555],
    ['', 0o555],
  ];
  if (root) nodeFs.chmodSync(folder, 0o777);
  for (const [name, mode] of modes) {
    await agree(t, `${name} ${mode.toString(8)}`, prepare, async (api, at) => {
      nodeFs.chmodSync(join(at, name), mode);
      if (root) seteuid!(65534);
      try {
        const result = await outcome(() => api.rm(join(at, 'tree'), { recursive: true, force: true }));
        await settled();
        // Which of several entries it is that Node comes to first is a matter of its threads.
        const { code, errno } = (result as Any).error ?? {};
        return name === 'tree' ? { code, errno } : result;
      } finally {
        if (root) seteuid!(0);
        if (nodeFs.existsSync(join(at, name))) nodeFs.chmodSync(join(at, name), 0o755);
      }
    });
  }
  t.equal(geteuid?.(), getuid?.());
});

t.test('a mount in the tree stays as it is', async t => {
  const mounts: string[] = [];
  const prepare = (at: string): void => {
    nodeFs.mkdirSync(join(at, 'tree', 'mount'), { recursive: true });
    nodeFs.writeFileSync(join(at, 'tree', 'file'), '');
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'none', join(at, 'tree', 'mount')], { stdio: 'ignore' });
      mounts.push(join(at, 'tree', 'mount'));
    } catch {
      t.comment('mounting is not permitted here');
    }
    nodeFs.writeFileSync(join(at, 'tree', 'mount', 'inside'), '');
  };
  const options = { recursive: true, maxRetries: 2, retryDelay: 1 };
  try {
    await agree(t, 'mount', prepare, (api, at) => api.rm(join(at, 'tree'), options));
  } finally {
    for (const mount of mounts) execFileSync('umount', [mount]);
  }
});

for (const inline of [true, 'random'] as const) {
  t.test(`a directory that is replaced by a link to another leads nowhere, inline: ${inline}`, async t => {
    loop().close();
    loop({ inline });
    const at = join(inMemory, `${inline}`);
    const { files, left, removed, codes } = await raceRemoval(at, ours.rm);
    t.equal(left, files);
    for (const code of codes) t.match(code, /^(ENOTEMPTY|ENOTDIR|ELOOP|EEXIST)$/);
    t.comment(`${removed} were done`);
    t.notOk(nodeFs.existsSync(join(at, 'raced')));
    loop().close();
  });
}

t.test('more files than are listed at once', async t => {
  const at = join(folder, 'many');
  nodeFs.mkdirSync(at);
  for (let i = 0; i < 600; i++) nodeFs.writeFileSync(join(at, `a name of some length, number ${i}`), '');
  await ours.rm(at, { recursive: true });
  t.notOk(nodeFs.existsSync(at));
});

t.test('two at a tree, and a loop that closes meanwhile', async t => {
  const at = join(folder, 'twice');
  const make = (): void => {
    for (let i = 0; i < 100; i++) {
      nodeFs.mkdirSync(join(at, `${i % 7}`, `${i}`), { recursive: true });
      nodeFs.writeFileSync(join(at, `${i % 7}`, `${i}`, 'file'), 'x');
    }
  };
  make();
  await Promise.all([1, 2, 3].map(() => ours.rm(at, { recursive: true, force: true })));
  t.notOk(nodeFs.existsSync(at));
  make();
  const removing = Array.from({ length: 5 }, () =>
    outcome(() => ours.rm(at, { recursive: true, force: true })),
  );
  await new Promise(resolve => setImmediate(resolve));
  loop().close();
  for (const result of (await Promise.all(removing)) as Any[]) {
    if (result.error !== undefined) t.match(result.error.code, /^(ERR_CLOSED|ENOTEMPTY)$/);
  }
  await ours.rm(at, { recursive: true, force: true });
  t.notOk(nodeFs.existsSync(at));
});

t.test('trees that are deeper than a path can say', async t => {
  // Node cannot: by plain calls only.
  loop().close();
  loop({ inline: true });
  const at = join(folder, 'deep');
  const cwd = process.cwd();
  nodeFs.mkdirSync(at);
  process.chdir(at);
  const name = 'directory '.repeat(5);
  for (let i = 0; i < 120; i++) {
    nodeFs.mkdirSync(name);
    nodeFs.writeFileSync('file', '');
    process.chdir(name);
  }
  process.chdir(cwd);
  await ours.rm(at, { recursive: true });
  t.notOk(nodeFs.existsSync(at));
});

t.test('a directory in the place of the file that was to be removed stays', async t => {
  loop().close();
  const { inline } = loop({ inline: true }) as unknown as {
    inline: { take(bytes: number, calls: number): void };
  };
  const at = join(folder, 'replaced');
  nodeFs.writeFileSync(at, '');
  // It is looked at, but there is no budget left to remove it in this turn of the loop.
  await new Promise(resolve => setImmediate(resolve));
  inline.take(0, 511);
  const removing = outcome(() => ours.rm(at));
  nodeFs.unlinkSync(at);
  nodeFs.mkdirSync(at);
  nodeFs.writeFileSync(join(at, 'inside'), '');
  t.match(await removing, { error: { code: 'EISDIR' } });
  t.strictSame(nodeFs.readdirSync(at), ['inside']);
});
