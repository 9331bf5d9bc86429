/** Turns, cancellation, timers, raw operations. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { callSoon, loop, nop, sleep, uasyncAvailable } from 'uasync';
import type { Sqe } from 'uasync/ring';
import { Flusher } from '../../src/loop/turns/flusher.js';
import {
  SETUP_COOP_TASKRUN,
  SETUP_DEFER_TASKRUN,
  SETUP_SINGLE_ISSUER,
  SETUP_TASKRUN_FLAG,
  SQE_CQE_SKIP_SUCCESS,
  SQE_IO_DRAIN,
  SQE_IO_HARDLINK,
  SQE_IO_LINK,
} from '../../src/ring/abi/io-uring.js';
import { checkLeaks, openFds, until } from '../harness.js';
import { built, PLAIN_NODE, ROOT } from '../programs.js';

checkLeaks();

/** Runs one of the programs of loops.ts in a process of its own. */
function run(kind: string, option = ''): string {
  const [env, ...args] = PLAIN_NODE;
  return execFileSync(env, [...args, built('test/fixtures/loops.js'), kind, option], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 200_000,
  });
}

t.test('io_uring is available here', async t => {
  t.ok(uasyncAvailable());
  t.equal(loop(), loop(), 'one loop a thread');
  t.throws(() => loop({ entries: 8 }), { code: 'ERR_LOOP_EXISTS' });
});

t.test('a burst of operations is one system call', async t => {
  await nop();
  const before = loop().stats();
  await Promise.all(Array.from({ length: 500 }, () => nop()));
  const after = loop().stats();
  t.equal(after.submitted - before.submitted, 500);
  t.equal(after.completed - before.completed, 500);
  // On epoll what need not wait takes no call at all.
  const calls = loop().backend === 'epoll' ? 0 : Math.ceil(500 / loop().entries);
  t.equal(after.enters - before.enters, calls);
});

t.test('more operations than the queues hold', async t => {
  const total = 60_000;
  let done = 0;
  await Promise.all(Array.from({ length: total }, () => nop().then(() => done++)));
  t.equal(done, total);
});

t.test('operations in sequence do not starve timers', async t => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  // Counted in operations, not in time, of which a busy machine gives little.
  let operations = 0;
  for (; ticks < 20 && operations < 2_000_000; operations++) await nop();
  clearInterval(timer);
  t.equal(ticks, 20, `in ${operations} operations`);
});

t.test('sleep is idle time to Node', t => {
  const measure = (): string => run('idle time');
  let idle = measure();
  // A busy machine may have the process wait for a core, which is no idle time.
  for (let tries = 1; tries < 10 && !(Number(idle) > 150); tries++) idle = measure();
  t.ok(Number(idle) > 150, `${idle} of 200 ms`);
  t.end();
});

t.test('rings of older kernels wake the thread as well', t => {
  const newer = SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG;
  for (const without of [newer, newer | SETUP_COOP_TASKRUN | SETUP_SINGLE_ISSUER]) {
    const printed = run('older ring', String(without));
    t.equal(printed, `true\n${'ETIME\n'.repeat(20)}`);
  }
  t.end();
});

t.test('busyPoll keeps the thread awake for a while after each completion', t => {
  /** Turns in 250 ms of waiting after a completion, and in the 150 ms after those. */
  const turns = (busyPoll: number): number[] => JSON.parse(run('turns while waiting', String(busyPoll)));
  /** The counts of the first run that is as it should be, or of the tenth: V8's tasks are turns too, and a
   * busy machine may give the process no time. */
  const first = (busyPoll: number, right: (counts: number[]) => boolean): number[] => {
    let counts = turns(busyPoll);
    for (let tries = 1; tries < 10 && !right(counts); tries++) counts = turns(busyPoll);
    return counts;
  };
  const [asleep] = first(0, ([asleep]) => asleep! < 20);
  t.ok(asleep! < 20, `${asleep} turns`);
  const [awake, later] = first(100_000, ([awake, later]) => awake! > 100 && later! < 20);
  t.ok(awake! > 100, `${awake} turns`);
  t.ok(later! < 20, `${later} turns when nothing has completed for long`);
  t.end();
});

t.test('busyPoll starves neither timers nor the end of the process', t => {
  const printed = run('timers under busyPoll');
  t.equal(printed, 'ticked\ntrue\n');
  const codes = run('wrong busyPoll');
  t.match(codes, /^(ERR_OUT_OF_RANGE\n){3}ERR_INVALID_ARG_TYPE\n$/);
  t.end();
});

