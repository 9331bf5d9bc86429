import t from 'tap';
import { median, pairedRatio, spread } from '../../benchmark/statistics.js';

t.test('the median is the middle value, whatever the order', async t => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([10, 9, 1, 2]), 5.5);
  t.equal(median([7]), 7);
  t.ok(Number.isNaN(median([])));
  const values = [3, 1, 2];
  median(values);
  t.same(values, [3, 1, 2], 'which stays as it was');
});

t.test('a spread is of at least one value', async t => {
  t.same(spread([2, 8, 4]), { median: 4, min: 2, max: 8 });
  t.throws(() => spread([]), RangeError);
});

t.test('a ratio is of the same rounds: a slow round counts for both', async t => {
  t.equal(pairedRatio([2, 20, 2], [1, 10, 1]), 2);
  t.equal(pairedRatio([2, 2, 9], [1, 1, 1]), 2, 'and one that disturbed only one of them is outvoted');
  t.throws(() => pairedRatio([1, 2], [1]), RangeError);
  t.throws(() => pairedRatio([], []), RangeError);
});
