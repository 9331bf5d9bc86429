import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { isMainThread } from '../../src/sys/main-thread.js';
import { built, output } from '../programs.js';
import '../patience.js';

const MODULE = built('src/sys/main-thread.js');
const WITHOUT_PROC = `require('node:fs').readlinkSync = () => { throw new Error('no /proc'); };`;

/** What a worker finds. */
async function inWorker(before: string): Promise<boolean> {
  const program = `${before}
    import('${MODULE}').then(({ isMainThread }) => require('node:worker_threads').parentPort.postMessage(isMainThread));`;
  const worker = new Worker(program, { eval: true });
  const [found] = await once(worker, 'message');
  await worker.terminate();
  return found as boolean;
}

t.test('the first thread of a process is told from workers', async t => {
  t.equal(isMainThread, true);
  t.equal(await inWorker(''), false);
});

t.test('also where /proc cannot be read', async t => {
  const program = `${WITHOUT_PROC} import('${MODULE}').then(({ isMainThread }) => console.log(isMainThread));`;
  t.equal(await output(process.execPath, ['-e', program]), 'true\n');
  t.equal(await inWorker(WITHOUT_PROC), false);
});
