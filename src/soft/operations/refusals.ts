/** What the kernel rejects before it starts an entry, together with the rest of the chain. */
import * as abi from '../../ring/abi/io-uring.js';
import { EBADF, EINVAL } from '../../sys/abi/errno.js';
import { AT_REMOVEDIR, O_CLOEXEC } from '../../sys/abi/flags.js';
import type { Entry } from '../entry.js';

/** The or-ed fields that an operation does not use, which must be 0. */
type Unused = (entry: Entry) => number;

const offset = ({ offLow, offHigh }: Entry): number => offLow | offHigh;
const address = ({ addrLow, addrHigh }: Entry): number => addrLow | addrHigh;

/** Operations on an open file. */
const ON_FILES: [op: number, unused: Unused][] = [
  [abi.OP_FSYNC, entry => address(entry) | (entry.opFlags & ~abi.FSYNC_DATASYNC)],
  [abi.OP_FTRUNCATE, entry => address(entry) | entry.opFlags | entry.len | entry.addr3Low | entry.addr3High],
  [abi.OP_FALLOCATE, entry => entry.opFlags],
  [abi.OP_FADVISE, () => 0],
];

/** Operations on paths, which take no registered file. */
const ON_PATHS: [op: number, unused: Unused][] = [
  [abi.OP_STATX, () => 0],
  [abi.OP_RENAMEAT, () => 0],
  [abi.OP_LINKAT, () => 0],
  [abi.OP_SYMLINKAT, entry => entry.len | entry.opFlags],
  [abi.OP_UNLINKAT, entry => offset(entry) | entry.len | (entry.opFlags & ~AT_REMOVEDIR)],
  [abi.OP_MKDIRAT, entry => offset(entry) | entry.opFlags],
];

const flagged = ({ opFlags, group, file }: Entry): number => opFlags | group | file;
const message = (entry: Entry): number => offset(entry) | entry.file;

/** Operations on sockets, descriptors and time. */
const OTHERS: [op: number, unused: Unused][] = [
  [abi.OP_ACCEPT, ({ len, group }) => len | group],
  [abi.OP_BIND, entry => entry.len | flagged(entry)],
  [abi.OP_CONNECT, entry => entry.len | flagged(entry)],
  [abi.OP_LISTEN, entry => offset(entry) | address(entry) | flagged(entry)],
  [abi.OP_RECV, message],
  [abi.OP_RECVMSG, message],
  [abi.OP_SENDMSG, message],
  [abi.OP_POLL_ADD, entry => offset(entry) | address(entry) | entry.group],
  [abi.OP_CLOSE, entry => offset(entry) | address(entry) | entry.len | entry.opFlags | entry.group],
  [abi.OP_TIMEOUT, entry => entry.addr3Low | entry.addr3High],
];

/** The flags in the ioprio field; others have none. A read or write has a priority there. */
const IOPRIO: [op: number, flags: number][] = [
  [abi.OP_READ, 0xffff],
  [abi.OP_WRITE, 0xffff],
  [abi.OP_ACCEPT, abi.ACCEPT_MULTISHOT | abi.ACCEPT_DONTWAIT | abi.ACCEPT_POLL_FIRST],
  [abi.OP_RECV, abi.RECVSEND_POLL_FIRST | abi.RECV_MULTISHOT | abi.RECVSEND_BUNDLE],
  [abi.OP_RECVMSG, abi.RECVSEND_POLL_FIRST | abi.RECV_MULTISHOT],
  [abi.OP_SEND, abi.RECVSEND_POLL_FIRST | abi.RECVSEND_BUNDLE],
  [abi.OP_SENDMSG, abi.RECVSEND_POLL_FIRST | abi.SEND_VECTORIZED],
  // These are refused with another error.
  [abi.OP_SEND_ZC, 0xffff],
  [abi.OP_SENDMSG_ZC, 0xffff],
];
const ioprioOf = Uint16Array.from(
  { length: abi.OP_LAST },
  (_, op) => IOPRIO.find(([known]) => known === op)?.[1] ?? 0,
);

const unusedBy = (list: [op: number, unused: Unused][]): readonly (Unused | undefined)[] =>
  Array.from({ length: abi.OP_LAST }, (_, op) => list.find(([known]) => known === op)?.[1]);
const onFiles = unusedBy(ON_FILES);
const onPaths = unusedBy(ON_PATHS);
const others = unusedBy(OTHERS);

/** 0, or the negative errno of a rejected operation. */
export function refusalOf(entry: Entry): number {
  const { op, flags, group, file } = entry;
  if (entry.ioprio & ~ioprioOf[op]!) return EINVAL;
  const other = others[op];
  if (other !== undefined) return other(entry) === 0 ? 0 : EINVAL;
  const onFile = onFiles[op];
  if (onFile !== undefined) return (group | file | onFile(entry)) === 0 ? 0 : EINVAL;
  const onPath = onPaths[op];
  const fixed = (flags & abi.SQE_FIXED_FILE) !== 0;
  if (onPath !== undefined) return (group | file | onPath(entry)) !== 0 ? EINVAL : fixed ? EBADF : 0;
  switch (op) {
    case abi.OP_OPENAT:
      if (group !== 0 || (file !== 0 && (entry.opFlags & O_CLOEXEC) !== 0)) return EINVAL;
      return fixed ? EBADF : 0;
    case abi.OP_FGETXATTR:
      return entry.opFlags === 0 ? 0 : EINVAL;
    case abi.OP_GETXATTR:
    case abi.OP_SETXATTR:
      if (fixed) return EBADF;
      return op === abi.OP_GETXATTR && entry.opFlags !== 0 ? EINVAL : 0;
    default:
      return 0;
  }
}
