/** The shortest form of `npm run soak`: all of it runs, nothing is lost, and nothing is left. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../harness.js';
import { built, output } from '../programs.js';
import { trendsOf } from './growth.js';
import type { Sample } from './report.js';

t.test('everything at once, for some seconds', async t => {
  const svg = join(scratchFolder(), 'soak.svg');
  const printed = await output(process.execPath, [
    built('test/soak/main.js'),
    '--seconds',
    '6',
    '--out',
    svg,
  ]);
  t.notMatch(printed, 'FAILED');
  for (const backend of ['io_uring', 'epoll'])
    t.match(printed, new RegExp(`^${backend}: rounds: .*messages`, 'm'));
  const drawn = readFileSync(svg, 'utf8');
  t.match(drawn, /^<svg .*resident memory.*<\/svg>\n$/s);
});

/** Samples of which one measure is given by a function of the time. */
function samples(count: number, memory: (time: number) => number): Sample[] {
  const rest = { descriptors: 50, slots: 20, blocks: 0, workers: 0, median: 1, slowest: 5 };
  return Array.from({ length: count }, (_, time) => ({ time, memory: memory(time), ...rest }));
}

t.test('what grows is told from what warms up and from what comes and goes', async t => {
  const grows = (memory: (time: number) => number): boolean =>
    trendsOf(samples(400, memory)).some(({ grows }) => grows);
  t.notOk(grows(() => 100));
  t.notOk(
    grows(time => Math.min(50 + time, 100)),
    'it warms up',
  );
  t.notOk(
    grows(time => 100 + (time % 20)),
    'it comes and goes',
  );
  t.ok(
    grows(time => 100 + time / 20),
    'it grows',
  );
  t.notOk(
    grows(time => (time % 50 === 0 ? 500 : 100)),
    'it is high for a moment',
  );
  t.strictSame(trendsOf(samples(30, () => 100)), [], 'too few to tell');
});
