/** The slot table. */
import t from 'tap';
import { Ring, Slots } from 'uasync/ring';
import '../patience.js';

t.test('a slot is found by index and generation, and not after it was freed', async t => {
  const slots = new Slots<string>();
  const a = slots.add('a');
  const generation = slots.generation(a);
  t.equal(slots.get(a, generation), 'a');
  slots.remove(a);
  t.equal(slots.get(a, generation), undefined);
  const b = slots.add('b');
  t.equal(b, a, 'the slot is used again');
  t.equal(slots.get(b, generation), undefined, 'a late completion is not taken for the new one');
  t.equal(slots.get(b, slots.generation(b)), 'b');
  t.throws(() => slots.remove(a + 1), { name: 'RangeError' });
  t.throws(() => slots.put(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('it grows, and keeps what it has', async t => {
  const slots = new Slots<number>();
  const indices = Array.from({ length: 10_000 }, (_, i) => slots.add(i));
  t.equal(new Set(indices).size, 10_000);
  t.ok(indices.every((index, i) => slots.get(index, slots.generation(index)) === i));
  t.equal(slots.size, 10_000);
  for (const index of indices) slots.remove(index);
  t.equal(slots.size, 0);
  t.strictSame([...slots.values()], []);
});

t.test('values go with operations and come back with completions', async t => {
  const ring = new Ring(8);
  const slots = new Slots<{ name: string }>();
  for (let round = 0; round < 3; round++) {
    for (const name of ['a', 'b', 'c']) ring.getSqe()!.nop().userData(slots.put({ name }));
    ring.submit(3);
    const cqes = ring.copyCqes();
    t.strictSame(
      cqes.map(cqe => slots.find(cqe.userData)?.name),
      ['a', 'b', 'c'],
    );
    for (const cqe of cqes) slots.take(cqe.userData);
    t.equal(slots.size, 0);
    t.strictSame(
      cqes.map(cqe => slots.take(cqe.userData)),
      [undefined, undefined, undefined],
      'only once',
    );
  }
  t.equal(slots.find(2n ** 63n), undefined);
  t.equal(slots.find(12345), undefined);
  t.equal(slots.find(2 ** 40 + 1), undefined);
  ring.close();
});
