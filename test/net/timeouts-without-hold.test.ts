/** A timeout of a call on an unreferenced object does not keep the process alive. */
import t from 'tap';
import { makeFifo, scratchFolder } from '../harness.js';
import { built, output } from '../programs.js';

const PROGRAM = built('test/fixtures/unreferenced.js');
const LATER = ['accept', 'read', 'readExactly', 'whenEnded', 'recv', 'pipe'];
const CASES = [
  ...[...LATER, 'write', 'drained', 'sendFile'].map(kind => [kind, 'before'] as const),
  ...LATER.map(kind => [kind, 'after'] as const),
];

t.test('a timeout of a call on an unreferenced object', async t => {
  const fifo = makeFifo(scratchFolder(), 'fifo');
  for (const [kind, when] of CASES) {
    const printed = await output(process.execPath, [PROGRAM, kind, when, fifo]);
    t.equal(printed, `${kind} lets it end\n`, `unreferenced ${when} the call`);
  }
});
