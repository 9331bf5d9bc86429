/** The slot table. */
import t from 'tap';
import { Slots } from '../../src/ring/slots.js';

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
