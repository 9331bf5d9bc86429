/** A turn ends, whatever completes meanwhile. */
import t from 'tap';
import { loop } from 'uasync';
import { Operation } from '../../src/loop/operation/operation.js';
import { checkLeaks, until } from '../harness.js';

checkLeaks();

/** Starts again as soon as it has completed, as receiving from a peer that floods does. */
class Endless extends Operation {
  readonly ended: Promise<void>;
  over = false;
  #onEnd!: () => void;

  constructor() {
    super(loop());
    this.ended = new Promise(resolve => {
      this.#onEnd = resolve;
    });
  }

  override get syscall(): string {
    return 'nop';
  }

  start(): void {
    this.loop.start(this).nop();
  }

  complete(): void {
    if (this.over) this.#onEnd();
    else this.start();
  }
}

t.test('timers run while completions overflow the queue without an end', async t => {
  loop().close();
  const { cqEntries } = loop({ entries: 4, cqEntries: 8 });
  const operations = Array.from({ length: 8 * cqEntries }, () => new Endless());
  for (const operation of operations) operation.start();
  // It looks by timers.
  await until(() => loop().stats().completed > 10 * operations.length);
  for (const operation of operations) operation.over = true;
  await Promise.all(operations.map(({ ended }) => ended));
  t.equal(loop().stats().inFlight, 0);
  loop().close();
});
