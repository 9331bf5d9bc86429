/** Operations that wait for an eventfd wake the loop each time, though the kernel defers, and loses, nested signals. */
import { closeSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { openPipe } from 'uasync/net';
import { eventfd, Ring, SETUP_DEFER_TASKRUN, SETUP_SINGLE_ISSUER } from 'uasync/ring';
import { checkLeaks } from '../harness.js';
import { built } from '../programs.js';

checkLeaks();

/** More than any signal of the kernel's takes, so that a lost one is told from a late one. */
const LOST_MS = 20_000;
const ONE = new BigUint64Array([1n]);

/** Fails if `waiting` needs the timer that keeps this process alive, or anything else, to wake the loop. */
async function woken<T>(waiting: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing woke the loop')), LOST_MS);
  });
  return Promise.race([waiting, late]).finally(() => clearTimeout(timer));
}

t.test('an eventfd that a ring of one’s own signals, again and again', async t => {
  const ring = new Ring(8, { flags: SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN });
  const counter = eventfd();
  ring.registerEventfd(counter);
  const count = new BigUint64Array(1);
  for (let i = 0; i < 12; i++) {
    ring.getSqe()!.timeout(2);
    ring.submit();
    let completions = 0;
    // It may be signalled for work that has been done already.
    while (completions === 0) {
      t.equal(await woken(loop().submit(sqe => sqe.read(counter, count))), 8);
      ring.submitAndGetEvents();
      completions = ring.copyCqes().length;
    }
    t.equal(completions, 1);
  }
  ring.close();
  closeSync(counter);
});

t.test('an eventfd that another thread writes to: read raw, polled, and as a pipe', async t => {
  const counter = eventfd();
  const worker = new Worker(built('test/fixtures/eventfd-writer.js'), { workerData: counter });
  const count = new BigUint64Array(1);
  const pipe = openPipe(counter, { autoClose: false });
  for (let i = 0; i < 4; i++) {
    for (const wait of [
      () => loop().submit(sqe => sqe.read(counter, count)),
      async () => (await pipe.readExactly(8)).length,
    ]) {
      const waiting = wait();
      worker.postMessage(null);
      t.equal(await woken(waiting), 8);
    }
  }
  const polls = loop().iterate(sqe => sqe.pollMultishot(counter, 1));
  for (let i = 0; i < 4; i++) {
    worker.postMessage(null);
    t.match(await woken(polls.next()), { done: false, value: { res: 1 } });
    writeSync(counter, ONE);
    await loop().submit(sqe => sqe.read(counter, count));
  }
  await polls.return();
  await pipe.close();
  await worker.terminate();
  closeSync(counter);
  t.equal(loop().eventfdWaits, 0);
});
