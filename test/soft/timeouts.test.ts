/** Timeouts of the software ring. */
import t from 'tap';
import { loop, sleep } from 'uasync';
import { TIMEOUT_ABS, TIMEOUT_BOOTTIME, TIMEOUT_REALTIME } from 'uasync/ring';
import { checkLeaks } from '../harness.js';

loop({ backend: 'epoll' });
checkLeaks();

t.test('a time that is long past has come, and does not stop those that follow', async t => {
  for (const clock of [TIMEOUT_REALTIME, TIMEOUT_BOOTTIME, 0]) {
    // A second after the clock's start: of the real time's that is before this machine was started.
    const past = loop().submit(sqe =>
      sqe.timeout(clock === TIMEOUT_REALTIME ? 1000 : 0, 0, TIMEOUT_ABS | clock),
    );
    await t.rejects(past, { code: 'ETIME' });
    await sleep(1);
  }
});
