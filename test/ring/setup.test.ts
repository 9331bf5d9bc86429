/** Every setup flag, by what it changes; and queues with entries of other sizes. */
import t, { type Test } from 'tap';
import * as abi from 'uasync/ring';
import { type Cqe, query, Ring, type RingOptions, UasyncError } from 'uasync/ring';
import { openFds } from '../harness.js';

/** Runs some NOPs, more than the queues hold. */
function works(ring: Ring): boolean {
  for (let i = 0; i < 100; i++) {
    ring.getSqe()!.nop().userData(i);
    ring.submit();
    if (ring.copyCqes(1)[0]!.userData !== i) return false;
  }
  return true;
}

const other = new Ring(2);
t.teardown(() => other.close());

const SETUPS: [since: string, options: RingOptions & { flags: number }][] = [
  ['5.1', { flags: abi.SETUP_IOPOLL }],
  ['5.11', { flags: abi.SETUP_SQPOLL, sqThreadIdle: 1 }],
  ['5.11', { flags: abi.SETUP_SQPOLL | abi.SETUP_SQ_AFF, sqThreadCpu: 0, sqThreadIdle: 1 }],
  ['5.5', { flags: abi.SETUP_CQSIZE, cqEntries: 64 }],
  ['5.6', { flags: abi.SETUP_CLAMP, cqEntries: 2 ** 20 }],
  ['5.6', { flags: abi.SETUP_ATTACH_WQ, wqFd: other.fd }],
  ['5.10', { flags: abi.SETUP_R_DISABLED }],
  ['5.18', { flags: abi.SETUP_SUBMIT_ALL }],
  ['5.19', { flags: abi.SETUP_COOP_TASKRUN | abi.SETUP_TASKRUN_FLAG }],
  ['5.19', { flags: abi.SETUP_SQE128 }],
  ['5.19', { flags: abi.SETUP_CQE32 }],
  ['5.19', { flags: abi.SETUP_SQE128 | abi.SETUP_CQE32, optionalFlags: 0 }],
  ['6.1', { flags: abi.SETUP_SINGLE_ISSUER | abi.SETUP_DEFER_TASKRUN }],
  ['6.5', { flags: abi.SETUP_NO_MMAP }],
  ['6.5', { flags: abi.SETUP_NO_MMAP, cqEntries: 100, optionalFlags: 0 }],
  ['6.5', { flags: abi.SETUP_NO_MMAP | abi.SETUP_SQE128 | abi.SETUP_CQE32 }],
  ['6.5', { flags: abi.SETUP_NO_MMAP | abi.SETUP_REGISTERED_FD_ONLY }],
  ['6.6', { flags: abi.SETUP_NO_SQARRAY }],
  ['6.13', { flags: abi.SETUP_IOPOLL | abi.SETUP_HYBRID_IOPOLL }],
  ['6.18', { flags: abi.SETUP_CQE_MIXED }],
  ['6.19', { flags: abi.SETUP_SQE_MIXED }],
];

function namesOf(flags: number): string {
  const names = Object.entries(abi).filter(
    ([name, bit]) => name.startsWith('SETUP_') && flags & (bit as number),
  );
  return names.map(([name]) => name.slice(6)).join(' ');
}

/** A ring, or undefined where this kernel is too old for its flags, which is said. */
function ringOr(test: Test, since: string, entries: number, options: RingOptions): Ring | undefined {
  try {
    const ring = new Ring(entries, options);
    test.teardown(() => ring.close());
    return ring;
  } catch (error) {
    if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
    const known = query()?.setupFlags ?? 0n;
    test.notOk((BigInt(options.flags ?? 0) & ~known) === 0n && known !== 0n, 'the kernel says it knows them');
    test.comment(`this kernel does not know these flags: they came with Linux ${since}`);
    return undefined;
  }
}

t.test('every setup flag is accepted, or is too new for this kernel, and the ring works', async t => {
  const before = openFds();
  for (const [since, options] of SETUPS) {
    await t.test(namesOf(options.flags), async t => {
      const ring = ringOr(t, since, 8, options);
      if (ring === undefined) return;
      t.equal(ring.flags & options.flags, options.flags);
      if (options.flags & abi.SETUP_R_DISABLED) {
        ring.getSqe();
        t.throws(() => ring.submit(), { code: 'EBADFD' });
        ring.enableRings();
        t.equal(ring.submit(1), 1);
        ring.copyCqes();
      }
      t.ok(works(ring));
      if (options.cqEntries !== undefined) t.ok(ring.cqEntries >= Math.min(options.cqEntries, 65536));
      if (options.flags & abi.SETUP_REGISTERED_FD_ONLY) {
        t.equal(ring.fd, -1);
        t.throws(() => ring.unregisterRingFd(), { code: 'EINVAL' });
        t.equal(ring.registerPersonality() > 0, true, 'registrations go by the index too');
      } else if (options.flags & abi.SETUP_NO_MMAP) {
        t.throws(() => ring.resize(16), { code: 'EINVAL' }, 'its memory is not the kernel’s');
      }
    });
  }
  t.equal(openFds(), before);
});

