import * as abi from '../ring/abi/io-uring.js';
import { EINVAL, EOPNOTSUPP } from '../sys/abi/errno.js';
import type { Entry } from './entry.js';
import type { Host } from './host.js';
import { asyncCancel, close, nop, timeout } from './operations/control.js';
import { fadvise, fallocate, fsync, ftruncate } from './operations/files.js';
import {
  fgetxattr,
  fsetxattr,
  getxattr,
  linkat,
  mkdirat,
  renameat,
  setxattr,
  symlinkat,
  unlinkat,
} from './operations/names.js';
import { pollAdd } from './operations/polls.js';
import { receive, receiveMessage } from './operations/receive.js';
import { refusalOf } from './operations/refusals.js';
import { send, sendMessage } from './operations/send.js';
import { accept, bind, connect, listen } from './operations/sockets.js';
import { read, write } from './operations/transfers.js';

/** Flags of entries that are not the last of a chain. */
export const LINKS = abi.SQE_IO_LINK | abi.SQE_IO_HARDLINK;
/** Supported flags of entries. */
const FLAGS = LINKS | abi.SQE_FIXED_FILE | abi.SQE_ASYNC | abi.SQE_BUFFER_SELECT | abi.SQE_CQE_SKIP_SUCCESS;

/** Tries an entry, or continues it. */
export type Handler = (ring: Host, entry: Entry) => void;

/** The handler of each opcode; null where there is none. */
export type Handlers = readonly (Handler | null)[];

/** The network could not report when it no longer needs the memory of a zero-copy send: fails as Unix sockets do. */
function unsupported(ring: Host, entry: Entry): void {
  ring.complete(entry, EOPNOTSUPP);
}

const KNOWN: [op: number, handler: Handler][] = [
  [abi.OP_NOP, nop],
  [abi.OP_TIMEOUT, timeout],
  [abi.OP_ASYNC_CANCEL, asyncCancel],
  [abi.OP_CLOSE, close],
  [abi.OP_POLL_ADD, pollAdd],
  [abi.OP_ACCEPT, accept],
  [abi.OP_CONNECT, connect],
  [abi.OP_BIND, bind],
  [abi.OP_LISTEN, listen],
  [abi.OP_RECV, receive],
  [abi.OP_RECVMSG, receiveMessage],
  [abi.OP_SEND, send],
  [abi.OP_SENDMSG, sendMessage],
  [abi.OP_READ, read],
  [abi.OP_WRITE, write],
  [abi.OP_OPENAT, (ring, entry) => ring.files.open(entry)],
  [abi.OP_STATX, (ring, entry) => ring.files.stat(entry)],
  [abi.OP_FSYNC, fsync],
  [abi.OP_FTRUNCATE, ftruncate],
  [abi.OP_FALLOCATE, fallocate],
  [abi.OP_FADVISE, fadvise],
  [abi.OP_RENAMEAT, renameat],
  [abi.OP_LINKAT, linkat],
  [abi.OP_SYMLINKAT, symlinkat],
  [abi.OP_UNLINKAT, unlinkat],
  [abi.OP_MKDIRAT, mkdirat],
  [abi.OP_GETXATTR, getxattr],
  [abi.OP_SETXATTR, setxattr],
  [abi.OP_FGETXATTR, fgetxattr],
  [abi.OP_FSETXATTR, fsetxattr],
];

const REFUSED: typeof KNOWN = [
  [abi.OP_SEND_ZC, unsupported],
  [abi.OP_SENDMSG_ZC, unsupported],
];

export const handlers: Handlers = Array.from(
  { length: abi.OP_LAST },
  (_, op) => [...KNOWN, ...REFUSED].find(([known]) => known === op)?.[1] ?? null,
);

/** The supported opcodes. */
export const OPS: ReadonlySet<number> = new Set(KNOWN.map(([op]) => op));

/** 0, or the error of an invalid entry. */
export function refused(entry: Entry): number {
  const { op, flags } = entry;
  const known = op < handlers.length && handlers[op] !== null && (flags & ~FLAGS) === 0;
  if (!known || entry.personality !== 0) return EINVAL;
  if (flags & abi.SQE_BUFFER_SELECT && op !== abi.OP_RECV && op !== abi.OP_RECVMSG) return EOPNOTSUPP;
  return refusalOf(entry);
}
