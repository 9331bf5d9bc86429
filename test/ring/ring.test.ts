/** The queues: submitting, completing, overflow, wrap-around, closing. */
import t from 'tap';
import {
  type Cqe,
  Ring,
  SETUP_NO_SQARRAY,
  SETUP_SQE_MIXED,
  SETUP_SQPOLL,
  SQE_CQE_SKIP_SUCCESS,
} from 'uasync/ring';
import { openFds } from '../harness.js';

/** A ring that goes away with its test. */
function ringFor(test: { teardown(fn: () => void): void }, entries: number, options?: object): Ring {
  const ring = new Ring(entries, options);
  test.teardown(() => ring.close());
  return ring;
}

t.test('an entry is a NOP with user_data 0 until it is filled', async t => {
  const ring = ringFor(t, 4);
  t.ok(ring.getSqe());
  t.equal(ring.submit(), 1);
  t.strictSame(ring.copyCqes(1), [{ userData: 0, res: 0, flags: 0 }]);
});

t.test('user_data comes back whole', async t => {
  const ring = ringFor(t, 16);
  const values = [0, 41, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n];
  for (const value of values) ring.getSqe()!.userData(value);
  ring.submit(values.length);
  t.strictSame(
    ring.copyCqes().map(cqe => cqe.userData),
    values,
  );
  ring.getSqe()!.userData(7n);
  ring.submit(1);
  t.equal(ring.copyCqes()[0]!.userData, 7, 'a small bigint comes back as a number');
});

t.test('getSqe returns null when the queue is full, until a submit', async t => {
  const ring = ringFor(t, 2);
  t.equal(ring.sqEntries, 2);
  t.ok(ring.getSqe());
  t.equal(ring.sqSpaceLeft, 1);
  t.ok(ring.getSqe());
  t.equal(ring.getSqe(), null);
  t.equal(ring.sqReady, 2);
  t.equal(ring.submit(), 2);
  t.equal(ring.sqReady, 0);
  t.ok(ring.getSqe());
});

t.test('completions are taken by waiting, by polling, and into an array', async t => {
  const ring = ringFor(t, 8);
  t.strictSame(ring.copyCqes(), [], 'none are there');
  for (let i = 0; i < 5; i++) ring.getSqe()!.userData(i);
  t.equal(ring.submit(), 5);
  t.equal(ring.cqReady, 5);
  const into: Cqe[] = [{ userData: -1, res: -1, flags: -1 }];
  into.length = 2;
  t.equal(ring.copyCqes(into), 2);
  t.strictSame(
    into.map(cqe => cqe.userData),
    [0, 1],
  );
  const seen: (number | bigint)[] = [];
  t.equal(
    ring.forEachCqe(cqe => seen.push(cqe.userData)),
    3,
  );
  t.strictSame(seen, [2, 3, 4]);
  t.equal(ring.cqReady, 0);
});

t.test('both queues wrap, many times', async t => {
  const ring = ringFor(t, 4);
  let next = 0;
  let expected = 0;
  for (let round = 0; round < 1000; round++) {
    for (let i = 0; i < 1 + (round % 4); i++) ring.getSqe()!.userData(next++);
    ring.submit();
    for (const cqe of ring.copyCqes(1)) if (cqe.userData !== expected++) t.fail('out of order');
  }
  t.equal(expected, next);
});

t.test('overflow loses nothing', async t => {
  const ring = ringFor(t, 4, { cqEntries: 4 });
  const total = 40;
  for (let sent = 0; sent < total; ) {
    const sqe = ring.getSqe();
    if (sqe === null) ring.submit();
    else sqe.userData(sent++);
  }
  ring.submit();
  t.ok(ring.cqHasOverflow);
  const seen: unknown[] = [];
  while (seen.length < total) {
    const cqes = ring.copyCqes();
    if (cqes.length === 0) break;
    seen.push(...cqes.map(cqe => cqe.userData));
  }
  t.strictSame(seen, [...Array(total).keys()]);
  t.equal(ring.cqDropped, 0);
  t.notOk(ring.cqHasOverflow);
});

