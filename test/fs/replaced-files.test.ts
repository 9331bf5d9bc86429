/** A file that another thread replaces all the while is read as it was or as it is, never a part of it. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder } from '../harness.js';
import { built } from '../programs.js';

const folder = scratchFolder(nodeFs.existsSync('/dev/shm') ? '/dev/shm' : undefined);
checkLeaks();

const READS = 8000;

t.test('a file that is replaced is read whole', async t => {
  loop().close();
  loop({ inline: true });
  const path = join(folder, 'file');
  const [one, other] = ['a'.repeat(5000), 'b'.repeat(40_000)];
  nodeFs.writeFileSync(path, one);
  const state = new Int32Array(new SharedArrayBuffer(8));
  const workerData = { path, contents: [one, other], state };
  const worker = new Worker(built('test/fixtures/replaces-worker.js'), { workerData });
  while (Atomics.load(state, 1) < 2) await new Promise(resolve => setTimeout(resolve, 1));
  const wrong = new Set<string>();
  for (let i = 0; i < READS; i++) {
    const text = await fs.readFile(path, i % 2 === 0 ? 'utf8' : 'latin1');
    if (text !== one && text !== other) wrong.add(`${text.length} of ${text[0]}`);
  }
  Atomics.store(state, 0, 1);
  await new Promise(resolve => worker.once('exit', resolve));
  t.strictSame([...wrong], []);
});
