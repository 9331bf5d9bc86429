/** A thread with nothing to do uses no CPU. */
import t from 'tap';
import { built, output } from '../programs.js';
import '../patience.js';

const PROGRAM = built('test/fixtures/idle.js');

for (const name of ['one timer', 'a timer that is cancelled', 'a socket that is closed amid datagrams']) {
  t.test(name, async t => {
    const printed = await output(process.execPath, [PROGRAM, name]);
    const used = Number(printed);
    t.ok(used < 100, `${used} of 300 ms`);
  });
}
