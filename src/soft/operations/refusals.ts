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

const unusedBy = (list: [op: number, unused: Unused][]): readonly (Unused | undefined)[] =>
  Array.from({ length: abi.OP_LAST }, (_, op) => list.find(([known]) => known === op)?.[1]);
const onFiles = unusedBy(ON_FILES);
const onPaths = unusedBy(ON_PATHS);

/** 0, or the negative errno of a rejected file operation. */
export function refusalOf(entry: Entry): number {
  const { op, flags, group, file } = entry;
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
