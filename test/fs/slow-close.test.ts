/** To close a file may take long: what was unlinked is freed, what was truncated is written. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, openFds, scratchFolder } from '../harness.js';
import { built } from '../programs.js';

const folder = scratchFolder();
checkLeaks();

const LARGE = 2 * 1024 * 1024;

async function closing(flags: string, size: number, unlinked: boolean): Promise<number> {
  const path = join(folder, 'file');
  nodeFs.writeFileSync(path, Buffer.alloc(size));
  const handle = await fs.open(path, flags);
  nodeFs.truncateSync(path, size);
  if (unlinked) nodeFs.unlinkSync(path);
  const before = loop().stats().submitted;
  await handle.close();
  return loop().stats().submitted - before;
}

t.test('where it may take long it is left to a thread of the kernel', async t => {
  loop().close();
  loop({ inline: true });
  const before = openFds();
  t.equal(await closing('r', LARGE, true), 1, 'unlinked, and only read');
  t.equal(await closing('r+', LARGE, true), 1, 'unlinked');
  t.equal(await closing('w', LARGE, false), 1, 'truncated when it was opened');
  t.equal(await closing('r', LARGE, false), 0, 'read');
  t.equal(await closing('r', 100, true), 0, 'small');
  t.strictSame(openFds(), before);
});

t.test('so it is where no call is made at once, and after the loop', async t => {
  for (const inline of [true, false]) {
    loop().close();
    loop({ inline });
    const before = openFds();
    const path = join(folder, 'other');
    nodeFs.writeFileSync(path, Buffer.alloc(LARGE));
    const [one, two] = [await fs.open(path), await fs.open(path, 'r+')];
    nodeFs.unlinkSync(path);
    await one.close();
    loop().close();
    await two.close();
    loop({ inline });
    t.strictSame(openFds(), before);
  }
});

t.test('a worker that is terminated meanwhile leaves nothing open', async t => {
  const before = openFds();
  const state = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(built('test/fixtures/closes-worker.js'), {
    workerData: { folder, size: LARGE, state },
  });
  while (Atomics.load(state, 0) === 0) await new Promise(resolve => setTimeout(resolve, 1));
  await worker.terminate();
  t.strictSame(openFds(), before);
});
