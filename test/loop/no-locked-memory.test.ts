/** Loops of users who have no locked memory left. */
import t from 'tap';
import { ringsAreCounted } from '../../src/ring/locked-memory.js';
import { evalLocked, noOrdinaryUser } from '../ordinary-user.js';
import '../patience.js';

const KIB = 1024;
const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

t.test('the memory of a loop that was closed comes back after a moment', { skip }, async t => {
  const made = await evalLocked<number>(
    16 * KIB,
    `import { loop, nop, uasyncAvailable } from 'uasync';
    import { probe } from 'uasync/ring';
    let made = 0;
    for (let i = 0; i < 4; i++) {
      if (!probe().available || !uasyncAvailable()) break;
      await nop();
      loop().close();
      made++;
    }
    console.log(made);`,
  );
  t.equal(made, 4);
});

t.test('none at all: everything says so, and what to do', { skip }, async t => {
  const found = await evalLocked<Record<string, { code: string; message: string } & boolean>>(
    0,
    `import { loop, nop, uasyncAvailable } from 'uasync';
    import { probe } from 'uasync/ring';
    let error;
    try { loop({ backend: 'io_uring' }); } catch ({ code, message, errno, syscall }) { error = { code, message, errno, syscall }; }
    const { available, reason } = probe();
    const { backend } = loop({ warn: false });
    await nop();
    console.log(JSON.stringify({ uasync: uasyncAvailable(), probe: available, error, reason: { code: reason.code }, backend }));`,
  );
  t.equal(found.backend, 'epoll', 'which locks none');
  t.equal(found.uasync, false);
  t.equal(found.probe, false);
  t.match(found.reason, { code: 'ERR_IO_URING_UNAVAILABLE' });
  t.match(found.error, { code: 'ERR_IO_URING_UNAVAILABLE', errno: -12, syscall: 'io_uring_setup' });
  t.match(found.error!.message, /ENOMEM.*RLIMIT_MEMLOCK allows 0 KiB to all processes of this user/);
  t.match(found.error!.message, /this process has 0 KiB.*ulimit -l.*LimitMEMLOCK=.*--ulimit memlock=/);
});
