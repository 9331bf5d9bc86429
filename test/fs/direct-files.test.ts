/** Registered files: a loop has so many places for them, and calls wait for one. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder, withoutInline } from '../harness.js';

const folder = scratchFolder();
checkLeaks();
t.beforeEach(withoutInline);

const file = join(folder, 'file');
const data = Buffer.alloc(200_000, 'abcdefgh');
nodeFs.writeFileSync(file, data);
/** More than there are places. */
const COUNT = 1400;

t.test('more calls than places', async t => {
  const read = await Promise.all(Array.from({ length: COUNT }, () => fs.readFile(file)));
  t.ok(read.every(bytes => bytes.equals(data)));
});

const OFF_THREAD = 'threads of the pool complete their calls only while Node’s event loop goes round';
const skip = loop().backend === 'epoll' && OFF_THREAD;

t.test(
  'calls that wait for a place when their loop is closed, and another has taken over',
  { skip },
  async t => {
    const first = loop();
    const calls = Array.from({ length: COUNT }, () => fs.readFile(file));
    // Not awaited: those that have a place hold it until after the end of the loop.
    while (first.stats().inFlight > 0) first.poll();
    first.close();
    const others = Array.from({ length: COUNT }, () => fs.readFile(file));
    t.not(loop(), first);
    for (const result of await Promise.allSettled(calls)) {
      t.equal(result.status === 'rejected' && result.reason.code, 'ERR_CLOSED');
    }
    t.ok((await Promise.all(others)).every(bytes => bytes.equals(data)));
  },
);
