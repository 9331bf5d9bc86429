/** Memory that the kernel uses in place. */
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { allocPinned, loop } from 'uasync';
import { checkLeaks, collectGarbage, turns } from '../harness.js';
import { built } from '../programs.js';

checkLeaks();

/** A figure of this process, in KiB. */
function status(name: 'VmSize' | 'RssAnon'): number {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'latin1'))![1]);
}

t.test('it is a Buffer of zeros, of the size that was asked for', async t => {
  for (const size of [1, 4095, 4096, 4097, 1_000_000]) {
    const bytes = allocPinned(size);
    t.ok(Buffer.isBuffer(bytes));
    t.equal(bytes.length, size);
    t.ok(bytes.every(byte => byte === 0));
    bytes.fill(1);
    t.equal(bytes.buffer.byteLength % 4096, 0);
  }
});

t.test('it stays with its thread, and where it is', async t => {
  const bytes = allocPinned(4096);
  try {
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
  } catch (error) {
    // Node 20 copies instead.
    t.equal((error as Error).name, 'DataCloneError');
  }
  t.equal(bytes.length, 4096);
  t.equal(structuredClone(bytes).length, 4096, 'a copy can be sent');
  const buffer = bytes.buffer as unknown as Record<string, () => void>;
  for (const move of ['transfer', 'transferToFixedLength']) {
    // From Node 22 on they are there; what they would move would be used again when this is collected.
    t.throws(() => buffer[move]!(), { code: 'ERR_INVALID_STATE' });
  }
  t.equal(bytes.length, 4096);
});

t.test('the memory of collected ones is used again, and is zero again', async t => {
  const size = 1 << 20;
  const use = async (): Promise<boolean> => {
    let clean = true;
    for (let i = 0; i < 50; i++) {
      const bytes = allocPinned(size);
      clean &&= bytes[0] === 0 && bytes[size - 1] === 0;
      bytes.fill(7);
    }
    collectGarbage();
    // Finalizers run in a task of their own, in the next round of the event loop.
    await turns();
    return clean;
  };
  for (let round = 0; round < 4; round++) await use();
  const before = status('VmSize');
  for (let round = 0; round < 10; round++) t.ok(await use());
  const more = status('VmSize') - before;
  t.ok(more < 100 * 1024, `${more} KiB more for 500 MiB`);
});

t.test('a thread that ends gives its pages back', async t => {
  const run = async (): Promise<void> => {
    const [exitCode] = await once(
      new Worker(built('test/fixtures/loop-worker.js'), { workerData: 'pinned' }),
      'exit',
    );
    t.equal(exitCode, 0);
  };
  await run();
  const before = status('RssAnon');
  for (let i = 0; i < 4; i++) await run();
  const more = status('RssAnon') - before;
  t.ok(more < 64 * 1024, `${more} KiB more for 128 MiB`);
});

t.test('it can be given to the bare operation, and the process ends as it should', async t => {
  const fd = openSync('/proc/version', 'r');
  const bytes = allocPinned(4096);
  const length = await loop().submit(sqe => sqe.read(fd, bytes, 0));
  t.match(bytes.toString('latin1', 0, length), /^Linux/);
  closeSync(fd);
});

t.test('wrong sizes are refused', async t => {
  for (const size of [0, -1, 1.5, 2 ** 31]) t.throws(() => allocPinned(size), { code: 'ERR_OUT_OF_RANGE' });
  for (const size of ['1', null, undefined]) {
    t.throws(() => allocPinned(size as never), { code: 'ERR_INVALID_ARG_TYPE' });
  }
});
