/** Timers of MS milliseconds, COUNT at a time: how late each is. `node timers.js uasync|node COUNT MS` */
import { setTimeout } from 'node:timers/promises';
import { sleep } from 'uasync';
import { serveRounds } from '../worker.js';

const [whose, count, delay] = process.argv.slice(2);
const wait: (ms: number) => Promise<unknown> = whose === 'uasync' ? sleep : setTimeout;
const ms = Number(delay);

await serveRounds(round =>
  round.spread(Number(count), 1, async () => {
    const start = performance.now();
    await wait(ms);
    round.latencies.add(performance.now() - start - ms);
  }),
);
