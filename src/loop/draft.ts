/** Entries that users fill: each is a draft of its own, checked before it goes into the queue. */
import { isPromise } from 'node:util/types';
import * as abi from '../ring/abi.js';
import { checkFunction } from '../ring/check.js';
import { argValueError, UasyncError } from '../ring/errors.js';
import { Sqe } from '../ring/sqe/index.js';
import { SQE } from '../ring/structs.js';
import type { Loop } from './loop.js';
import type { Operation } from './operation.js';

/** Has `prepare` fill a draft, and calls `start` with it, which gives it to the kernel at once. */
export function withDraft<T>(loop: Loop, prepare: (sqe: Sqe) => void, start: (draft: Sqe) => T): T {
  checkFunction('prepare', prepare);
  // Not an entry of the queue: `prepare` may throw, and may start other operations.
  const draft = new Sqe(loop.holdScratch());
  draft.use(new Int32Array(SQE.size / 4), 4);
  draft.moveTo(0);
  try {
    const returned: unknown = prepare(draft);
    if (isPromise(returned)) {
      returned.catch(() => {});
      throw argValueError('prepare', 'must not be asynchronous', prepare);
    }
    checkGroup(loop, draft);
    checkFiles(draft);
    return start(draft);
  } finally {
    // Queued, it holds scratch memory by itself; and a cursor that was kept writes nowhere.
    loop.releaseScratch();
    draft.retire();
  }
}

/** SQE_ flags that make no sense for one operation by itself. */
const ALONE = abi.SQE_CQE_SKIP_SUCCESS | abi.SQE_IO_LINK | abi.SQE_IO_HARDLINK;

/**
 * Starts `operation` with what `draft` holds. Its buffers are the operation's to keep, and with its last completion it
 * takes itself from the loop's `eventfdWaits`.
 */
export function startDraft(operation: Operation, draft: Sqe): void {
  const from = draft.words;
  const { words, at } = operation.loop.start(operation);
  const low = words[at + SQE.userData]!;
  const high = words[at + SQE.userData + 1]!;
  for (let i = 0; i < SQE.size / 4; i++) words[at + i] = from[i]!;
  // What came back under another user_data, or not at all, could never be delivered; and the entry that
  // comes next is anybody's.
  words[at] = words[at]! & ~(ALONE << 8);
  words[at + SQE.userData] = low;
  words[at + SQE.userData + 1] = high;
  operation.loop.keepForever(draft.keptForever);
  operation.loop.eventfdWaits++;
}

/** Operations whose result goes into a registered file if they name one. */
const DIRECT = new Set([
  abi.OP_OPENAT,
  abi.OP_OPENAT2,
  abi.OP_ACCEPT,
  abi.OP_SOCKET,
  abi.OP_CLOSE,
  abi.OP_PIPE,
]);

/** The registered files of a loop are the runtime's: files of its own are in their places. */
function checkFiles({ words }: Sqe): void {
  const op = words[0]! & 0xff;
  const named = words[0]! & (abi.SQE_FIXED_FILE << 8) || (DIRECT.has(op) && words[SQE.file] !== 0);
  const spliced =
    (op === abi.OP_SPLICE || op === abi.OP_TEE) && words[SQE.opFlags]! & abi.SPLICE_F_FD_IN_FIXED;
  const sent = op === abi.OP_MSG_RING && words[SQE.addr] === abi.MSG_SEND_FD;
  if (named || spliced || sent || op === abi.OP_FILES_UPDATE) {
    throw new UasyncError('ERR_RESERVED_FILES', 'Registered files are for a Ring of your own');
  }
}

/** The runtime counts what the kernel puts into its buffers: others would upset the count. */
function checkGroup(loop: Loop, { words }: Sqe): void {
  const selects = words[0]! & (abi.SQE_BUFFER_SELECT << 8);
  const group = words[SQE.buf]! & 0xffff;
  if (selects && loop.ownsGroup(group)) {
    throw new UasyncError('ERR_RESERVED_GROUP', `Buffer group ${group} is the runtime's own`);
  }
}
