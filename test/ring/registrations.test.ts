/** Registrations, by what they change for the operations after them. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import t from 'tap';
import * as abi from 'uasync/ring';
import { BufRing, Ring, UasyncError } from 'uasync/ring';
import { openFds, scratchFolder } from '../harness.js';
import { one, ring, several } from './driver.js';

const folder = scratchFolder();
const path = join(folder, 'file');
writeFileSync(path, 'registered contents');

/** The two ends of a pipe, for the test's duration. */
function pipeOf(test: { teardown(end: () => void): void }): [reader: number, writer: number] {
  const ends = new Int32Array(2);
  koffi.load(null).func('pipe', 'int', ['void *'])(ends);
  test.teardown(() => {
    for (const fd of ends) closeSync(fd);
  });
  return [ends[0]!, ends[1]!];
}

/** Runs `call`; true if this kernel is too old for it, which is said. */
function tooOld(test: { comment(text: string): void }, since: string, call: () => void): boolean {
  try {
    call();
    return false;
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    test.comment(`this kernel does not know it: it came with Linux ${since}`);
    return true;
  }
}

t.test('registered buffers are read into and written from, and updated while registered', async t => {
  const [a, b] = [Buffer.alloc(4096), Buffer.alloc(4096)];
  ring.registerBuffers([a, b]);
  const fd = openSync(path, 'r+');
  t.equal(
    one(sqe => sqe.readFixed(fd, b.subarray(10, 20), 0, 1)),
    10,
  );
  t.equal(b.toString('latin1', 10, 20), 'registered');
  t.equal(
    one(sqe => sqe.readFixed(fd, Buffer.alloc(10), 0, 1)),
    -14,
    'EFAULT outside of the buffer',
  );
  a.write('REG');
  t.equal(
    one(sqe => sqe.writeFixed(fd, a.subarray(0, 3), 0, 0)),
    3,
  );
  t.equal(readFileSync(path, 'latin1'), 'REGistered contents');
  const c = Buffer.alloc(64);
  ring.updateBuffers(1, [c]);
  t.equal(
    one(sqe => sqe.readFixed(fd, c.subarray(0, 3), 0, 1)),
    3,
  );
  t.equal(c.toString('latin1', 0, 3), 'REG');
  const vector = one(sqe => sqe.readvFixed(fd, [c.subarray(0, 2), c.subarray(10, 12)], 0, 0, 1));
  t.ok(vector === 4 || vector === -22, 'EINVAL before 6.15');
  t.throws(() => ring.registerBuffers([a]), { code: 'EBUSY', syscall: 'io_uring_register' });
  const other = new Ring(4);
  if (!tooOld(t, '6.12', () => other.cloneBuffers(ring))) {
    other.getSqe()!.readFixed(fd, c.subarray(0, 3), 3, 1);
    other.submit(1);
    t.equal(other.copyCqes(1)[0]!.res, 3, 'the other ring has them too');
  }
  other.close();
  ring.unregisterBuffers();
  t.equal(
    one(sqe => sqe.readFixed(fd, c, 0, 1)),
    -14,
  );
  ring.registerBuffersSparse(4);
  ring.updateBuffers(3, [c, ...[]]);
  t.equal(
    one(sqe => sqe.readFixed(fd, c.subarray(0, 3), 0, 3)),
    3,
  );
  ring.unregisterBuffers();
  t.throws(() => ring.unregisterBuffers(), { code: 'ENXIO' });
  t.throws(() => ring.registerBuffers([5 as never]), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => ring.registerBuffers([]), { code: 'ERR_OUT_OF_RANGE' });
  closeSync(fd);
});

