/** Both queues in memory of the test's own, at counts that take the kernel minutes to reach. */
import t from 'tap';
import { SETUP_NO_SQARRAY } from 'uasync/ring';
import { CQ_OFF, PARAMS, SQ_OFF } from '../../src/ring/abi/structs.js';
import { CompletionQueue } from '../../src/ring/queue/completion-queue.js';
import { SubmissionQueue } from '../../src/ring/queue/submission-queue.js';
import type { RingMemory } from '../../src/ring/setup/ring-memory.js';
import { Sqe } from '../../src/ring/sqe/index.js';
import { Scratch } from '../../src/sys/memory/scratch.js';
import '../patience.js';
import { withoutMemory } from '../without-memory.js';

// Where the words of both queues are; any place does.
const SQ = { head: 0, tail: 1, ring_mask: 2, flags: 3 };
const CQ = { head: 4, tail: 5, ring_mask: 6, overflow: 7, flags: 8, cqes: 16 };

function queuesAt(start: number, entries: number) {
  const params = Buffer.alloc(PARAMS.size);
  for (const [name, word] of Object.entries(SQ)) {
    params.writeUInt32LE(word * 4, PARAMS.sq_off + SQ_OFF[name as keyof typeof SQ]);
  }
  for (const [name, word] of Object.entries(CQ)) {
    params.writeUInt32LE(word * 4, PARAMS.cq_off + CQ_OFF[name as keyof typeof CQ]);
  }
  params.writeUInt32LE(entries, PARAMS.sq_entries);
  params.writeUInt32LE(entries, PARAMS.cq_entries);
  const words = new Int32Array(CQ.cqes + entries * 4);
  for (const at of [SQ.head, SQ.tail, CQ.head, CQ.tail]) words[at] = start;
  words[SQ.ring_mask] = entries - 1;
  words[CQ.ring_mask] = entries - 1;
  const memory = { words, sqes: new Int32Array(entries * 16) } as unknown as RingMemory;
  return {
    words,
    sq: new SubmissionQueue(memory, params, SETUP_NO_SQARRAY, new Sqe(new Scratch()), null),
    cq: new CompletionQueue(memory, params, SETUP_NO_SQARRAY, null),
  };
}

for (const [name, start] of [
  ['2^31', 2 ** 31 - 5],
  ['2^32', 2 ** 32 - 5],
] as const) {
  t.test(`the submission queue goes across ${name}`, async t => {
    const { words, sq } = queuesAt(start, 4);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 4; i++) {
        t.ok(sq.hasRoom(1));
        sq.next();
      }
      t.notOk(sq.hasRoom(1));
      t.equal(sq.publish(), 4);
      t.equal(words[SQ.tail]! >>> 0, (start + (round + 1) * 4) % 2 ** 32);
      // The kernel takes three, then the fourth.
      words[SQ.head] = words[SQ.tail]! - 1;
      t.equal(sq.look(), 1);
      t.ok(sq.hasRoom(3));
      t.notOk(sq.hasRoom(4));
      words[SQ.head] = words[SQ.tail]!;
      t.equal(sq.look(), 0);
    }
  });

  t.test(`the completion queue goes across ${name}`, async t => {
    const { words, cq } = queuesAt(start, 4);
    let posted = 0;
    const post = (count: number): void => {
      for (let i = 0; i < count; i++) {
        words[CQ.cqes + (words[CQ.tail]! & 3) * 4] = posted++;
        words[CQ.tail] = words[CQ.tail]! + 1;
      }
    };
    const seen: number[] = [];
    const sink = { onCqe: (low: number): unknown => seen.push(low) };
    for (let round = 0; round < 10; round++) {
      post(3);
      t.equal(cq.ready, 3);
      const cqe = { userData: 0, res: 0, flags: 0 };
      t.ok(cq.next(cqe));
      seen.push(cqe.userData);
      cq.publish();
      t.equal(cq.ready, 2);
      t.equal(cq.drain(sink as never), 2);
      t.equal(words[CQ.head], words[CQ.tail]);
      t.equal(cq.drain(sink as never), 0);
      t.notOk(cq.next(cqe));
    }
    t.strictSame(seen, [...Array(30).keys()]);
  });
}

t.test('arguments have room again after there was no memory for them', async t => {
  const scratch = new Scratch();
  scratch.alloc(60_000);
  t.throws(() => withoutMemory(() => scratch.alloc(60_000)), { code: 'ENOMEM' });
  t.ok(scratch.alloc(100) > 0);
  t.ok(scratch.alloc(60_000) > 0);
  scratch.bytes[scratch.start] = 1;
  scratch.unmap();
});
