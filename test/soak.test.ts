/** Some seconds of `npm run soak`: everything at once, under bad weather. Nothing is lost, and the process stops. */
import t from 'tap';
import { availableBackend } from 'uasync';
import { seededRandom } from './harness.js';
import { soak } from './soak/soak.js';
import './patience.js';

const SECONDS = 5;

t.test('what is under way at once does not disturb each other', async t => {
  const seed = Math.floor(seededRandom(t)() * 2 ** 31);
  const { failures, missing, rounds, weather } = await soak(availableBackend()!, SECONDS, seed);
  t.same(failures, []);
  t.ok(rounds.operations! > 0, `${JSON.stringify(rounds)} under ${JSON.stringify(weather)}`);
  for (const reason of missing) t.pass('', { skip: reason });
});
