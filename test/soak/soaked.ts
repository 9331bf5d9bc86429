/**
 * The process that is soaked: does everything at once until it is told to stop, and says how it is. A failure of a
 * round ends it, but for a lack of descriptors: that is the weather.
 *
 * usage: soaked.js SEED SAMPLE_MILLISECONDS RUN_SECONDS ACTIVITY,… FOLDER [SMALL FILE SYSTEM]
 */
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { loop, sleep } from 'uasync';
import { ACTIVITIES, Soaked } from './activities.js';
import { randomFrom } from './random.js';
import type { Report } from './report.js';

const [seed, interval, seconds, only, folder, small] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string | undefined,
];
const activities = Object.entries(ACTIVITIES).filter(
  ([name]) => only === '' || only.split(',').includes(name),
);
const WEATHER = new Set(['EMFILE', 'ENFILE']);
const rounds: Record<string, number> = {};
let refused = 0;
let stopping = false;

function report(report: Report): void {
  process.send!(report);
}

const soaked = await Soaked.start(randomFrom(Number(seed)), folder, small);
// What is made when it is first needed is there before descriptors are counted.
await Promise.all(activities.map(([, { round }]) => round(soaked)));

async function forever(name: string): Promise<void> {
  const { round, rest, most = Number.POSITIVE_INFINITY } = ACTIVITIES[name]!;
  // On average a pause is half of this.
  const pause = Math.max(rest, (2000 * Number(seconds)) / most);
  while (!stopping) {
    try {
      await round(soaked);
      rounds[name] = (rounds[name] ?? 0) + 1;
    } catch (error) {
      if (!WEATHER.has((error as { code: string }).code)) throw new Error(`in ${name}`, { cause: error });
      refused++;
    }
    await sleep(soaked.random() * pause);
  }
}

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const timer = setInterval(() => {
  globalThis.gc!();
  const { inFlight, blocks } = loop().stats();
  const workers = rounds.terminated ?? 0;
  const [median, slowest] = [50, 99].map(percent => delay.percentile(percent) / 1e6) as [number, number];
  delay.reset();
  // Not `process.memoryUsage()`, which needs a descriptor.
  const { used_heap_size: used, external_memory: external } = getHeapStatistics();
  const heap = (used + external) / 2 ** 20;
  report({ what: 'sample', slots: inFlight, blocks: blocks.used, heap, workers, median, slowest });
}, Number(interval));

const stop = once(process, 'message');
// Nothing watches it any more.
process.once('disconnect', () => process.exit());
if (!process.connected) process.exit();
report({ what: 'ready', port: soaked.port });
const working = activities.flatMap(([name, { times }]) => Array.from({ length: times }, () => forever(name)));
await Promise.race([stop, Promise.all(working)]);
stopping = true;
clearInterval(timer);
await Promise.all(working);
await soaked.stop();
while (loop().stats().inFlight > 0) await new Promise(resolve => setTimeout(resolve, 10));
const { stale, overflow, blocks, completed } = loop().stats();
report({ what: 'end', rounds, refused, stale, overflow, blocks: blocks.used, completed });
// Until its descriptors have been counted.
await once(process, 'message');
process.removeAllListeners('disconnect');
process.disconnect();