t.test('sleep waits as long as it should', async t => {
  for (const ms of [0, 0.3, 2, 15]) {
    const start = performance.now();
    await sleep(ms);
    const took = performance.now() - start;
    t.ok(took >= ms - 0.05, `${ms} ms took ${took.toFixed(3)}`);
  }
  const order: number[] = [];
  // This thread may lose the CPU for some time between two starts.
  await Promise.all([300, 10, 150].map(ms => sleep(ms).then(() => order.push(ms))));
  t.strictSame(order, [10, 150, 300]);
});

t.test('sleep can be aborted', async t => {
  const controller = new AbortController();
  const sleeping = sleep(1e6, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error('why')), 5);
  await t.rejects(sleeping, { name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'why' } });
  await t.rejects(sleep(1, { signal: controller.signal }), { name: 'AbortError' }, 'aborted before');
  const late = new AbortController();
  await sleep(1, { signal: late.signal });
  late.abort();
});

t.test('wrong arguments reject', async t => {
  await t.rejects(sleep(-1), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(sleep(Number.NaN), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(sleep('5' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(sleep(5, { signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => callSoon(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(loop().submit(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('callSoon keeps order, and callbacks added meanwhile come later', async t => {
  const seen: number[] = [];
  await new Promise<void>(resolve => {
    callSoon(() => {
      seen.push(1);
      callSoon(() => {
        seen.push(3);
        resolve();
      });
    });
    callSoon(() => seen.push(2));
  });
  t.strictSame(seen, [1, 2, 3]);
});

t.test('callSoon calls back although the loop is closed before its next turn', async t => {
  const seen: (number | string)[] = [];
  const storage = new AsyncLocalStorage<string>();
  const called = new Promise<void>(resolve => {
    callSoon(() => seen.push(1));
    storage.run('two', () => {
      callSoon(() => {
        seen.push(storage.getStore()!);
        resolve();
      });
    });
  });
  loop().close();
  seen.push(0);
  await called;
  t.strictSame(seen, [0, 1, 'two'], 'after the close, in call order, in their context');
});

t.test('a sender that throws does not hold up those behind it in its burst', async t => {
  const thrown = new Promise<Error>(resolve => process.once('uncaughtException', resolve));
  const flusher = Flusher.of(loop());
  flusher.add({
    flush: () => {
      throw new Error('of a sender');
    },
  });
  await new Promise<void>(resolve => flusher.add({ flush: resolve }));
  t.equal((await thrown).message, 'of a sender');
});

t.test('any operation can be awaited', async t => {
  const buffer = Buffer.alloc(16);
  const fd = openSync('/dev/zero', 'r');
  t.equal(await loop().submit(sqe => sqe.read(fd, buffer.fill(1))), 16);
  t.equal(buffer[0], 0);
  closeSync(fd);
  await t.rejects(
    loop().submit(sqe => sqe.read(fd, buffer)),
    { code: 'EBADF', errno: -9, syscall: 'read', message: 'EBADF: bad file descriptor, read' },
  );
  t.equal(
    await loop().submit(sqe => sqe.nop().userData(99).skipSuccess()),
    0,
    'user_data and skipping are ours',
  );
});

t.test('an operation whose preparation throws leaves nothing behind', async t => {
  await t.rejects(
    loop().submit(() => {
      throw new Error('no');
    }),
    { message: 'no' },
  );
  await t.rejects(
    loop().submit(sqe => sqe.read(-5, Buffer.alloc(1))),
    { code: 'ERR_OUT_OF_RANGE' },
  );
  await nop();
});

t.test('a raw operation can be aborted', async t => {
  const controller = new AbortController();
  const waiting = loop().submit(sqe => sqe.timeout(1e6), { signal: controller.signal });
  await nop();
  t.equal(loop().stats().inFlight, 1);
  controller.abort();
  await t.rejects(waiting, { code: 'ABORT_ERR' });
});

t.test('poll takes a turn at once', async t => {
  const promise = nop();
  t.equal(loop().poll(), 1);
  t.equal(loop().poll(), 0);
  await promise;
});

t.test('run resolves when nothing is in flight', async t => {
  let done = false;
  sleep(20).then(() => {
    done = true;
  });
  await loop().run();
  t.ok(done);
  await loop().run();
});

t.test('a program ends when its I/O does', async t => {
  t.equal(run('ends after I/O'), 'end\n');
  t.equal(run('ends with a loop'), 'end\n', 'a loop alone holds nothing');
  t.equal(run('ends after what is in flight'), 'end\n', 'what is in flight does');
  t.equal(run('exits amid I/O'), 'end\n');
});

t.test('an error in a callback is an uncaught exception, and the others run', async t => {
  t.strictSame(run('callbacks that throw').trim().split('\n').sort(), ['one', 'two']);
});

t.test('an idle loop uses no CPU', async t => {
  // V8's tasks (marking, sweeping) wake libuv's loop too, and that is a turn each. They end, which a loop
  // that wakes itself does not: there is a window without them.
  const [cpu, turns] = JSON.parse(run('idle'));
  t.ok(cpu < 40_000, `${cpu} us of CPU in 380 ms`);
  t.ok(turns <= 3, `${turns} turns`);
});

t.test('a closed loop rejects what is in flight, and a new one takes over', async t => {
  t.equal(run('closed loop'), 'ERR_CLOSED true true\nERR_CLOSED\nERR_CLOSED\n');
});

t.test('closing a loop settles everything on it, and frees its descriptors', async t => {
  const [settled, reading, later, freed] = run('closed under everything').trim().split('\n');
  t.equal(settled, 'ERR_CLOSED,ERR_CLOSED,ERR_CLOSED,ERR_CLOSED,ERR_CLOSED');
  t.match(reading, /ERR_CLOSED|ECANCELED|resolved/);
  t.equal(later, 'ERR_CLOSED ERR_CLOSED');
  t.ok(Number(freed) >= 4, `${freed} descriptors are free again`);
});

t.test('what prepare does besides is no part of its operation', async t => {
  const fd = openSync('/dev/zero', 'r');
  const buffer = Buffer.alloc(8, 1);
  let slept: Promise<void> | undefined;
  const length = await loop().submit(sqe => {
    slept = sleep(5);
    sqe.read(fd, buffer);
    loop().poll();
  });
  t.equal(length, 8);
  t.equal(buffer[0], 0);
  await slept;
  closeSync(fd);
  await t.rejects(
    loop().submit(async sqe => {
      await null;
      sqe.nop();
    }),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
  await t.rejects(
    loop().submit(sqe => sqe.recv(0, Buffer.alloc(1)).bufferSelect(0xffff)),
    { code: 'ERR_RESERVED_GROUP' },
  );
  for (const prepare of [
    (sqe: Sqe) => sqe.provideBuffers(buffer, 8, 1, 0xffff),
    (sqe: Sqe) => sqe.removeBuffers(1, 0xfffe),
  ]) {
    await t.rejects(loop().submit(prepare), { code: 'ERR_RESERVED_GROUP' });
  }
});

t.test('an operation neither holds others back nor waits for them', async t => {
  const waiting = new AbortController();
  const other = sleep(1e6, { signal: waiting.signal });
  const flags = SQE_IO_DRAIN | SQE_IO_LINK | SQE_IO_HARDLINK | SQE_CQE_SKIP_SUCCESS;
  const alone = [
    (sqe: Sqe) => sqe.nop().drain(),
    (sqe: Sqe) => sqe.nop().link(),
    (sqe: Sqe) => sqe.nop().setFlags(flags),
  ];
  for (const prepare of alone) t.equal(await loop().submit(prepare), 0);
  await nop();
  waiting.abort();
  await t.rejects(other, { code: 'ABORT_ERR' });
});

t.test('each worker has a loop of its own', async t => {
  const before = openFds();
  const counts = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const worker = new Worker(built('test/fixtures/loop-worker.js'), { workerData: 'operations' });
      const ended = new Promise(resolve => worker.once('exit', resolve));
      const count = await new Promise((resolve, reject) =>
        worker.once('message', resolve).once('error', reject),
      );
      t.equal(await ended, 0, 'it ends by itself');
      return count;
    }),
  );
  t.strictSame(counts, [1001, 1001, 1001, 1001]);
  await until(() => openFds() <= before + 1);
  t.pass('their rings are closed');
});

t.test('a worker that makes loop after loop hears of its end once', async t => {
  const before = openFds();
  const worker = new Worker(built('test/fixtures/loop-worker.js'), { workerData: 'many loops' });
  const ended = new Promise(resolve => worker.once('exit', resolve));
  const listeners = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  t.strictSame(
    listeners,
    Array.from({ length: 12 }, () => 1),
  );
  t.equal(await ended, 0);
  await until(() => openFds() <= before);
  t.pass('its rings are closed');
});

t.test('a worker that ends closes the last of its loops', async t => {
  const worker = new Worker(built('test/fixtures/loop-worker.js'), { workerData: 'exits' });
  const closed = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  t.equal(closed, true);
});

t.test('a worker can be terminated with operations in flight', async () => {
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(built('test/fixtures/loop-worker.js'), { workerData: 'busy' });
    await once(worker, 'message');
    await worker.terminate();
  }
});
