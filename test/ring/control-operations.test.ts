/** Polls, timeouts, cancellation of each kind, messages between rings, futexes, processes. */
import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import t from 'tap';
import * as abi from 'uasync/ring';
import { P_PID, Ring, SIGINFO_SIZE, WEXITED } from 'uasync/ring';
import { lacking, one, ring, several } from './driver.js';
import '../patience.js';

const POLLIN = 1;
const POLLOUT = 4;

/** A pipe through the ring. */
function pipe(): [number, number] {
  const fds = new Int32Array(2);
  t.equal(
    one(sqe => sqe.pipe(fds)),
    0,
  );
  return [fds[0]!, fds[1]!];
}

const needsPipe = lacking(['PIPE', abi.OP_PIPE, '6.16']);

t.test('pollAdd completes once with the events', { skip: needsPipe }, async t => {
  const [reader, writer] = pipe();
  t.equal(
    one(sqe => sqe.pollAdd(writer, POLLIN | POLLOUT)),
    POLLOUT,
  );
  ring.getSqe()!.pollAdd(reader, POLLIN).userData(1);
  ring.submit();
  t.equal(ring.cqReady, 0);
  writeSync(writer, 'x');
  t.equal(ring.copyCqes(1)[0]!.res, POLLIN);
  closeSync(reader);
  closeSync(writer);
});

t.test('pollMultishot, pollUpdate and pollRemove', { skip: needsPipe }, async t => {
  const [reader, writer] = pipe();
  ring.getSqe()!.pollMultishot(reader, POLLIN).userData(1);
  ring.submit();
  for (let i = 0; i < 3; i++) {
    writeSync(writer, 'x');
    const cqe = ring.copyCqes(1)[0]!;
    t.equal(cqe.res, POLLIN);
    t.ok(cqe.flags & abi.CQE_F_MORE);
  }
  t.equal(several(1, sqe => sqe.pollUpdate(1, 2, 0, abi.POLL_UPDATE_USER_DATA).userData(9)).get(9), 0);
  writeSync(writer, 'x');
  t.equal(ring.copyCqes(1)[0]!.userData, 2, 'it has its new user_data');
  const results = several(2, sqe => sqe.pollRemove(2).userData(9));
  t.equal(results.get(9), 0);
  t.equal(results.get(2), -125);
  t.equal(several(1, sqe => sqe.pollRemove(2).userData(9)).get(9), -2, 'ENOENT');
  closeSync(reader);
  closeSync(writer);
});

t.test('timeouts: a count, an update, a removal, multishot', async t => {
  const counted = several(
    3,
    sqe => sqe.timeout(1e6, 1).userData(1),
    sqe => sqe.nop().userData(2),
    sqe => sqe.nop().userData(3),
  );
  t.equal(counted.get(1), 0, 'other completions have ended it');
  ring.getSqe()!.timeout(1e6).userData(1);
  ring.submit();
  const updated = several(2, sqe => sqe.timeoutUpdate(1, 5).userData(2));
  t.equal(updated.get(2), 0);
  t.equal(updated.get(1), -62);
  ring.getSqe()!.timeout(1e6).userData(1);
  ring.submit();
  const removed = several(2, sqe => sqe.timeoutRemove(1).userData(2));
  t.equal(removed.get(2), 0);
  t.equal(removed.get(1), -125);
  t.equal(several(1, sqe => sqe.timeoutRemove(1).userData(2)).get(2), -2);
  ring.getSqe()!.timeout(2, 3, abi.TIMEOUT_MULTISHOT).userData(1);
  ring.submit();
  const ticks = [];
  while (ticks.length < 3) ticks.push(...ring.copyCqes(1).map(cqe => cqe.flags & abi.CQE_F_MORE));
  t.strictSame(ticks, [abi.CQE_F_MORE, abi.CQE_F_MORE, 0]);
  for (const period of [0, 0.001]) {
    const wrong = { code: 'ERR_OUT_OF_RANGE' };
    t.throws(
      () => ring.getSqe()!.timeout(period, 0, abi.TIMEOUT_MULTISHOT),
      wrong,
      'the kernel would never return',
    );
  }
});

t.test('cancel by user_data, descriptor, operation, and anything', { skip: needsPipe }, async t => {
  const [reader, writer] = pipe();
  const buffer = Buffer.alloc(1);
  const park = (): void => {
    for (const id of [1, 2]) ring.getSqe()!.read(reader, buffer).userData(id);
    ring.getSqe()!.timeout(1e6).userData(3);
    ring.submit();
  };
  park();
  const byData = several(2, sqe => sqe.cancel(2n).userData(9));
  t.equal(byData.get(2), -125);
  t.equal(byData.get(9), 0);
  const byFd = several(2, sqe => sqe.cancelFd(reader, abi.ASYNC_CANCEL_ALL).userData(9));
  t.equal(byFd.get(9), 1, 'one was left on that descriptor');
  t.equal(byFd.get(1), -125);
  const byOp = several(2, sqe => sqe.cancelOp(abi.OP_TIMEOUT).userData(9));
  t.equal(byOp.get(9), 0);
  t.equal(byOp.get(3), -125);
  park();
  const all = several(4, sqe => sqe.cancelAny(abi.ASYNC_CANCEL_ALL).userData(9));
  t.equal(all.get(9), 3);
  t.strictSame([all.get(1), all.get(2), all.get(3)], [-125, -125, -125]);
  t.equal(several(1, sqe => sqe.cancelAny().userData(9)).get(9), 0, 'nothing is left: it counts');
  closeSync(reader);
  closeSync(writer);
});

