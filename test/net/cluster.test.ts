/** Workers of node:cluster. */
import t from 'tap';
import { built, output } from '../programs.js';
import '../patience.js';

t.test(
  'workers share a port that is named, have their own with port 0, and end when disconnected',
  async t => {
    const printed = await output(process.execPath, [built('test/fixtures/clustered.js')]);
    const { said, pids, expected, ends } = JSON.parse(printed);
    t.equal(said.length, 2);
    t.equal(said[0].port, said[1].port);
    t.equal(said[0].datagrams, said[1].datagrams);
    t.not(said[0].port0, said[1].port0);
    t.same([said[0].alone, said[1].alone], ['EADDRINUSE', 'EADDRINUSE'], 'reusePort: false is exclusive');
    t.same(pids.sort(), expected.sort(), 'both served');
    t.same(ends, [
      [0, null],
      [0, null],
    ]);
  },
);
