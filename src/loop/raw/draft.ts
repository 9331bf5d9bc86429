/** Entries that users fill: each is a separate draft, checked before it goes into the queue. */
import { isPromise } from 'node:util/types';
import { copyDraft, groupOf, namesFiles, newDraft } from '../../ring/sqe/draft.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { checkFunction } from '../../sys/check/check.js';
import { argValueError, UasyncError } from '../../sys/errors/errors.js';
import type { Loop } from '../loop.js';
import type { Operation } from '../operation/operation.js';

/** Lets `prepare` fill a draft, and calls `start` with it, which queues it at once. */
export function withDraft<T>(loop: Loop, prepare: (sqe: Sqe) => void, start: (draft: Sqe) => T): T {
  checkFunction('prepare', prepare);
  // Not an entry of the queue: `prepare` may throw, and may start other operations.
  const draft = newDraft(loop.holdScratch());
  try {
    const returned: unknown = prepare(draft);
    if (isPromise(returned)) {
      returned.catch(() => {});
      throw argValueError('prepare', 'must not be asynchronous', prepare);
    }
    check(loop, draft);
    return start(draft);
  } finally {
    // Once queued, the entry holds scratch memory itself, and a cursor that the user kept writes nothing.
    loop.releaseScratch();
    draft.retire();
  }
}

/**
 * Starts `operation` with the contents of `draft`, as a single entry. A completion under another user_data, or none at
 * all, could not be delivered, and a link would attach another operation's entry. The operation keeps the draft's
 * buffers, and removes itself from the loop's `eventfdWaits` at its last completion.
 */
export function startDraft(operation: Operation, draft: Sqe): void {
  copyDraft(draft, operation.loop.start(operation));
  operation.loop.keepForever(draft.keptForever);
  operation.loop.eventfdWaits++;
}

/** The registered files and buffer groups of a loop belong to the runtime, which counts what the kernel puts there. */
function check(loop: Loop, draft: Sqe): void {
  const group = groupOf(draft);
  if (group >= 0 && loop.ownsGroup(group)) {
    throw new UasyncError('ERR_RESERVED_GROUP', `Buffer group ${group} is reserved for the runtime`);
  }
  if (namesFiles(draft)) {
    throw new UasyncError(
      'ERR_RESERVED_FILES',
      'The registered files of a loop are reserved for the runtime: use a Ring of your own',
    );
  }
}
