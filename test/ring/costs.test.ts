/** What the hot path may cost: no memory for an operation, one system call for a batch. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Ring } from 'uasync/ring';
import { collectGarbage } from '../harness.js';
import { built } from '../programs.js';

function run(ring: Ring, operations: number): void {
  const sink = { onCqe(): void {} };
  for (let done = 0; done < operations; ) {
    for (let i = 0; i < 1024; i++) ring.getSqe()!.nop().userData(i);
    ring.submitAndGetEvents();
    done += ring.reap(sink);
  }
}

t.test('ten million NOPs leave no garbage, and enter the kernel once a batch', async t => {
  const ring = new Ring(1024);
  run(ring, 200_000);
  collectGarbage();
  const { enters } = ring;
  const heap = process.memoryUsage().heapUsed;
  run(ring, 10_000_000);
  // Before garbage is collected: what was allocated and dropped counts too.
  const growth = process.memoryUsage().heapUsed - heap;
  t.ok(growth < 1_000_000, `${growth} bytes`);
  t.equal(ring.enters - enters, Math.ceil(10_000_000 / 1024));
  ring.close();
});

t.test('several threads have a ring each', async t => {
  const ids = [1, 2, 3, 4];
  const sums = await Promise.all(
    ids.map(
      async id =>
        (await once(new Worker(built('test/fixtures/ring-worker.js'), { workerData: id }), 'message'))[0],
    ),
  );
  const one = (19_999 * 20_000) / 2;
  t.strictSame(
    sums,
    ids.map(id => id * one),
  );
});