t.test('two rings talk by messages', async t => {
  const other = new Ring(4);
  t.equal(
    one(sqe => sqe.msgRing(other.fd, 123, 2n ** 60n)),
    0,
  );
  t.strictSame(other.copyCqes(1), [{ userData: 2n ** 60n, res: 123, flags: 0 }]);
  t.equal(
    one(sqe => sqe.msgRingCqeFlags(other.fd, 5, 6, 0, 0x40)),
    0,
  );
  t.strictSame(other.copyCqes(1), [{ userData: 6, res: 5, flags: 0x40 }]);
  other.close();
});

t.test('provided buffers of the old kind', { skip: needsPipe }, async t => {
  const [reader, writer] = pipe();
  const memory = Buffer.alloc(64);
  t.equal(
    one(sqe => sqe.provideBuffers(memory, 16, 4, 12, 100)),
    0,
  );
  writeSync(writer, 'provided');
  const cqe =
    ring.getSqe()!.read(reader, Buffer.alloc(0)).bufferSelect(12).userData(1) &&
    ring.submit(1) &&
    ring.copyCqes(1)[0]!;
  t.ok(cqe);
  const id = abi.BufRing.idOf((cqe as { flags: number }).flags);
  t.ok(id >= 100 && id < 104);
  t.equal(
    one(sqe => sqe.removeBuffers(4, 12)),
    3,
    'three were left',
  );
  t.throws(() => ring.getSqe()!.provideBuffers(memory, 17, 4, 12), { code: 'ERR_OUT_OF_RANGE' });
  ring.submit(1);
  ring.copyCqes();
  closeSync(reader);
  closeSync(writer);
});

t.test('futexes', { skip: lacking(['FUTEX_WAIT', abi.OP_FUTEX_WAIT, '6.7']) }, async t => {
  const futex = new Int32Array(1);
  t.equal(
    one(sqe => sqe.futexWait(futex, 1)),
    -11,
    'EAGAIN: it has another value',
  );
  ring.getSqe()!.futexWait(futex, 0).userData(1);
  ring.submit();
  const woken = several(2, sqe => sqe.futexWake(futex, 10).userData(2));
  t.equal(woken.get(2), 1);
  t.equal(woken.get(1), 0);
  const other = new Uint32Array(1);
  ring
    .getSqe()!
    .futexWaitv([
      { futex, value: 0 },
      { futex: other, value: 0 },
    ])
    .userData(1);
  ring.submit();
  const second = several(2, sqe => sqe.futexWake(other, 1).userData(2));
  t.equal(second.get(1), 1, 'the second was woken');
  t.throws(() => ring.getSqe()!.futexWaitv([]), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.futexWait(new Int32Array(0), 0), { code: 'ERR_OUT_OF_RANGE' });
  ring.submit(2);
  ring.copyCqes();
});

t.test('waitid sees a child end', { skip: lacking(['WAITID', abi.OP_WAITID, '6.7']) }, async t => {
  const child = spawn(process.execPath, ['-e', 'process.exit(3)'], { stdio: 'ignore' });
  const ended = new Promise(resolve => child.once('exit', resolve));
  const info = Buffer.alloc(SIGINFO_SIZE);
  const WNOWAIT = 0x01000000;
  t.equal(
    one(sqe => sqe.waitid(P_PID, child.pid!, info, WEXITED | WNOWAIT)),
    0,
  );
  t.equal(info.readInt32LE(16), child.pid, 'si_pid');
  t.equal(info.readInt32LE(24), 3, 'si_status');
  t.equal(await ended, 3, 'Node still gets it');
});

t.test('syncCancel cancels what matches all that it is told', { skip: needsPipe }, async t => {
  const [reader, writer] = pipe();
  for (const userData of [1, 2]) ring.getSqe()!.pollAdd(reader, POLLIN).userData(userData);
  ring.submit();
  t.throws(() => ring.syncCancel({ userData: 3, fd: reader }), { code: 'ENOENT' });
  t.throws(() => ring.syncCancel({ userData: 3, op: abi.OP_POLL_ADD }), { code: 'ENOENT' });
  t.throws(() => ring.syncCancel({ userData: 2, fd: writer }), { code: 'ENOENT' });
  t.equal(ring.cqReady, 0);
  for (const userData of [2, 1]) {
    t.equal(ring.syncCancel({ userData, fd: reader, op: abi.OP_POLL_ADD }), 0);
    t.strictSame(
      ring.copyCqes(1).map(cqe => [cqe.userData, cqe.res]),
      [[userData, -125]],
    );
  }
  closeSync(reader);
  closeSync(writer);
});

t.test('a time in the entry itself is in nanoseconds', async t => {
  const other = new Ring(4);
  const flags = abi.TIMEOUT_IMMEDIATE_ARG;
  const { words } = other.getSqe()!;
  const bytes = Buffer.from(words.buffer);
  const nanoseconds = (at: number): bigint => bytes.readBigUInt64LE(at);
  other.getSqe()!.timeout(1500.25, 0, flags);
  t.equal(nanoseconds(64 + 16), 1_500_250_000n);
  other.getSqe()!.linkTimeout(2 ** 53 - 1, flags);
  t.equal(nanoseconds(128 + 16), 2n ** 63n - 1024n, 'at most');
  other.getSqe()!.timeoutUpdate(7, 0.001, flags);
  t.equal(nanoseconds(192 + 8), 1000n);
  other.close();
});
