/** 50,000 connections that are opened and dropped: `npm run soak:connections`. A shorter form is in test/net/weather.test.ts. */
import assert from 'node:assert/strict';
import { memoryUsage } from 'node:process';
import { loop, sleep } from 'uasync';
import { churn } from '../churn.js';
import { collectGarbage, openFds } from '../harness.js';

const TOTAL = 50_000;
const MIB = 2 ** 20;

/** Memory in use: without what V8 keeps for garbage to come, which is 30 MiB or nothing. */
async function used(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    collectGarbage();
    await sleep(50);
    const { rss, heapTotal, heapUsed } = memoryUsage();
    least = Math.min(least, (rss - heapTotal + heapUsed) / MIB);
  }
  return least;
}

// What the first of them make stays: the loop, its buffers, compiled code.
await churn(10_000);
const descriptors = openFds();
const before = await used();
const start = performance.now();
assert.equal(
  await churn(TOTAL, done => {
    if (done % 10_000 === 0) console.log(`${done} of ${TOTAL}`);
  }),
  TOTAL,
);
const seconds = (performance.now() - start) / 1000;
const { inFlight, referenced, stale, overflow, blocks } = loop().stats();
assert.deepEqual([inFlight, referenced, stale, overflow, blocks.used], [0, 0, 0, 0, 0]);
assert.equal(openFds(), descriptors);
const grown = (await used()) - before;
assert.ok(grown < 8, `${grown.toFixed(1)} MiB of memory more`);
console.log(
  `${TOTAL} connections in ${seconds.toFixed(1)} s; memory in use ${before.toFixed(0)} MiB, ${grown.toFixed(1)} more`,
);
