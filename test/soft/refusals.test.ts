/** Entries with a value in a field that their operation does not use: both rings refuse the same ones. */
import t from 'tap';
import { Ring as KernelRing, Message, probe, type RawEntry, type Ring, type Sqe } from 'uasync/ring';
import * as abi from '../../src/ring/abi/io-uring.js';
import { nameOf } from '../../src/ring/abi/op-names.js';
import { SoftRing } from '../../src/soft/soft-ring.js';
import { writeSockaddr } from '../../src/sys/socket/sockaddr.js';

const { available, supports } = probe();
const lacking = !available
  ? 'this kernel has no io_uring to compare with'
  : !supports(abi.OP_BIND) && 'this kernel is too old to be compared with';

/** A descriptor that is none: an entry that is not refused fails with EBADF. */
const CLOSED = 1_000_000;
const EBADF = -9;
const EINVAL = -22;

const buffer = Buffer.alloc(64);
const address = Buffer.alloc(128);
const length = writeSockaddr(address, 0, { address: '127.0.0.1', port: 1, family: 'IPv4' });
const message = new Message({ buffers: [buffer] });
const header = { addr: message.header, len: 1, keep: message.parts };

const ENTRIES: RawEntry[] = [
  { opcode: abi.OP_ACCEPT },
  { opcode: abi.OP_BIND, addr: address, off: length },
  { opcode: abi.OP_CONNECT, addr: address, off: length },
  { opcode: abi.OP_LISTEN, len: 1 },
  { opcode: abi.OP_RECV, addr: buffer, len: buffer.length },
  { opcode: abi.OP_SEND, addr: buffer, len: buffer.length },
  { opcode: abi.OP_RECVMSG, ...header },
  { opcode: abi.OP_SENDMSG, ...header },
  { opcode: abi.OP_READ, addr: buffer, len: buffer.length },
  { opcode: abi.OP_WRITE, addr: buffer, len: buffer.length },
  { opcode: abi.OP_POLL_ADD, opFlags: 1 },
  { opcode: abi.OP_CLOSE },
  { opcode: abi.OP_ASYNC_CANCEL, opFlags: abi.ASYNC_CANCEL_FD },
];

/** Values that the operation reads although it seems not to use them, or that the software ring has no use for. */
const USED = new Set(['send ioprio 32', 'send off 1', 'accept fileIndex 1']);

const CHANGES: [name: string, change: Partial<RawEntry>][] = [
  ['as it is', {}],
  ...[3, 4, 5, 6, 7, 8].map((bit): [string, Partial<RawEntry>] => [
    `ioprio ${1 << bit}`,
    { ioprio: 1 << bit },
  ]),
  ['len 2', { len: 2 }],
  ['off 1', { off: 1 }],
  ['bufIndex 1', { bufIndex: 1 }],
  ['fileIndex 1', { fileIndex: 1 }],
  ['personality 7', { personality: 7 }],
];

/** The result of one entry. */
function run(ring: Ring | SoftRing, entry: RawEntry): number {
  (ring.getSqe() as Sqe).raw({ fd: CLOSED, ...entry });
  let result = Number.NaN;
  while (Number.isNaN(result)) {
    ring.submitAndWaitTimeout(1, 1000);
    ring.reapQueue({
      onCqe: (_low, _high, res) => {
        result = res;
      },
    });
  }
  return result;
}

t.test('what the kernel refuses, the software ring refuses', { skip: lacking }, async t => {
  const kernel = new KernelRing(8);
  const soft = new SoftRing(8, 8);
  let refused = 0;
  for (const entry of ENTRIES) {
    for (const [name, change] of CHANGES) {
      const label = `${nameOf(entry.opcode)} ${name}`;
      if (USED.has(label)) continue;
      const expected = run(kernel, { ...entry, ...change });
      t.ok(expected === EBADF || expected === EINVAL, `${label}: ${expected}`);
      t.equal(run(soft, { ...entry, ...change }), expected, label);
      if (expected === EINVAL) refused++;
    }
  }
  t.ok(refused > 50, `${refused} are refused`);
  soft.close();
  kernel.close();
});
