/** What is injected with UASYNC_FAULTS: that there is some of each kind, and that each entry completes once all the same. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import { EINTR } from '../../src/sys/abi/errno.js';
import { checkLeaks, scratchFolder, seededRandom } from '../harness.js';

process.env.UASYNC_BACKEND = 'epoll';
checkLeaks();

const SIZE = 1000;
const folder = scratchFolder();
const path = join(folder, 'file');
writeFileSync(path, Buffer.alloc(SIZE, 'f'));
const fd = openSync(path, 'r');
t.teardown(() => closeSync(fd));

/** A loop with these faults, or without any. */
function withFaults(seed: string | undefined): void {
  loop().close();
  if (seed === undefined) delete process.env.UASYNC_FAULTS;
  else process.env.UASYNC_FAULTS = seed;
  loop({ inline: false });
}

/** What `count` reads came to, in the order in which they completed. */
async function readOften(count: number): Promise<{ order: number[]; results: number[] }> {
  const order: number[] = [];
  const reads = Array.from({ length: count }, async (_, i) => {
    const bytes = Buffer.alloc(SIZE);
    const res = await loop()
      .submit(sqe => sqe.read(fd, bytes, 0))
      .catch((error: { errno: number }) => error.errno);
    order.push(i);
    return res;
  });
  return { order, results: await Promise.all(reads) };
}

const inOrder = (order: number[]): boolean => order.every((value, i) => i === 0 || order[i - 1]! < value);

t.test('reads are cut short, interrupted and late', async t => {
  withFaults('1');
  const { order, results } = await readOften(2000);
  const interrupted = results.filter(res => res === EINTR).length;
  const short = results.filter(res => res > 0 && res < SIZE).length;
  const whole = results.filter(res => res === SIZE).length;
  t.equal(interrupted + short + whole, 2000, 'and nothing else');
  for (const count of [interrupted, short]) t.ok(count > 40 && count < 400, `${count} of 2000`);
  t.notOk(inOrder(order));
});

t.test('without a seed nothing of this happens', async t => {
  withFaults(undefined);
  const { order, results } = await readOften(200);
  t.ok(results.every(res => res === SIZE));
  t.ok(inOrder(order));
});

t.test('what is late can be cancelled, and a loop can be closed meanwhile', async t => {
  const random = seededRandom(t);
  withFaults('2');
  for (let round = 0; round < 20; round++) {
    const settled = { value: 0 };
    const started = Array.from({ length: 100 }, () => {
      const controller = new AbortController();
      const bytes = Buffer.alloc(SIZE);
      const { signal } = controller;
      const reading = loop().submit(sqe => sqe.read(fd, bytes, 0), { signal });
      if (random() < 0.5) setImmediate(() => controller.abort());
      return reading.then(
        () => {
          settled.value++;
        },
        (error: { code: string }) => {
          settled.value++;
          if (!['EINTR', 'ABORT_ERR', 'ERR_CLOSED'].includes(error.code)) throw error;
        },
      );
    });
    await new Promise(resolve => setImmediate(resolve));
    if (round % 4 === 0) withFaults(`${round}`);
    await Promise.all(started);
    t.equal(settled.value, 100);
  }
});

t.test('a seed is a number', async t => {
  loop().close();
  process.env.UASYNC_FAULTS = 'many';
  t.throws(() => loop(), { code: 'ERR_INVALID_ARG_VALUE' });
  delete process.env.UASYNC_FAULTS;
  t.equal(loop().backend, 'epoll');
});
