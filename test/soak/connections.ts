/** 50,000 connections that are opened and dropped: `npm run soak`. A shorter form is in test/net/weather.test.ts. */
import assert from 'node:assert/strict';
import { memoryUsage } from 'node:process';
import { loop, nop } from 'uasync';
import { churn } from '../churn.js';
import { collectGarbage, openFds } from '../harness.js';

const TOTAL = 50_000;
const MIB = 2 ** 20;

async function rss(): Promise<number> {
  await nop();
  collectGarbage();
  return memoryUsage.rss() / MIB;
}

// What the first of them make stays: the loop, its buffers, compiled code.
await churn(10_000);
const descriptors = openFds();
const before = await rss();
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
const grown = (await rss()) - before;
assert.ok(grown < 8, `${grown.toFixed(1)} MiB of memory more`);
console.log(
  `${TOTAL} connections in ${seconds.toFixed(1)} s; RSS ${before.toFixed(0)} MiB, ${grown.toFixed(1)} more`,
);
