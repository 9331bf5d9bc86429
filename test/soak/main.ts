/**
 * Everything at once, for long: `npm run soak -- --hours 2`. A process for each backend, under weather that is not good.
 * It draws what they hold over time, and fails if any of it grows, a byte is lost, or a process ends by itself.
 *
 * usage: main.js [--hours N] [--minutes N] [--seconds N] [--seed N] [--only ACTIVITY,…] [--out FILE.svg]
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { draw } from './draw.js';
import { soak } from './soak.js';

const { values } = parseArgs({
  options: {
    hours: { type: 'string' },
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: 'soak.svg' },
  },
});
const { hours = 0, minutes = 0, seconds = 0, seed = Math.floor(Math.random() * 2 ** 31) } = values;
const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) || 180;
console.log(`${total} s, Node ${process.version}; --seed ${seed} repeats it`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const results = await Promise.all(
  (['io_uring', 'epoll'] as const).map((backend, i) => soak(backend, total, Number(seed) + i, values.only)),
);
for (const { backend, rounds, weather, trends, missing } of results) {
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ');
  console.log(`\n${backend}: rounds: ${list(rounds)}\nweather: ${list(weather)}`);
  for (const { measure, before, after, grows } of trends) {
    console.log(`${measure}: ${before.toFixed(1)} -> ${after.toFixed(1)}${grows ? ': it grows' : ''}`);
  }
  for (const reason of missing) console.log(`left out: ${reason}`);
}
const samples = Object.fromEntries(results.map(({ backend, samples }) => [backend, samples]));
writeFileSync(values.out, draw(samples, `${total} s of everything at once, Node ${process.version}`));
console.log(`\ndrawn in ${resolve(values.out)}`);
writeFileSync(values.out.replace(/\.svg$/, '.json'), JSON.stringify(samples));
const failures = results.flatMap(({ backend, failures }) =>
  failures.map(failure => `${backend}: ${failure}`),
);
for (const failure of failures) console.log(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
