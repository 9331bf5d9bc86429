/**
 * Both queues of a real ring across 2^32, which takes minutes: `npm run soak:connections`. The arithmetic by itself is
 * in test/ring/queues.test.ts.
 */
import assert from 'node:assert/strict';
import { Ring } from 'uasync/ring';

const BEYOND = 2 ** 32 + 1_000_000;
const BATCH = 4096;

const ring = new Ring(BATCH);
let expected = 0;
let wrong = 0;
const sink = {
  onCqe(low: number): void {
    if (low !== (expected | 0)) wrong++;
    expected++;
  },
};
const start = performance.now();
for (let sent = 0; sent < BEYOND; sent += BATCH) {
  for (let i = 0; i < BATCH; i++) ring.getSqe()!.userData((sent + i) % 2 ** 31);
  assert.equal(ring.submitAndGetEvents(), BATCH);
  assert.equal(ring.cqReady, BATCH);
  ring.reap(sink);
  if (expected >= 2 ** 31) expected -= 2 ** 31;
  if (sent % (BATCH * 65536) === 0) console.log(`${((sent / BEYOND) * 100).toFixed(0)} %`);
}
assert.equal(wrong, 0);
assert.equal(ring.cqDropped, 0);
ring.close();
console.log(`${BEYOND} operations in ${((performance.now() - start) / 1000).toFixed(0)} s, in order`);
