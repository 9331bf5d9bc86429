/** A submission queue that is full, again and again. */
import t from 'tap';
import { loop, nop } from 'uasync';
import type { Loop } from '../../src/loop/loop.js';
import { Operation } from '../../src/loop/operation/operation.js';
import * as abi from '../../src/ring/abi/io-uring.js';
import { checkLeaks } from '../harness.js';

checkLeaks();

/** How many completions are being delivered, one within the other, and the most that were. */
let depth = 0;
let deepest = 0;

/** Waits for a moment, so that many complete together; then starts again from within its completion, so many times. */
class Chain extends Operation {
  readonly done: Promise<void>;
  #left: number;
  #onDone = (): void => {};

  constructor(loop: Loop, left: number) {
    super(loop);
    this.#left = left;
    this.done = new Promise(resolve => {
      this.#onDone = resolve;
    });
    loop.start(this).timeout(5);
  }

  override get syscall(): string {
    return 'nop';
  }

  #start(): void {
    this.loop.start(this).prep(abi.OP_NOP, -1, 0, 0, 0);
  }

  complete(): void {
    deepest = Math.max(deepest, ++depth);
    if (--this.#left > 0) this.#start();
    else this.#onDone();
    depth--;
  }
}

for (const [entries, cqEntries] of [
  [4, 8],
  [64, 128],
  [256, 1024],
] as const) {
  t.test(`completions that fill a queue of ${entries} are not delivered within each other`, async t => {
    loop().close();
    const current = loop({ entries, cqEntries });
    deepest = 0;
    const chains = Array.from({ length: entries * 3 }, () => new Chain(current, 50));
    await Promise.all(chains.map(({ done }) => done));
    t.equal(deepest, 1);
    t.equal((await Promise.all(Array.from({ length: 2000 }, () => nop()))).length, 2000);
  });
}
