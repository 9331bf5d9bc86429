/** On overlayfs the first change of a file of a lower layer copies all of it: that is not done at once. */
import { createHook } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder } from '../harness.js';

const folder = scratchFolder();
checkLeaks();

const LARGE = 2 * 1024 * 1024;
const names = ['chmod', 'rename', 'link'] as const;

/** An overlay whose lower layer has one file for each of `names`; undefined where that cannot be mounted. */
function overlay(): { root: string; unmount: () => void } | undefined {
  // The layers need a file system of their own: an overlay cannot be on another one.
  const layers = join(folder, 'layers');
  nodeFs.mkdirSync(layers);
  const mount = (args: string[]): void => void execFileSync('mount', args, { stdio: 'ignore' });
  const unmount = (path: string): void => void execFileSync('umount', [path]);
  try {
    mount(['-t', 'tmpfs', 'none', layers]);
  } catch {
    return undefined;
  }
  const at = (name: string): string => join(layers, name);
  for (const name of ['lower', 'upper', 'work', 'root']) nodeFs.mkdirSync(at(name));
  for (const name of names) nodeFs.writeFileSync(join(at('lower'), name), Buffer.alloc(LARGE));
  try {
    const options = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
    mount(['-t', 'overlay', '-o', options, 'overlay', at('root')]);
  } catch {
    unmount(layers);
    return undefined;
  }
  return {
    root: at('root'),
    unmount: () => {
      unmount(at('root'));
      unmount(layers);
    },
  };
}

t.test('changes of large files of a lower layer are left to other threads', async t => {
  const mounted = overlay();
  if (mounted === undefined) {
    t.comment('mounting is not permitted here');
    return;
  }
  let byNode = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'FSREQPROMISE') byNode++;
    },
  });
  loop().close();
  loop({ inline: true });
  try {
    const at = (name: string): string => join(mounted.root, name);
    // They are cached.
    for (const name of names) nodeFs.statSync(at(name));
    const before = loop().stats().submitted;
    hook.enable();
    await fs.chmod(at('chmod'), 0o600);
    hook.disable();
    t.equal(byNode, 1, 'chmod is by Node');
    t.equal(nodeFs.statSync(at('chmod')).mode & 0o777, 0o600);
    await fs.rename(at('rename'), at('renamed'));
    t.equal(loop().stats().submitted - before, 1, 'rename is by the backend');
    await fs.link(at('link'), at('linked'));
    t.equal(loop().stats().submitted - before, 2, 'link is by the backend');
    t.equal(nodeFs.statSync(at('renamed')).size, LARGE);
    t.equal(nodeFs.statSync(at('linked')).nlink, 2);
  } finally {
    hook.disable();
    mounted.unmount();
  }
});

t.test('neither is what replaces a file written at once', async t => {
  loop().close();
  loop({ inline: true });
  const from = join(folder, 'from');
  const to = join(folder, 'to');
  nodeFs.writeFileSync(from, Buffer.alloc(LARGE));
  nodeFs.writeFileSync(to, '');
  const before = loop().stats().submitted;
  await fs.rename(from, to);
  t.equal(loop().stats().submitted - before, 1);
  t.equal(nodeFs.statSync(to).size, LARGE);
});
