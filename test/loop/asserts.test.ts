/** What is broken inside is said at once, before the kernel writes where it must not. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import t from 'tap';
import { loop } from 'uasync';
import { RingBackend } from '../../src/loop/backend/ring-backend.js';
import { closeFile, closeSocket } from '../../src/loop/closing/close.js';
import { EventLoop } from '../../src/loop/event-loop.js';
import { BLOCK_MAX, BlockPool } from '../../src/loop/memory/blocks.js';
import { FixedBlocks } from '../../src/loop/memory/fixed-blocks.js';
import { Operation } from '../../src/loop/operation/operation.js';
import { OperationTable } from '../../src/loop/operation/operation-table.js';
import { OperationPool } from '../../src/loop/operation/pool.js';
import { DatagramBuffers } from '../../src/net/datagram/buffers.js';
import { ReceiveBuffers } from '../../src/net/stream/receive-buffers.js';
import { checkLeaks } from '../harness.js';

checkLeaks();

const BROKEN = { code: 'ERR_INTERNAL_ASSERTION' };

class Nop extends Operation {
  done: (() => void) | null = null;

  override get syscall(): string {
    return 'nop';
  }

  complete(): void {
    this.done?.();
  }

  /** In flight from now on. */
  run(): Promise<void> {
    this.loop.start(this).nop();
    return new Promise(resolve => {
      this.done = resolve;
    });
  }
}

t.test('an operation is started once', async t => {
  const operation = new Nop(loop());
  const done = operation.run();
  t.throws(() => loop().start(operation), BROKEN);
  t.throws(() => loop().expect(operation, 1), BROKEN);
  await done;
  await operation.run();
});

t.test('a pooled operation is given back once, and not in flight', async t => {
  const pool = new OperationPool(Nop);
  const operation = pool.take(loop());
  const done = operation.run();
  t.throws(() => pool.give(operation), BROKEN);
  await done;
  pool.give(operation);
  t.throws(() => pool.give(operation), BROKEN);
  t.equal(pool.take(loop()), operation);
  t.not(pool.take(loop()), operation);
});

t.test('a block is released once, to its pool, and not used after', async t => {
  const pool = new BlockPool(1 << 20);
  const other = new BlockPool(1 << 20);
  const block = pool.acquire(100)!;
  block.bytes.fill(1);
  t.throws(() => other.release(block), BROKEN);
  pool.release(block);
  t.throws(() => pool.release(block), BROKEN);
  t.throws(() => block.address, BROKEN);
  t.throws(() => block.bytes, BROKEN);
  t.equal(pool.stats().used, 0);
  t.equal(pool.acquire(100), block, 'it is there once');
  t.not(pool.acquire(100), block);
  pool.unmap();
  other.unmap();

  const fixed = new FixedBlocks({ add: () => -1 });
  const one = fixed.acquire()!;
  t.equal(one.bytes.length, BLOCK_MAX);
  fixed.release(one);
  t.throws(() => fixed.release(one), BROKEN);
  t.equal(fixed.stats().used, 0);
  fixed.unmap(false);
});

t.test('counters do not go below zero', async t => {
  t.throws(() => new OperationTable().onCqe(-1, 0, 0, 0), BROKEN, 'a completion of what was never started');
  t.throws(() => {
    loop().eventfdWaits--;
  }, BROKEN);
  const hidden = new Nop(loop());
  hidden.referenced = false;
  loop().expect(hidden, 7);
  // Not by `setReferenced`.
  hidden.referenced = true;
  t.throws(() => loop().settleExpected(7, 0), BROKEN);
  t.equal(loop().stats().referenced, -1);
  const shown = new Nop(loop());
  loop().expect(shown, 8);
  shown.referenced = false;
  loop().settleExpected(8, 0);
});

t.test('buffers that the kernel names exist, and what is lent is given back once', async t => {
  const NO_SUCH = 0xffff << 16;
  const buffers = ReceiveBuffers.of(loop());
  t.throws(() => buffers.drop(1, NO_SUCH), BROKEN);
  t.throws(() => buffers.drop(1 << 30, 0), BROKEN, 'nor does a buffer hold more than it has');
  t.throws(() => buffers.takeBack(0), BROKEN);
  t.throws(() => DatagramBuffers.of(loop()).startOf(NO_SUCH), BROKEN);
});

t.test('a descriptor is closed once', async t => {
  t.throws(() => closeSocket(loop(), -1), BROKEN);
  t.throws(() => closeFile(loop(), -1), BROKEN);
});

t.test('a descriptor that the kernel still closes when the loop gives up is not closed again', async t => {
  const backend = new RingBackend(8, 16);
  const fd = openSync('/dev/null', 'r');
  let next = -1;
  // The kernel has closed it, but the loop does not hear of that.
  backend.queues.reapQueue = () => {
    if (next < 0) next = openSync('/dev/null', 'r');
    return 0;
  };
  const own = new EventLoop({}, backend);
  const closing = closeFile(own, fd);
  own.close();
  await closing;
  t.equal(next, fd);
  t.ok(fstatSync(next).isCharacterDevice(), "it is the next one's");
  closeSync(next);
});
