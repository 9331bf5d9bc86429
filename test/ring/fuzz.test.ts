/** Misuse of the public API, at random: `npm run fuzz` does it for longer. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { scratchFolder, seededRandom } from '../harness.js';
import { built } from '../programs.js';

const folder = scratchFolder();
const SECONDS = Number(process.env.UASYNC_FUZZ_SECONDS ?? 2);

t.test(
  'no order of calls and no argument crashes the process',
  { timeout: (SECONDS + 250) * 1000 },
  async t => {
    const seed = Math.floor(seededRandom(t)() * 2 ** 31);
    const args = ['--expose-gc', built('test/fixtures/ring-fuzz.js'), String(seed), String(SECONDS), folder];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: (SECONDS + 240) * 1000 });
    const { calls, rings } = JSON.parse(stdout);
    t.ok(calls > 1000, `${calls} calls on ${rings} rings, seed ${seed}`);
  },
);