t.test('a sink may submit and reap while it is called', async t => {
  const ring = ringFor(t, 4);
  for (let i = 0; i < 4; i++) ring.getSqe()!.userData(i);
  ring.submit();
  const seen: number[] = [];
  const sink = {
    onCqe(low: number): void {
      seen.push(low);
      if (low >= 4) return;
      ring.getSqe()!.userData(low + 4);
      ring.submit();
      ring.reap(sink);
    },
  };
  ring.reap(sink);
  t.strictSame(
    seen.sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  t.equal(ring.cqReady, 0);
});

t.test('links run in order, and a failure cancels the rest', async t => {
  const ring = ringFor(t, 8);
  ring.getSqe()!.close(0x7ffffffe).userData(1).link();
  ring.getSqe()!.nop().userData(2).link();
  ring.getSqe()!.nop().userData(3);
  ring.submit(3);
  const res = new Map(ring.copyCqes().map(cqe => [cqe.userData, cqe.res]));
  t.equal(res.get(1), -9, 'EBADF');
  t.equal(res.get(2), -125, 'ECANCELED');
  t.equal(res.get(3), -125);
});

t.test('drain waits for all before it, and holds back what comes after', async t => {
  const ring = ringFor(t, 8);
  ring.getSqe()!.timeout(20).userData(1);
  ring.getSqe()!.nop().userData(2);
  ring.getSqe()!.nop().userData(3).drain();
  ring.getSqe()!.nop().userData(4);
  ring.submit();
  const order: unknown[] = [];
  while (order.length < 4) order.push(...ring.copyCqes(1).map(cqe => cqe.userData));
  t.strictSame(order, [2, 1, 3, 4]);
});

t.test('a hard link goes on after a failure', async t => {
  const ring = ringFor(t, 8);
  ring.getSqe()!.close(0x7ffffffe).userData(1).hardlink();
  ring.getSqe()!.nop().userData(2).link();
  ring.getSqe()!.nop().userData(3);
  ring.submit(3);
  t.strictSame(
    ring.copyCqes().map(cqe => [cqe.userData, cqe.res]),
    [
      [1, -9],
      [2, 0],
      [3, 0],
    ],
  );
});

t.test('modifiers may come before the operation', async t => {
  const ring = ringFor(t, 8);
  ring.getSqe()!.userData(5).setFlags(SQE_CQE_SKIP_SUCCESS).nop();
  ring.getSqe()!.userData(6).nop();
  ring.submit(1);
  t.strictSame(
    ring.copyCqes().map(cqe => cqe.userData),
    [6],
  );
});

t.test('submitAndWaitTimeout comes back without a completion', async t => {
  const ring = ringFor(t, 4);
  const start = performance.now();
  t.equal(ring.submitAndWaitTimeout(1, 20), 0);
  t.ok(performance.now() - start >= 19);
  ring.getSqe()!.userData(9);
  t.equal(ring.submitAndWaitTimeout(1, 1e6), 1);
  t.equal(ring.copyCqes()[0]!.userData, 9);
});

t.test('timeouts carry fractions of a millisecond', async t => {
  const ring = ringFor(t, 4);
  for (const ms of [0, 0.25, 3.75]) {
    const start = performance.now();
    ring.getSqe()!.timeout(ms);
    ring.submit(1);
    t.equal(ring.copyCqes()[0]!.res, -62, 'ETIME');
    const took = performance.now() - start;
    t.ok(took >= ms, `${ms} ms took ${took}`);
  }
});

t.test('cancel by user_data finds its target, or does not', async t => {
  const ring = ringFor(t, 8);
  ring
    .getSqe()!
    .timeout(1e6)
    .userData(2 ** 40);
  ring.submit();
  ring
    .getSqe()!
    .cancel(2 ** 40)
    .userData(1);
  ring.getSqe()!.cancel(77).userData(2);
  ring.submit(3);
  const res = new Map(ring.copyCqes().map(cqe => [cqe.userData, cqe.res]));
  t.equal(res.get(2 ** 40), -125);
  t.equal(res.get(1), 0);
  t.equal(res.get(2), -2, 'ENOENT');
});

t.test('link timeouts cut an operation short', async t => {
  const ring = ringFor(t, 8);
  ring.getSqe()!.timeout(1e6).userData(1).link();
  ring.getSqe()!.linkTimeout(5).userData(2);
  ring.submit(2);
  const res = new Map(ring.copyCqes().map(cqe => [cqe.userData, cqe.res]));
  t.equal(res.get(1), -125);
  t.equal(res.get(2), -62);
});

t.test('SQPOLL takes entries by itself, and is woken when it sleeps', async t => {
  const ring = ringFor(t, 8, { flags: SETUP_SQPOLL, sqThreadIdle: 1 });
  for (let round = 0; round < 3; round++) {
    ring.getSqe()!.userData(round);
    ring.submit();
    t.equal(ring.copyCqes(1)[0]!.userData, round);
    await new Promise(resolve => setTimeout(resolve, 30));
  }
});

t.test('flags the kernel lacks are peeled off if optional, and refused if not', async t => {
  const ring = ringFor(t, 4, { optionalFlags: SETUP_SQE_MIXED | SETUP_NO_SQARRAY });
  t.not(ring.fd, -1);
  t.throws(() => new Ring(4, { flags: -0x80000000 }), { code: 'EINVAL', syscall: 'io_uring_setup' });
});

t.test('wrong arguments are refused before the kernel sees them', async t => {
  const before = openFds();
  for (const entries of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
    t.throws(() => new Ring(entries), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
  }
  t.throws(() => new Ring('8' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => new Ring(8, { cqEntries: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => new Ring(8, null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.equal(openFds(), before);

  const ring = ringFor(t, 8);
  const buffer = Buffer.alloc(8);
  t.throws(() => ring.getSqe()!.read(-1, buffer), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.read(1.5, buffer), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.read(0, 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => ring.getSqe()!.read(0, buffer, 2 ** 53), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.userData(-1), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.userData(2n ** 64n), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.openat(-100, 'a\0b', 0), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => ring.getSqe()!.timeout(-1), { code: 'ERR_OUT_OF_RANGE' });
  const detached = new ArrayBuffer(8);
  const view = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  t.throws(() => ring.submit(-1), { code: 'ERR_OUT_OF_RANGE' });
  ring.submit();
  ring.copyCqes();
  t.throws(() => ring.getSqe()!.read(0, view), { code: 'ERR_INVALID_STATE' });
});

t.test('a closed ring says so, whatever is called', async t => {
  const before = openFds();
  const ring = new Ring(4);
  const sqe = ring.getSqe()!;
  ring.close();
  ring.close();
  t.equal(openFds(), before);
  const closed = { code: 'ERR_CLOSED' };
  t.throws(() => ring.getSqe(), closed);
  t.throws(() => ring.submit(), closed);
  t.throws(() => ring.copyCqes(), closed);
  t.throws(() => ring.forEachCqe(() => {}), closed);
  t.throws(() => ring.submitAndGetEvents(), closed);
  t.throws(() => ring.submitAndWaitTimeout(1, 1), closed);
  t.throws(() => ring.sqReady, closed);
  t.throws(() => ring.cqReady, closed);
  // The cursor of before is harmless.
  sqe.nop().userData(3).link();
  t.throws(() => sqe.openat(-100, '/', 0), closed);
});

t.test('many rings live side by side', async t => {
  const rings = Array.from({ length: 32 }, () => new Ring(2));
  for (const [i, ring] of rings.entries()) {
    ring.getSqe()!.userData(i);
    ring.submit();
  }
  for (const [i, ring] of rings.entries()) t.equal(ring.copyCqes(1)[0]!.userData, i);
  for (const ring of rings) ring.close();
});
