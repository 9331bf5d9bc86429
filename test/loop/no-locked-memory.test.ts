/** Loops of users who have no locked memory left. */
import t from 'tap';
import { ringsAreCounted } from '../../src/ring/setup/locked-memory.js';
import { foundLocked, noOrdinaryUser } from '../ordinary-user.js';
import { built } from '../programs.js';
import '../patience.js';

const KIB = 1024;
const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

const PROGRAM = built('test/fixtures/locked-memory.js');

t.test('the memory of a loop that was closed comes back after a moment', { skip }, async t => {
  let made = 0;
  // A busy machine may give it back later than a loop waits for it, but not each time.
  for (let tries = 0; tries < 10 && made !== 4; tries++)
    made = await foundLocked<number>(16 * KIB, PROGRAM, 'one after the other');
  t.equal(made, 4);
});

t.test('none at all: everything says so, and what to do', { skip }, async t => {
  const found = await foundLocked<Record<string, { code: string; message: string } & boolean>>(
    0,
    PROGRAM,
    'none',
  );
  t.equal(found.backend, 'epoll', 'which locks none');
  t.equal(found.uasync, false);
  t.equal(found.probe, false);
  t.match(found.reason, { code: 'ERR_IO_URING_UNAVAILABLE' });
  t.match(found.error, { code: 'ERR_IO_URING_UNAVAILABLE', errno: -12, syscall: 'io_uring_setup' });
  t.match(found.error!.message, /ENOMEM.*RLIMIT_MEMLOCK allows 0 KiB to all processes of this user/);
  t.match(found.error!.message, /this process has 0 KiB.*ulimit -l.*LimitMEMLOCK=.*--ulimit memlock=/);
});
