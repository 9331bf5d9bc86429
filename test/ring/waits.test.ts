/** Ways to enter the kernel and to wait in it, and queues that change their size. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import * as abi from 'uasync/ring';
import { type Cqe, Ring, type RingOptions, sendMessage, UasyncError, WaitRegion } from 'uasync/ring';
import { openFds } from '../harness.js';

const DEFER = abi.SETUP_SINGLE_ISSUER | abi.SETUP_DEFER_TASKRUN;

function ringFor(test: { teardown(end: () => void): void }, entries: number, options?: RingOptions): Ring {
  const ring = new Ring(entries, options);
  test.teardown(() => ring.close());
  return ring;
}

/** How long `call` takes, in milliseconds. */
function time(call: () => void): number {
  const start = performance.now();
  call();
  return performance.now() - start;
}

t.test('a least wait is over as soon as one completion is there', async t => {
  const ring = ringFor(t, 8, { flags: DEFER });
  if (!(ring.features & abi.FEAT_MIN_TIMEOUT)) return t.comment('least waits came with Linux 6.12');
  ring.getSqe()!.nop();
  const took = time(() => t.equal(ring.submitAndWaitTimeout(2, 1e6, 20), 1));
  t.ok(took >= 15, `${took} ms`);
  t.equal(ring.copyCqes().length, 1);
  t.throws(() => ring.submitAndWaitTimeout(1, 1, -1), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.submitAndWaitTimeout(1, 1, 2 ** 32), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('a signal does not end a wait', async t => {
  const ignore = (): void => {};
  process.on('SIGUSR2', ignore);
  const sender = spawn('sh', ['-c', `while kill -USR2 ${process.pid}; do sleep 0.03; done`]);
  t.teardown(async () => {
    sender.kill();
    await once(sender, 'exit');
    process.off('SIGUSR2', ignore);
  });
  await once(process, 'SIGUSR2');
  for (const flags of [0, DEFER]) {
    const ring = ringFor(t, 8, { flags });
    ring.getSqe()!.timeout(250);
    t.equal(ring.submit(1), 1);
    t.equal(ring.copyCqes().length, 1);
    ring.getSqe()!.timeout(250);
    t.equal(ring.submitAndWaitTimeout(1, 1e6), 1);
    t.equal(ring.copyCqes().length, 1);
    const took = time(() => t.equal(ring.submitAndWaitTimeout(1, 200), 0));
    t.ok(took >= 199, `${took} ms`);
    if (!(ring.features & abi.FEAT_MIN_TIMEOUT)) continue;
    ring.getSqe()!.timeout(250);
    t.equal(ring.submitAndWaitTimeout(2, 1e6, 100), 1, 'after the least wait the first one is enough');
    t.equal(ring.copyCqes().length, 1);
  }
});

t.test('waits whose terms are registered', async t => {
  const ring = ringFor(t, 8, { flags: abi.SETUP_R_DISABLED });
  let waits: WaitRegion;
  try {
    waits = new WaitRegion(ring, 2);
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    return t.comment('memory regions came with Linux 6.13');
  }
  t.equal(waits.entries, 64, 'a page of them');
  t.throws(() => new WaitRegion(ring, 1), { code: 'EBUSY' });
  ring.enableRings();
  waits.set(0, 20);
  const none = time(() => t.equal(ring.submitAndWaitReg(1, 0), 0));
  t.ok(none >= 19, `${none} ms`);
  waits.set(63, 1e6, 20);
  ring.getSqe()!.nop();
  const one = time(() => t.equal(ring.submitAndWaitReg(2, 63), 1));
  t.ok(one >= 15, `${one} ms`);
  waits.set(1, undefined);
  ring.getSqe()!.nop();
  t.equal(ring.submitAndWaitReg(1, 1), 1, 'no limit');
  t.throws(() => ring.submitAndWaitReg(1, 64), { code: 'EFAULT', syscall: 'io_uring_enter' });
  t.throws(() => waits.set(64, 1), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => waits.set(0, Number.NaN), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => new WaitRegion(ringFor(t, 2), 1), { code: 'EINVAL' }, 'the ring is enabled');
  ring.close();
  t.throws(() => waits.set(0, 1), { code: 'ERR_CLOSED' });
});

t.test('a ring is named by a registered index', async t => {
  const before = openFds();
  const ring = ringFor(t, 4);
  ring.registerRingFd();
  t.throws(() => ring.registerRingFd(), { code: 'EEXIST' });
  for (let i = 0; i < 10; i++) {
    ring.getSqe()!.userData(i);
    t.equal(ring.submit(1), 1);
    t.equal(ring.copyCqes()[0]!.userData, i);
  }
  t.equal(ring.submitAndWaitTimeout(1, 1), 0);
  ring.registerFilesSparse(2);
  ring.unregisterRingFd();
  t.throws(() => ring.unregisterRingFd(), { code: 'EINVAL' });
  ring.getSqe();
  t.equal(ring.submit(1), 1);
  // As many as a thread can have are free again after each close. 16 is the kernel's limit.
  ring.close();
  for (let i = 0; i < 40; i++) {
    const other = new Ring(2);
    other.registerRingFd();
    other.close();
  }
  t.equal(openFds(), before);
});

t.test('waits need not count as iowait', async t => {
  const ring = ringFor(t, 4);
  if (!(ring.features & abi.FEAT_NO_IOWAIT)) {
    t.throws(() => ring.setIowait(false), { code: 'EOPNOTSUPP' });
    return;
  }
  for (const enabled of [false, true]) {
    ring.setIowait(enabled);
    ring.getSqe()!.timeout(1);
    t.equal(ring.submit(1), 1);
    t.equal(ring.copyCqes().length, 1);
  }
});

t.test('sqringWait waits for the SQPOLL thread to make room', async t => {
  const ring = ringFor(t, 2, { flags: abi.SETUP_SQPOLL, sqThreadIdle: 50 });
  let sent = 0;
  while (sent < 500) {
    const sqe = ring.getSqe();
    if (sqe === null) {
      ring.sqringWait();
      t.ok(ring.sqSpaceLeft > 0 || sent >= 0);
    } else {
      sqe.userData(sent++);
      ring.submit();
      ring.copyCqes();
    }
  }
  const plain = ringFor(t, 2);
  plain.getSqe();
  plain.getSqe();
  const { enters } = plain;
  plain.sqringWait();
  t.equal(plain.enters, enters, 'other rings have nothing to wait for');
});

t.test('a ring gets larger and smaller, with what is in its queues', async t => {
  const ring = ringFor(t, 4, { flags: DEFER });
  const cqes: Cqe[] = [];
  // Three wait to be reaped, and two to be submitted.
  for (let i = 0; i < 3; i++) ring.getSqe()!.userData(i);
  ring.submit(3);
  for (let i = 3; i < 5; i++) ring.getSqe()!.userData(i);
  const buffer = Buffer.alloc(8);
  ring.getSqe()!.read(0x7ffffff0, buffer).userData(5);
  try {
    ring.resize(64, 256);
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    return t.comment('rings can be resized since Linux 6.13');
  }
  t.equal(ring.sqEntries, 64);
  t.equal(ring.cqEntries, 256);
  t.equal(ring.sqReady, 3);
  t.equal(ring.cqReady, 3);
  t.equal(ring.submit(6), 3);
  cqes.push(...ring.copyCqes());
  t.strictSame(
    cqes.map(cqe => cqe.userData),
    [0, 1, 2, 3, 4, 5],
  );
  t.equal(cqes[5]!.res, -9, 'EBADF: the entry is the one that was filled');
  for (let i = 0; i < 64; i++) ring.getSqe()!.userData(i);
  t.equal(ring.getSqe(), null);
  t.throws(() => ring.resize(2), { code: 'EOVERFLOW' }, 'what is queued must fit');
  t.equal(ring.submit(64), 64);
  t.equal(ring.copyCqes().length, 64);
  ring.resize(2);
  t.equal(ring.sqEntries, 2);
  t.equal(ring.cqEntries, 4);
  for (let round = 0; round < 50; round++) {
    const sqe = ring.getSqe()!;
    // The cursor of before a resize writes nowhere.
    if (round === 25) {
      ring.resize(8);
      sqe.userData(99);
      t.equal(ring.submit(1), 1);
      t.equal(ring.copyCqes()[0]!.userData, 0);
      continue;
    }
    sqe.userData(round);
    ring.submit(1);
    if (ring.copyCqes()[0]!.userData !== round) t.fail(`round ${round}`);
  }
  t.throws(() => ring.resize(0), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ringFor(t, 4).resize(8), { code: 'EINVAL' }, 'only with SETUP_DEFER_TASKRUN');
});

t.test('a sink may resize the ring it is called from', async t => {
  const ring = ringFor(t, 16, { flags: DEFER });
  for (let i = 0; i < 10; i++) ring.getSqe()!.userData(i);
  ring.submit(10);
  const seen: number[] = [];
  try {
    const sink = {
      onCqe(low: number): void {
        seen.push(low);
        if (low === 4) ring.resize(32);
      },
    };
    t.equal(ring.reap(sink), 10);
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    return t.comment('rings can be resized since Linux 6.13');
  }
  t.strictSame(seen, [...Array(10).keys()]);
});

t.test('a message to a ring needs no ring', async t => {
  const ring = ringFor(t, 4);
  try {
    sendMessage(ring.fd, -5, 2n ** 60n);
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    return t.comment('messages without a ring came with Linux 6.13');
  }
  t.strictSame(ring.copyCqes(), [{ userData: 2n ** 60n, res: -5, flags: 0 }]);
  t.throws(() => sendMessage(0x7ffffff0, 0, 0), { code: 'EBADF', syscall: 'io_uring_register' });
  t.throws(() => sendMessage(-1, 0, 0), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => sendMessage(ring.fd, 0, -1), { code: 'ERR_OUT_OF_RANGE' });
});
