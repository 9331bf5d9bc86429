import t from 'tap';
import { readPerf, topFrames } from '../../benchmark/profile.js';
import { built, output, ROOT } from '../programs.js';
import '../patience.js';

t.test('time is that of frames themselves, without idleness', async t => {
  const node = (id: number, functionName: string, url = '', lineNumber = -1) => ({
    id,
    callFrame: { functionName, url, lineNumber },
  });
  const frames = topFrames({
    nodes: [
      node(1, '(idle)'),
      node(2, 'echo', `file://${ROOT}dist/a.js`, 6),
      node(3, ''),
      node(4, '(program)'),
    ],
    samples: [1, 2, 3, 2, 4],
    timeDeltas: [1000, 30, 20, 40, 10],
  });
  t.same(frames, [
    ['echo dist/a.js:7', 0.7],
    ['(anonymous)', 0.2],
    ['(program)', 0.1],
  ]);
});

t.test('the kernel has its symbols in a report of perf', async t => {
  const text = '    49.07%  [k] _copy_to_iter   \n     3.50%  [.] v8::internal::A<B, C>::D  \n\n';
  const { kernel, symbols } = readPerf(text);
  t.equal(kernel, 0.4907);
  t.same(symbols, [
    ['_copy_to_iter (kernel)', 0.4907],
    ['v8::internal::A<B, C>::D', 0.035],
  ]);
});

t.test('a scenario is profiled', async t => {
  const printed = await output(process.execPath, [built('benchmark/profile.js'), 'loop.callsoon', 'node']);
  t.match(printed, /In the kernel, by its own accounts: \d+%/);
  t.match(printed, /By perf: (\d+%|it is not installed, or not allowed here)/);
  t.match(printed, /\d% {2}\w+ dist\/benchmark\/peers\/loop\/callbacks\.js:\d+/, 'with frames of JavaScript');
});
