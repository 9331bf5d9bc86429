/** Runtime memory at its limit: who gets a block, and who waits. */
import t from 'tap';
import { type Block, BlockPool, type BlockWaiter } from '../../src/loop/memory/blocks.js';
import { FixedBlocks } from '../../src/loop/memory/fixed-blocks.js';
import '../patience.js';
import { withoutMemory } from '../without-memory.js';

const MIB = 1 << 20;

/** A pool that has nothing left: all its memory is in blocks of `size` bytes. */
function exhausted(size: number): { pool: BlockPool; blocks: Block[] } {
  const pool = new BlockPool(MIB);
  t.teardown(() => pool.unmap());
  const blocks: Block[] = [];
  for (let block = pool.acquire(size); block !== null; block = pool.acquire(size)) blocks.push(block);
  return { pool, blocks };
}

t.test('at the limit there is a smaller block rather than none, but none below the least', async t => {
  const { pool, blocks } = exhausted(16384);
  pool.release(blocks.pop()!);
  t.equal(pool.acquire(65536, 4096)?.bytes.length, 16384);
  pool.release(blocks.pop()!);
  t.equal(pool.acquire(16384, 16384)?.bytes.length, 16384);
  t.equal(pool.stats().mapped, MIB);
});

t.test('where every block is too small a larger one is mapped, and no more than that', async t => {
  const { pool, blocks } = exhausted(512);
  const first = pool.acquire(65536, 65536);
  t.equal(first?.bytes.length, 65536);
  const { mapped } = pool.stats();
  t.ok(mapped > MIB && mapped <= MIB + 262_144, `${mapped} bytes`);
  while (pool.acquire(65536, 65536) !== null);
  t.equal(pool.acquire(4096, 4096), null, 'who needs less waits for what is there now');
  pool.release(first!);
  t.equal(pool.acquire(4096, 4096), first);
  t.equal(pool.stats().mapped, mapped);
  for (const block of blocks) pool.release(block);
});

t.test('where the system has no memory it is as at the limit, once there are blocks', async t => {
  const pool = new BlockPool(16 * MIB);
  t.teardown(() => pool.unmap());
  t.throws(() => withoutMemory(() => pool.acquire(262_144)), { code: 'ENOMEM' });
  const first = pool.acquire(262_144)!;
  t.equal(
    withoutMemory(() => pool.acquire(262_144)),
    null,
    'wait for that one',
  );
  t.throws(() => withoutMemory(() => pool.acquire(MIB, MIB)), { code: 'ENOMEM' }, 'none would ever do');
  pool.release(first);
  t.equal(
    withoutMemory(() => pool.acquire(512)),
    first,
  );
  t.equal(pool.acquire(262_144)!.bytes.length, 262_144);
});

t.test('without memory for a block of its own, O_DIRECT takes an ordinary one', async t => {
  const fixed = new FixedBlocks({ add: () => -1 });
  t.equal(
    withoutMemory(() => fixed.acquire()),
    null,
  );
  fixed.release(fixed.acquire()!);
  t.equal(fixed.stats().used, 0);
  fixed.unmap(false);
});

/** Waits for a block of `least` bytes, and for another one if it is told of a smaller one. */
class Needy implements BlockWaiter {
  told = 0;
  block: Block | null = null;
  readonly #pool: BlockPool;
  readonly #least: number;

  constructor(pool: BlockPool, least: number) {
    this.#pool = pool;
    this.#least = least;
    pool.wait(this);
  }

  blockReleased(): void {
    this.told++;
    this.block = this.#pool.acquire(this.#least, this.#least);
    if (this.block === null) this.#pool.wait(this);
  }
}

t.test('who needs more than is free is told once for each release, and waits on', async t => {
  const pool = new BlockPool(MIB);
  t.teardown(() => pool.unmap());
  const small = [pool.acquire(512)!, pool.acquire(512)!];
  const large = [pool.acquire(262_144)!, pool.acquire(262_144)!, pool.acquire(262_144)!];
  const waiters = [new Needy(pool, 65_536), new Needy(pool, 65_536), new Needy(pool, 65_536)];
  const told = () => waiters.map(waiter => waiter.told);
  const served = () => waiters.map(({ block }) => block !== null);
  pool.release(small.pop()!);
  t.strictSame(told(), [1, 1, 1]);
  pool.release(small.pop()!);
  t.strictSame(told(), [2, 2, 2]);
  t.strictSame(served(), [false, false, false]);
  pool.release(large.pop()!);
  t.strictSame(served(), [true, false, false], 'in order');
  pool.release(large.pop()!);
  pool.release(large.pop()!);
  t.strictSame(served(), [true, true, true]);
  for (const { block } of waiters) pool.release(block!);
  t.equal(pool.stats().used, 0);
});

t.test('who gives its block back at once leaves it to the next, however many there are', async t => {
  const { pool, blocks } = exhausted(512);
  let told = 0;
  const brief: BlockWaiter = {
    blockReleased() {
      told++;
      pool.release(pool.acquire(512)!);
    },
  };
  // So many, one within the other, would be more than the stack holds.
  for (let i = 0; i < 50_000; i++) pool.wait(brief);
  const last = new Needy(pool, 512);
  pool.release(blocks.pop()!);
  t.equal(told, 50_000);
  t.equal(last.told, 1);
  t.ok(last.block);
  t.equal(pool.stats().used, MIB);
});
