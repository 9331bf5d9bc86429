/** Opening in a worker: at once what is cached, the rest by way of registered files. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { makeFifo, scratchFolder } from '../harness.js';
import { built } from '../programs.js';

async function openMany(t: Test, inline: boolean): Promise<void> {
  const folder = scratchFolder();
  const file = join(folder, 'file');
  writeFileSync(file, 'hello');
  const workerData = { folder, file, fifo: makeFifo(folder, 'fifo'), inline };
  const worker = new Worker(built('test/fixtures/opens-worker.js'), { workerData });
  const [{ same, codes, flags, through, operations, more }] = await once(worker, 'message');
  t.ok(same, 'each has read the file');
  t.same(codes, ['ENOENT', 'EISDIR', 'EEXIST']);
  const O_CLOEXEC = 0o2000000;
  const O_APPEND = 0o2000;
  t.equal(flags & (O_CLOEXEC | O_APPEND), O_CLOEXEC | O_APPEND);
  t.equal(through, 'through');
  t.equal(more, 0, 'no descriptor is left');
  t.equal(operations === 0, inline, 'what is cached takes no operation of the ring');
  await worker.terminate();
}

t.test('thousands at once, errors, flags and a FIFO', t => openMany(t, true));
t.test('the same through the ring', t => openMany(t, false));
