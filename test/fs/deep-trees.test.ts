/** Trees that are deeper than a process has descriptors. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { rm } from 'uasync/fs';
import { DirectoryCalls, replaceDirectoryCalls } from '../../src/sys/calls/directory-calls.js';
import { checkLeaks, openFds, scratchFolder } from '../harness.js';

const DEPTH = 60;
/** Those of a deep tree, of the directory in turn, and of an entry that is looked at. */
const FDS_MAX = 30;

const folder = scratchFolder();
checkLeaks();

/** Counts descriptors, and lets a test change the tree when a directory is opened. */
class Watched extends DirectoryCalls {
  most = 0;
  opened: (() => void) | undefined;

  override openDirectory(directory: number, name: number): number {
    const fd = super.openDirectory(directory, name);
    this.most = Math.max(this.most, openFds());
    this.opened?.();
    return fd;
  }

  override openDirectoryWaiting(directory: number, name: number): number {
    const fd = super.openDirectoryWaiting(directory, name);
    this.most = Math.max(this.most, openFds());
    return fd;
  }
}

function watched(): Watched {
  const calls = new Watched();
  replaceDirectoryCalls(calls);
  return calls;
}

/** A chain of directories, each with a file before and behind the next one; returns their paths. */
function makeDeep(name: string): string[] {
  const paths = [join(folder, name)];
  for (let i = 0; i < DEPTH; i++) paths.push(join(paths[i]!, 'd'));
  nodeFs.mkdirSync(paths[DEPTH]!, { recursive: true });
  for (const path of paths) for (const file of ['a', 'z']) nodeFs.writeFileSync(join(path, file), '');
  return paths;
}

t.test('rm of a deep tree holds few descriptors', async t => {
  const [path] = makeDeep('deep');
  const calls = watched();
  const before = openFds();
  await rm(path!, { recursive: true });
  t.notOk(nodeFs.existsSync(path!));
  t.ok(calls.most > before && calls.most - before <= FDS_MAX, `${calls.most - before} descriptors`);
});

t.test('what cannot be removed far below is left, and the rest is gone', async t => {
  const paths = makeDeep('kept');
  const locked = [paths[30]!, paths[45]!, paths[60]!].map(path => join(path, 'locked'));
  for (const path of locked) {
    nodeFs.mkdirSync(path);
    nodeFs.writeFileSync(join(path, 'file'), '');
    nodeFs.chmodSync(path, 0o500);
  }
  const { getuid, seteuid } = process;
  const root = getuid?.() === 0;
  if (root) {
    nodeFs.chmodSync(folder, 0o777);
    for (const path of [...paths, ...locked]) nodeFs.chownSync(path, 65534, 65534);
    seteuid!(65534);
  }
  watched();
  try {
    await t.rejects(rm(paths[0]!, { recursive: true }), { code: /EACCES|ENOTEMPTY/ });
  } finally {
    if (root) seteuid!(0);
  }
  const left = nodeFs.readdirSync(paths[0]!, { recursive: true }).map(String);
  t.equal(left.filter(name => name.endsWith('/file')).length, locked.length);
  t.equal(left.filter(name => /\/[az]$/.test(name)).length, 0, left.join());
  for (const path of locked) nodeFs.chmodSync(path, 0o700);
  await rm(paths[0]!, { recursive: true });
});

t.test('a directory that is moved meanwhile leads nowhere', async t => {
  const paths = makeDeep('moved');
  const elsewhere = join(folder, 'elsewhere');
  nodeFs.mkdirSync(elsewhere);
  for (const file of ['a', 'b', 'z']) nodeFs.writeFileSync(join(elsewhere, file), '');
  const calls = watched();
  let opens = 0;
  calls.opened = () => {
    // The directory at 40 is open, and the one above it is not.
    if (++opens === 42) nodeFs.renameSync(paths[40]!, join(elsewhere, 'd'));
  };
  await t.rejects(rm(paths[0]!, { recursive: true }), { code: 'EBADF', syscall: 'scandir' });
  t.strictSame(nodeFs.readdirSync(elsewhere).sort(), ['a', 'b', 'd', 'z']);
  t.strictSame(nodeFs.readdirSync(join(elsewhere, 'd')), []);
});
