import t from 'tap';
import { check, compare, isRegression } from '../../benchmark/check.js';
import type { Failed, ScenarioResult } from '../../benchmark/results.js';
import '../patience.js';

type Cpu = Record<string, number[]>;

function result(cpu: Cpu, failed: Failed[] = []): ScenarioResult {
  const peers = Object.entries(cpu).map(([name, each]) => ({
    name,
    cpu: each,
    rate: each.map(() => 1),
    kernel: 0.5,
    resident: 1,
  }));
  return {
    name: 'a.test',
    title: 'a test',
    operation: 'operation',
    neighbours: 0,
    peers,
    failed,
    missing: [],
  };
}

const STORED = result({ uasync: [5, 5, 5], 'c-uring': [5, 5, 5], node: [10, 10, 10] });
const neverAgain = async (): Promise<ScenarioResult> => {
  throw new Error('nothing was to be measured again');
};

t.test('a regression of more than 10% fails', async t => {
  const slower = result({ uasync: [5.6, 5.6, 5.6], 'c-uring': [5, 5, 5], node: [10, 10, 10] });
  t.ok(isRegression(compare(STORED, slower)!));
  const { compared, problems } = await check([STORED], [slower], async () => slower);
  t.equal(compared, 1);
  t.same(problems, ['a.test: 1.12x c-uring, was 1.00x; 0.56x node, was 0.50x']);
});

t.test('one that is not there when measured again does not', async t => {
  const slower = result({ uasync: [9, 9, 9], 'c-uring': [5, 5, 5], node: [10, 10, 10] });
  const measured: string[] = [];
  const verdict = await check([STORED], [slower], async name => {
    measured.push(name);
    return STORED;
  });
  t.same(verdict, { compared: 1, problems: [] });
  t.same(measured, ['a.test'], 'once');
});

t.test('a slower machine is no regression, nor is a reference that did well', async t => {
  const machine = result({ uasync: [15, 15, 15], 'c-uring': [15, 15, 15], node: [30, 30, 30] });
  const luckyC = result({ uasync: [5, 5, 5], 'c-uring': [3, 3, 3], node: [10, 10, 10] });
  const within = result({ uasync: [5.4, 5.4, 5.4], 'c-uring': [5, 5, 5], node: [10, 10, 10] });
  for (const run of [machine, luckyC, within]) {
    t.same(await check([STORED], [run], neverAgain), { compared: 1, problems: [] });
  }
});

t.test('one round that was disturbed is outvoted', async t => {
  const disturbed = result({ uasync: [5, 25, 5], 'c-uring': [5, 5, 5], node: [10, 10, 10] });
  t.same((await check([STORED], [disturbed], neverAgain)).problems, []);
});

t.test('without C it is Node alone that counts', async t => {
  const slower = result({ uasync: [6, 6, 6], node: [10, 10, 10] });
  t.equal((await check([STORED], [slower], async () => slower)).problems.length, 1);
});

t.test('what cannot be compared is not, but a failure is one', async t => {
  const other = { ...result({ uasync: [9] }), name: 'b.test' };
  t.same(await check([STORED], [other], neverAgain), { compared: 0, problems: [] });
  t.equal(compare(STORED, result({ uasync: [9], bun: [1] })), undefined, 'no reference');
  const failed = result({ node: [1] }, [{ name: 'uasync', failed: 'a byte came back wrong' }]);
  t.same((await check([STORED], [failed], neverAgain)).problems, ['a.test: a byte came back wrong']);
});