t.test('the queue is a ring: it cannot be rewound', async t => {
  t.throws(() => new Ring(4, { flags: abi.SETUP_SQ_REWIND }), { code: 'ERR_INVALID_ARG_VALUE' });
});

t.test('completions of 32 bytes carry two more values', async t => {
  const ring = ringOr(t, '6.18', 4, { flags: abi.SETUP_CQE32 });
  if (ring === undefined) return;
  const big = 2 ** 45 + 3;
  ring.getSqe()!.nop(abi.NOP_CQE32, 0, [7, big]).userData(1);
  ring.submit(1);
  const [cqe] = ring.copyCqes();
  if (cqe!.res === -22) return t.comment('this kernel does not know NOP_CQE32: it came with Linux 6.18');
  t.strictSame(cqe, { userData: 1, res: 0, flags: 0, bigCqe: [7, big] });
});

t.test('completions of both sizes share a queue, and fillers at its end are not seen', async t => {
  const ring = ringOr(t, '6.18', 4, { flags: abi.SETUP_CQE_MIXED, cqEntries: 8 });
  if (ring === undefined) return;
  const into: Cqe[] = [];
  into.length = 1;
  for (let i = 0; i < 200; i++) {
    const wide = (i * 7) % 3 !== 0;
    ring
      .getSqe()!
      .nop(wide ? abi.NOP_CQE32 : 0, 0, [i, i * 2])
      .userData(i);
    ring.submit();
    if (i % 2 === 0) ring.copyCqes(into);
    else into[0] = ring.copyCqes()[0]!;
    const { userData, bigCqe } = into[0]!;
    if (userData !== i || (wide ? bigCqe?.[0] !== i || bigCqe[1] !== i * 2 : bigCqe !== undefined)) {
      return t.fail(`completion ${i} is ${JSON.stringify(into[0])}`);
    }
  }
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    ring
      .getSqe()!
      .nop(i % 2 ? abi.NOP_CQE32 : 0)
      .userData(i);
  }
  ring.submit();
  ring.reap({ onCqe: low => seen.push(low) });
  t.strictSame(seen, [0, 1, 2, 3]);
  t.equal(ring.cqReady, 0);
});

t.test('entries of 128 bytes are cleared to their end', async t => {
  const ring = ringOr(t, '5.19', 2, { flags: abi.SETUP_SQE128 });
  if (ring === undefined) return;
  for (let i = 0; i < 6; i++) {
    const sqe = ring.getSqe128()!;
    t.ok(sqe.words.subarray(sqe.at, sqe.at + 32).every((word, at) => word === (at === 1 ? -1 : 0)));
    sqe.words.fill(-1, sqe.at + 16, sqe.at + 32);
    ring.submit(1);
    t.equal(ring.copyCqes().length, 1);
  }
  t.throws(() => new Ring(2).getSqe128(), { code: 'ERR_INVALID_STATE' });
});

t.test('entries of both sizes share a queue', async t => {
  const ring = ringOr(t, '6.19', 8, { flags: abi.SETUP_SQE_MIXED });
  if (ring === undefined) return;
  for (let i = 0; i < 100; i++) {
    const wide = (i * 7) % 3 !== 0;
    if (wide) ring.getSqe128()!.nop128().userData(i);
    else ring.getSqe()!.nop().userData(i);
    ring.submit(1);
    t.equal(ring.copyCqes()[0]!.userData, i);
  }
});

t.test('what needs an entry of 128 bytes says so', async t => {
  t.throws(() => other.getSqe()!.nop128(), { code: 'ERR_INVALID_STATE' });
  t.throws(() => other.getSqe()!.uringCmd128(0, 0), { code: 'ERR_INVALID_STATE' });
  other.submit();
  other.copyCqes();
});

t.test('the kernel says what it knows', async t => {
  const answer = query();
  if (answer === null) return t.comment('this kernel does not know REGISTER_QUERY: it came with Linux 6.18');
  t.ok(answer.opcodes > abi.OP_PIPE);
  t.ok(answer.registrations > abi.REGISTER_MEM_REGION);
  t.equal(answer.features, BigInt(other.features));
  t.equal(answer.setupFlags & BigInt(abi.SETUP_CQE_MIXED), BigInt(abi.SETUP_CQE_MIXED));
  t.ok(answer.enterFlags & BigInt(abi.ENTER_EXT_ARG_REG));
  t.equal(answer.sqeFlags & 0x7fn, 0x7fn);
});
