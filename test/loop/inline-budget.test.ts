/** What plain calls may spend between two rounds of Node's event loop. */
import t from 'tap';
import { InlineBudget } from '../../src/loop/turns/inline-budget.js';

/** Takes until it is refused; how often that went well. */
function takeAll(budget: InlineBudget, take: () => boolean): number {
  let taken = 0;
  while (taken < 100_000 && take()) taken++;
  t.notOk(budget.take());
  return taken;
}

t.test('answers are beside the budget, as many as were allowed', async t => {
  let spent = 0;
  const budget = new InlineBudget(true, true, () => spent++);
  const plain = takeAll(budget, () => budget.take());
  t.ok(plain > 0 && plain < 100_000);
  t.equal(spent, 1);
  budget.allowAnswers(1000);
  t.equal(
    takeAll(budget, () => budget.takeAnswer(64)),
    1000,
  );
  budget.refill();
  // Large ones are not: to send them later costs less than the bytes themselves.
  budget.allowAnswers(1000);
  const large = takeAll(budget, () => budget.takeAnswer(1 << 20));
  t.ok(large < plain);
  t.ok(budget.takeAnswer(64));
});

t.test('where no plain calls are made no answers are, and at random some are', async t => {
  const never = new InlineBudget(false, true, () => t.fail('nothing is spent'));
  never.allowAnswers(10);
  t.notOk(never.takeAnswer(1));
  const random = new InlineBudget('random', true, () => {});
  random.allowAnswers(1000);
  const taken = Array.from({ length: 1000 }, () => random.takeAnswer(1));
  t.ok(taken.includes(true) && taken.includes(false));
  const ended = new InlineBudget(true, true, () => {});
  ended.allowAnswers(10);
  ended.end();
  t.notOk(ended.takeAnswer(1));
});
