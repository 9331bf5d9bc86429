/** Entries that are filled outside a queue, checked, and then copied into one. */

import { ETIME } from '../../sys/abi/errno.js';
import type { Scratch } from '../../sys/memory/scratch.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { Sqe } from './index.js';

const WORDS = SQE.size / 4;

/** SQE_ flags that have no meaning for a single operation, and would hold back those of others. */
const CHAINING = abi.SQE_CQE_SKIP_SUCCESS | abi.SQE_IO_LINK | abi.SQE_IO_HARDLINK | abi.SQE_IO_DRAIN;

/** A separate entry, a NOP until it is filled. What it points at goes into `scratch`. */
export function newDraft(scratch: Scratch): Sqe {
  const draft = new Sqe(scratch);
  draft.use(new Int32Array(WORDS), 4);
  draft.moveTo(0);
  return draft;
}

/**
 * Copies a draft to an entry of a queue, which keeps its user_data. The copy is not linked to the next entry, waits for no
 * other one, and completes on success too.
 */
export function copyDraft(draft: Sqe, into: Sqe): void {
  const { words, at } = into;
  const low = words[at + SQE.userData]!;
  const high = words[at + SQE.userData + 1]!;
  for (let i = 0; i < WORDS; i++) words[at + i] = draft.words[draft.at + i]!;
  words[at] = words[at]! & ~(CHAINING << 8);
  into.userDataWords(low, high);
}

/** The OP_ value of an entry. */
export function opOf({ words, at }: Sqe): number {
  return words[at]! & 0xff;
}

/** Operations whose result is a descriptor. */
const OPENS = new Set([abi.OP_ACCEPT, abi.OP_OPENAT, abi.OP_OPENAT2, abi.OP_SOCKET]);

/** Whether the result of an operation with this OP_ value is a descriptor. */
export function opensDescriptor(op: number): boolean {
  return OPENS.has(op);
}

/** Whether an operation with this OP_ value completes again when the kernel is done with its bytes. */
export function isZeroCopy(op: number): boolean {
  return op === abi.OP_SEND_ZC || op === abi.OP_SENDMSG_ZC;
}

/** Whether this result is a success of the operation: a timeout ends with ETIME. */
export function isSuccess(op: number, res: number): boolean {
  return res >= 0 || (op === abi.OP_TIMEOUT && res === ETIME);
}

/** The buffer group that an entry selects from or changes, -1 for none. */
export function groupOf(entry: Sqe): number {
  const { words, at } = entry;
  const op = opOf(entry);
  const changes = op === abi.OP_PROVIDE_BUFFERS || op === abi.OP_REMOVE_BUFFERS;
  return changes || words[at]! & (abi.SQE_BUFFER_SELECT << 8) ? words[at + SQE.buf]! & 0xffff : -1;
}

/** Operations that put their result into a registered file if they name one. */
const DIRECT = new Set([
  abi.OP_OPENAT,
  abi.OP_OPENAT2,
  abi.OP_ACCEPT,
  abi.OP_SOCKET,
  abi.OP_CLOSE,
  abi.OP_PIPE,
]);

/** Whether an entry uses, fills or changes registered files. */
export function namesFiles(entry: Sqe): boolean {
  const { words, at } = entry;
  const op = opOf(entry);
  if (op === abi.OP_FILES_UPDATE || words[at]! & (abi.SQE_FIXED_FILE << 8)) return true;
  if (DIRECT.has(op)) return words[at + SQE.file] !== 0;
  if (op === abi.OP_MSG_RING) return words[at + SQE.addr] === abi.MSG_SEND_FD;
  if (op !== abi.OP_SPLICE && op !== abi.OP_TEE) return false;
  return (words[at + SQE.opFlags]! & abi.SPLICE_F_FD_IN_FIXED) !== 0;
}
