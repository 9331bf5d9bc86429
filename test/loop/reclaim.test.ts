/** Many operations that hold memory, and a loop whose queue is too small for all that goes on. */
import t from 'tap';
import { loop } from 'uasync';
import { Reclaim } from '../../src/loop/closing/reclaim.js';
import type { Operation } from '../../src/loop/operation/operation.js';
import { Slots } from '../../src/ring/queue/slots.js';
import { checkLeaks, turns } from '../harness.js';
import { pair } from '../net/sockets.js';

checkLeaks();

t.test('operations are asked for their blocks a few at a time, each once', async t => {
  const slots = new Slots<Operation>();
  let asked: number[] = [];
  const COUNT = 1000;
  for (let i = 0; i < COUNT; i++) {
    const holds = i % 2 === 0;
    const yieldBlock = (): boolean => {
      asked.push(i);
      return holds;
    };
    slots.add({ yieldBlock } as Operation);
  }
  let short = true;
  let next: (() => void) | null = null;
  const reclaim = new Reclaim(
    slots,
    () => short,
    callback => {
      t.equal(next, null, 'one at a time');
      next = callback;
    },
  );
  const step = (): number => {
    const before = asked.length;
    const callback = next!;
    next = null;
    callback();
    return asked.slice(before).filter(i => i % 2 === 0).length;
  };
  reclaim.start();
  reclaim.start();
  t.same(asked, [], 'not at once');
  while (next !== null) t.ok(step() <= 64);
  t.same(
    [...asked].sort((a, b) => a - b),
    Array.from({ length: COUNT }, (_, i) => i),
  );
  asked = [];
  reclaim.start();
  const first = step();
  short = false;
  t.equal(step(), 0, 'none is asked once there is enough');
  t.equal(next, null);
  short = true;
  reclaim.start();
  const again = asked.length;
  step();
  t.notOk(asked.slice(0, again).includes(asked[again]!), 'who was asked before comes last');
  t.ok(first > 0);
});

t.test('a queue that is always full does not keep the thread from its timers', async t => {
  loop().close();
  loop({ entries: 8, inline: false });
  const pairs = await Promise.all(Array.from({ length: 64 }, () => pair(t)));
  let over = false;
  let moved = 0;
  const data = Buffer.alloc(1000);
  const pumps = pairs.map(async ([from, to]) => {
    const writing = (async () => {
      while (!over) await from.write(data);
      await from.close();
    })();
    for await (const chunk of to) moved += chunk.length;
    await writing;
  });
  await turns(50);
  const timer = new Promise(resolve => setTimeout(resolve, 1));
  await timer;
  over = true;
  await Promise.all(pumps);
  t.ok(moved >= 64 * data.length);
  loop().close();
});