t.test('registered files stand for descriptors', async t => {
  const fd = openSync(path, 'r');
  ring.registerFiles([fd, -1, -1]);
  closeSync(fd);
  const buffer = Buffer.alloc(3);
  t.equal(
    one(sqe => sqe.read(0, buffer, 0).fixedFile()),
    3,
    'although its descriptor is closed',
  );
  t.equal(
    one(sqe => sqe.read(1, buffer, 0).fixedFile()),
    -9,
  );
  const second = openSync(path, 'r');
  t.equal(ring.updateFiles(1, [second]), 1);
  t.equal(
    one(sqe => sqe.read(1, buffer, 0).fixedFile()),
    3,
  );
  t.equal(
    one(sqe => sqe.filesUpdate(Int32Array.of(-1), 1)),
    1,
    'and by an operation',
  );
  t.equal(
    one(sqe => sqe.read(1, buffer, 0).fixedFile()),
    -9,
  );
  closeSync(second);
  ring.unregisterFiles();

  ring.registerFilesSparse(8);
  ring.registerFileAllocRange(4, 4);
  t.equal(
    one(sqe => sqe.openatDirect(abi.AT_FDCWD, path, 0, 0, abi.FILE_INDEX_ALLOC)),
    4,
    'the first of the range',
  );
  t.equal(
    one(sqe => sqe.openDirect(path, 0, 0, 2)),
    0,
  );
  t.equal(
    one(sqe => sqe.openat2Direct(abi.AT_FDCWD, path, { flags: 0 }, 3)),
    0,
  );
  t.equal(
    one(sqe => sqe.read(2, buffer, 0).fixedFile()),
    3,
  );
  const installed = one(sqe => sqe.fixedFdInstall(2));
  t.ok(installed > 0 || installed === -22, 'EINVAL before 6.8');
  if (installed > 0) closeSync(installed);
  t.equal(
    one(sqe => sqe.closeDirect(2)),
    0,
  );
  t.equal(
    one(sqe => sqe.closeDirect(2)),
    -9,
  );
  const other = new Ring(4);
  other.registerFilesSparse(2);
  t.equal(
    one(sqe => sqe.msgRingFd(other.fd, 3, 1, 77)),
    0,
    'a file is given to another ring',
  );
  t.equal(other.copyCqes(1)[0]!.userData, 77);
  other.getSqe()!.read(1, buffer, 0).fixedFile();
  other.submit(1);
  t.equal(other.copyCqes(1)[0]!.res, 3);
  other.close();
  ring.unregisterFiles();
  t.throws(() => ring.registerFiles(['x' as never]), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('an open, a read and a close in one chain, on a registered file', async t => {
  ring.registerFilesSparse(1);
  const buffer = Buffer.alloc(64);
  const results = several(
    3,
    sqe => sqe.openDirect(path, 0, 0, 0).userData(1).link(),
    // A read that is shorter than its buffer breaks a link, but not a hard one.
    sqe => sqe.read(0, buffer, 0).fixedFile().userData(2).hardlink(),
    sqe => sqe.closeDirect(0).userData(3),
  );
  t.strictSame([...results.entries()].sort(), [
    [1, 0],
    [2, 19],
    [3, 0],
  ]);
  ring.unregisterFiles();
});

t.test('completions count on an eventfd, unless switched off', async t => {
  const fd = koffi.load(null).func('int eventfd(uint, int)')(0, 0o4000) as number;
  const count = (): bigint => {
    const value = Buffer.alloc(8);
    const probe = new Ring(2);
    probe.getSqe()!.read(fd, value);
    // An empty eventfd would have the read wait.
    probe.getSqe()!.timeout(20).userData(1);
    probe.submit(1);
    probe.close();
    return value.readBigUInt64LE();
  };
  ring.registerEventfd(fd);
  one(sqe => sqe.nop());
  one(sqe => sqe.nop());
  t.ok(count() >= 1n);
  ring.cqEventfdToggle(false);
  one(sqe => sqe.nop());
  t.equal(count(), 0n);
  ring.cqEventfdToggle(true);
  one(sqe => sqe.nop());
  t.ok(count() >= 1n);
  t.throws(() => ring.registerEventfd(fd), { code: 'EBUSY' });
  ring.unregisterEventfd();
  ring.registerEventfdAsync(fd);
  ring.unregisterEventfd();
  closeSync(fd);
});

t.test('a restricted ring does what it may, and nothing else', async t => {
  const strict = new Ring(4, { flags: abi.SETUP_R_DISABLED });
  strict.getSqe()!.nop();
  t.throws(() => strict.submit(), { code: 'EBADFD' }, 'it has not been enabled');
  strict.registerRestrictions([{ kind: abi.RESTRICTION_SQE_OP, value: abi.OP_NOP }]);
  strict.enableRings();
  strict.getSqe()!.timeout(0).userData(2);
  strict.submit();
  strict.submit();
  const results = new Map<unknown, number>();
  while (results.size < 2) for (const cqe of strict.copyCqes(1)) results.set(cqe.userData, cqe.res);
  t.equal(results.get(0), 0);
  t.equal(results.get(2), -13, 'EACCES');
  t.throws(() => strict.registerFilesSparse(1), { code: 'EACCES' });
  strict.close();
});

t.test('personalities, workers, clocks and busy polling', async t => {
  const id = ring.registerPersonality();
  t.ok(id > 0);
  t.equal(
    one(sqe => sqe.nop().personality(id)),
    0,
  );
  ring.unregisterPersonality(id);
  t.equal(
    one(sqe => sqe.nop().personality(id)),
    -22,
  );
  const before = ring.registerIowqMaxWorkers(3, 4);
  t.ok(before[0] > 0 && before[1] > 0);
  t.strictSame(ring.registerIowqMaxWorkers(0, 0), [3, 4]);
  ring.registerIowqAffinity([0]);
  ring.unregisterIowqAffinity();
  t.throws(() => ring.registerIowqAffinity([-1]), { code: 'ERR_OUT_OF_RANGE' });
  tooOld(t, '6.12', () => ring.registerClock(1));
  tooOld(t, '6.9', () => {
    ring.registerNapi(10);
    ring.unregisterNapi();
  });
});

t.test('syncCancel cancels and has waited', async t => {
  ring
    .getSqe()!
    .timeout(1e6)
    .userData(2n ** 60n);
  ring.getSqe()!.timeout(1e6).userData(5);
  ring.submit();
  t.equal(ring.syncCancel({ userData: 2n ** 60n }), 0);
  t.equal(ring.copyCqes(1)[0]!.res, -125);
  t.throws(() => ring.syncCancel({ userData: 99 }), { code: 'ENOENT' });
  ring.syncCancel({ op: abi.OP_TIMEOUT, flags: abi.ASYNC_CANCEL_ALL, timeout: 1000 });
  t.equal(ring.copyCqes(1)[0]!.userData, 5);
  t.throws(() => ring.syncCancel(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('a buffer ring knows what is left', async t => {
  const group = new BufRing(ring, { group: 20, entries: 8, bufferSize: 16 });
  if (!tooOld(t, '6.8', () => group.available)) {
    t.equal(group.available, 8);
    const fd = openSync(path, 'r');
    t.equal(
      one(sqe => sqe.read(fd, Buffer.alloc(0), 0).bufferSelect(20)),
      16,
    );
    t.equal(group.available, 7);
    closeSync(fd);
  }
  group.close();
  t.throws(() => group.available, { code: 'ERR_CLOSED' });
  t.throws(() => group.publish(), { code: 'ERR_CLOSED' });
  t.equal(group.bytes[0], 0, 'its memory can still be looked at');
});

t.test('nothing is left open', async t => {
  const before = openFds();
  for (let i = 0; i < 20; i++) {
    const one = new Ring(2);
    one.registerFilesSparse(4);
    one.registerBuffers([Buffer.alloc(100)]);
    one.close();
  }
  t.ok(openFds() <= before);
});

t.test('a tag says when the kernel is done with what was registered', async t => {
  const tagged = new Ring(8);
  const into = [{ userData: 0 as number | bigint, res: 0, flags: 0 }];
  const next = (): [unknown, number] => {
    tagged.copyCqes(into, 1);
    return [into[0]!.userData, into[0]!.res];
  };
  const [a, b] = [Buffer.alloc(64), Buffer.alloc(64)];
  tagged.registerBuffers([a, b], [71, 2n ** 63n]);
  t.equal(tagged.cqReady, 0);
  tagged.updateBuffers(0, [b], [73]);
  t.strictSame(next(), [71, 0]);
  tagged.unregisterBuffers();
  t.strictSame([next(), next()].sort(), [
    [73, 0],
    [2n ** 63n, 0],
  ]);
  const fd = openSync(path, 'r');
  tagged.registerFiles([fd, fd], [81, 0]);
  t.equal(tagged.updateFiles(0, [fd, -1], [83, 0]), 2);
  t.strictSame(next(), [81, 0]);
  t.equal(tagged.updateFiles(0, [-1]), 1, 'without tags too');
  t.strictSame(next(), [83, 0]);
  tagged.unregisterFiles();
  t.equal(tagged.cqReady, 0, '0 is no tag');
  closeSync(fd);
  t.throws(() => tagged.registerFiles([fd], [1, 2]), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => tagged.registerFiles([fd], [-1]), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => tagged.registerBuffers([a], 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  tagged.close();
});

t.test('a tagged buffer that is replaced while it is written to stays until the end', async t => {
  const [reader, writer] = pipeOf(t);
  const tagged = new Ring(8);
  const [a, b] = [Buffer.alloc(64), Buffer.alloc(64)];
  tagged.registerBuffers([a], [5]);
  tagged.getSqe()!.readFixed(reader, a, -1, 0).userData(6);
  tagged.submit();
  tagged.updateBuffers(0, [b]);
  t.equal(tagged.cqReady, 0, 'neither is over');
  writeSync(writer, 'late');
  const seen = new Map<unknown, number>();
  while (seen.size < 2) for (const cqe of tagged.copyCqes(1)) seen.set(cqe.userData, cqe.res);
  t.equal(seen.get(6), 4);
  t.equal(seen.get(5), 0);
  t.equal(a.toString('latin1', 0, 4), 'late');
  tagged.close();
});

t.test('registered files that are replaced while in use finish with the old ones', async t => {
  const [reader, writer] = pipeOf(t);
  const users = new Ring(8);
  const buffer = Buffer.alloc(8);
  users.registerFiles([reader]);
  users.getSqe()!.read(0, buffer, -1).fixedFile().userData(1);
  users.submit();
  t.equal(users.updateFiles(0, [-1]), 1);
  writeSync(writer, 'old');
  t.strictSame(users.copyCqes(1), [{ userData: 1, res: 3, flags: 0 }]);
  users.getSqe()!.read(0, buffer, -1).fixedFile().userData(2);
  users.submit(1);
  t.equal(users.copyCqes()[0]!.res, -9);
  users.close();
});

t.test('part of another ring’s buffers are cloned', async t => {
  const source = new Ring(4);
  const target = new Ring(4);
  const buffers = [0, 1, 2].map(id => Buffer.alloc(32, `${id}`));
  const more = [3, 4].map(id => Buffer.alloc(32, `${id}`));
  source.registerBuffers(buffers);
  target.registerBuffers(more);
  if (tooOld(t, '6.13', () => target.cloneBuffers(source, abi.REGISTER_DST_REPLACE, 1, 1, 1))) return;
  const fd = openSync(join(folder, 'cloned'), 'w+');
  target.getSqe()!.writeFixed(fd, more[0]!.subarray(0, 2), 0, 0).link();
  target.getSqe()!.writeFixed(fd, buffers[1]!.subarray(0, 2), 2, 1);
  target.submit(2);
  t.strictSame(
    target.copyCqes().map(cqe => cqe.res),
    [2, 2],
  );
  t.equal(readFileSync(join(folder, 'cloned'), 'latin1'), '3311');
  target.getSqe()!.writeFixed(fd, more[1]!.subarray(0, 2), 0, 1);
  target.submit(1);
  t.equal(target.copyCqes()[0]!.res, -14, 'what was there is replaced');
  t.throws(() => target.cloneBuffers({} as never), { code: 'ERR_INVALID_ARG_TYPE' });
  closeSync(fd);
  source.close();
  target.close();
});

t.test('buffers up to the first that fails are replaced, and the others stay', async t => {
  const ring = new Ring(4);
  t.teardown(() => ring.close());
  try {
    ring.registerBuffersSparse(2);
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    return t.comment('sparse tables came with Linux 5.19');
  }
  const [old, other] = [Buffer.alloc(8, 'o'), Buffer.alloc(8, 'n')];
  t.equal(ring.updateBuffers(0, [old, old]), 2);
  // An empty slot cannot have a tag.
  t.equal(ring.updateBuffers(0, [other, null], [0, 7]), 1);
  const fd = openSync('/proc/version', 'r');
  ring.getSqe()!.readFixed(fd, old, 0, 1);
  ring.submit(1);
  t.equal(ring.copyCqes()[0]!.res, 8, 'the kernel has the old one');
  closeSync(fd);
  t.throws(() => ring.updateBuffers(1, [null], [7]), { code: 'EINVAL' });
});
