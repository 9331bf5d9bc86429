/**
 * More operations than the queues hold. `getSqe()` returns null when the submission queue is full: submit, and
 * continue. Completions that do not fit wait in the kernel: reap, and all arrive.
 * `node dist/examples/ring/overflow.js [operations]`
 */
import { Ring } from 'uasync/ring';

const operations = Number(process.argv[2] ?? 1000);
const ring = new Ring(8, { cqEntries: 16 });

let submits = 0;
for (let i = 0; i < operations; i++) {
  let sqe = ring.getSqe();
  while (sqe === null) {
    submits++;
    // The kernel accepts no entries while too many completions wait: make room for them.
    if (ring.submit() === 0) reap();
    sqe = ring.getSqe();
  }
  sqe.nop().userData(i);
}
ring.submit();

let completed = 0;
let inOrder = true;
function reap(): void {
  ring.forEachCqe(cqe => {
    inOrder &&= cqe.userData === completed;
    completed++;
  });
}
console.log(`the completion queue holds ${ring.cqEntries}, overflow: ${ring.cqHasOverflow}`);
reap();
console.log(`${completed} of ${operations} completed after ${submits} full queues, in order: ${inOrder}`);
ring.close();
