/** What keeps buffers alive while the kernel uses them. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { POLL_UPDATE_USER_DATA, Ring, sendMessage, UasyncError } from 'uasync/ring';
import { InFlight } from '../../src/ring/queue/in-flight.js';
import { collectGarbage, makeFifo, scratchFolder, seededRandom, turns } from '../harness.js';

t.test('operations are counted by their exact user_data', async t => {
  const random = seededRandom(t);
  const counted = new InFlight();
  const expected = new Map<string, number>();
  for (let i = 0; i < 50_000; i++) {
    // Few enough that many collide, and grow it now and then.
    const low = Math.floor(random() * 700) - 350 + (random() < 0.5 ? 4096 : 0);
    const high = random() < 0.5 ? 0 : Math.floor(random() * 3) - 1;
    const key = `${low} ${high}`;
    const count = expected.get(key) ?? 0;
    if (random() < 0.5) {
      counted.add(low, high);
      expected.set(key, count + 1);
    } else {
      const last = counted.remove(low, high);
      if (last !== (count === 1)) t.fail(`${key} was there ${count} times`);
      if (count === 1) expected.delete(key);
      else if (count > 1) expected.set(key, count - 1);
    }
  }
  t.pass('50,000 steps');
});

t.test('a message with another user_data lets no buffer go', async t => {
  const ring = new Ring(8);
  const fifo = new Int32Array(2);
  ring.getSqe()!.pipe(fifo);
  ring.submit(1);
  if (ring.copyCqes()[0]!.res < 0) return t.comment('this kernel has no PIPE: it came with Linux 6.16');
  ring.getSqe()!.read(fifo[0]!, Buffer.alloc(64)).userData(7);
  ring.submit();
  t.equal(ring.pins!.size, 1);
  try {
    for (let other = 0; other < 3000; other++) if (other !== 7) sendMessage(ring.fd, 0, other);
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    t.comment('messages without a ring came with Linux 6.13');
  }
  ring.forEachCqe(() => {});
  t.equal(ring.pins!.size, 1, 'the read is still in flight');
  ring.getSqe()!.cancel(7).userData(8);
  ring.submit(2);
  ring.copyCqes();
  t.equal(ring.pins!.size, 0);
  ring.close();
  for (const fd of fifo) closeSync(fd);
});

t.test('operations that share a user_data keep what each uses until the last has completed', async t => {
  const ring = new Ring(8);
  const fd = openSync(join(scratchFolder(), 'file'), 'w+');
  for (let i = 0; i < 3; i++) ring.getSqe()!.write(fd, Buffer.alloc(10), i * 10);
  // Not a short one: a timeout that passes ends the wait for the others.
  ring.getSqe()!.timeout(1e6);
  ring.submit(3);
  const into = Array.from({ length: 3 }, () => ({ userData: 0 as number | bigint, res: 0, flags: 0 }));
  t.equal(ring.copyCqes(into), 3);
  t.equal(ring.pins!.size, 1);
  ring.getSqe()!.timeoutRemove(0).userData(9);
  ring.submit(2);
  t.equal(ring.copyCqes(2).length, 2);
  t.equal(ring.pins!.size, 0);
  ring.close();
  closeSync(fd);
});

/** Reads of `fifo` are in flight on a ring that nothing refers to afterwards. */
function dropRing(fifo: number, close: boolean): { read: WeakRef<object>; selected: WeakRef<object> } {
  const ring = new Ring(8);
  const buffer = Buffer.from(new ArrayBuffer(4096));
  const group = Buffer.from(new ArrayBuffer(4096));
  ring.getSqe()!.provideBuffers(group, 4096, 1, 0);
  ring.submit(1);
  ring.copyCqes();
  ring.getSqe()!.read(fifo, buffer).userData(1);
  ring.submit();
  if (close) ring.close();
  return { read: new WeakRef(buffer.buffer), selected: new WeakRef(group.buffer) };
}

for (const close of [false, true]) {
  t.test(`a ring ${close ? 'closed' : 'dropped'} with a read in flight keeps its buffers`, async t => {
    const fifo = openSync(makeFifo(scratchFolder(), 'fifo'), constants.O_RDWR);
    const { read, selected } = dropRing(fifo, close);
    for (let i = 0; i < 5; i++) {
      await turns();
      collectGarbage();
    }
    t.ok(read.deref(), 'the kernel may write to it');
    t.ok(selected.deref(), 'as to a buffer it may choose');
    writeSync(fifo, 'late');
    closeSync(fifo);
  });
}

t.test('a poll that gets the user_data of another operation lets no buffer go', async t => {
  const ring = new Ring(8);
  const fifo = new Int32Array(2);
  const polled = new Int32Array(2);
  ring.getSqe()!.pipe(fifo);
  ring.getSqe()!.pipe(polled);
  ring.submit(2);
  if (ring.copyCqes()[0]!.res < 0) return t.comment('this kernel has no PIPE: it came with Linux 6.16');
  ring.getSqe()!.read(fifo[0]!, Buffer.alloc(64)).userData(7);
  ring.getSqe()!.pollAdd(polled[0]!, 1).userData(1);
  ring.submit();
  ring.getSqe()!.pollUpdate(1, 7, 0, POLL_UPDATE_USER_DATA).userData(2);
  ring.submit(1);
  writeSync(polled[1]!, 'x');
  const seen: unknown[] = [];
  while (seen.length < 2) for (const { userData } of ring.copyCqes(1)) seen.push(userData);
  t.strictSame(seen.sort(), [2, 7]);
  t.equal(ring.pins!.size, 1, 'the read is still in flight');
  ring.getSqe()!.cancel(7).userData(8);
  ring.submit(2);
  ring.copyCqes();
  t.equal(ring.pins!.size, 0);
  ring.close();
  for (const fd of [...fifo, ...polled]) closeSync(fd);
});
