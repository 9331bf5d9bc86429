/** Code that closes descriptors which are not its own harms itself, and not the process. */
import t from 'tap';
import { built, output } from '../programs.js';
import '../patience.js';

for (const thread of ['main', 'worker']) {
  t.test(`descriptors closed by other code, in a ${thread} thread`, async t => {
    const printed = await output(process.execPath, [built('test/fixtures/closed-behind.js'), thread]);
    t.strictSame(JSON.parse(printed), [true, true, 'ERR_CLOSED', 'ok', 'ok', 'ok', 'ok']);
  });
}
