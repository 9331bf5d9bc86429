/** Loops that have to make do with smaller queues than they are to have. */
import t from 'tap';
import { ringsAreCounted } from '../../src/ring/setup/locked-memory.js';
import { foundLocked, noOrdinaryUser } from '../ordinary-user.js';
import { built } from '../programs.js';
import '../patience.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

const PROGRAM = built('test/fixtures/locked-memory.js');

interface Echo {
  echoed: string;
  length: number;
  datagram: string;
  entries: number;
  cqEntries: number;
  inFlight: number;
}

// From Node 22 on Node itself takes 56 KiB of the 64. With 8 KiB there is the smallest ring and nothing else: the
// buffers of sockets are not in rings then.
for (const kib of [64, 16, 8]) {
  t.test(`one loop in ${kib} KiB: timers, files, sockets`, { skip }, async t => {
    const result = await foundLocked<Echo>(kib * KIB, PROGRAM, 'everything');
    t.equal(result.echoed, 'the same');
    t.equal(result.datagram, 'datagram 299');
    t.ok(result.length > 0);
    t.ok(result.entries === 64 || result.entries === 128, `${result.entries} entries`);
    t.ok(result.cqEntries >= 2 * result.entries);
    t.equal(result.inFlight, 0);
  });
}

t.test('sizes that were asked for are tried smaller too', { skip }, async t => {
  const { entries, cqEntries, done } = await foundLocked<{
    entries: number;
    cqEntries: number;
    done: number;
  }>(MIB, PROGRAM, 'large queues');
  t.ok(entries < 32768 && entries >= 1024, `${entries} entries`);
  t.equal(cqEntries, 2 * entries);
  t.equal(done, 100_000);
});
