/**
 * Operations on files, which may wait for a device: the hand-off to what executes them.
 *
 * A handler gets `(ring, entry)`: the entry is decoded (entry.ts), a registered file is replaced by its descriptor.
 * It must call `ring.complete(entry, res)` exactly once.
 *
 * - At once, inside the handler, if the kernel promises not to wait (RWF_NOWAIT, RESOLVE_CACHED, what is in caches).
 * - Later: call `ring.hand(entry, stop)`, start the work elsewhere (a thread of libuv's pool, Node's own fs), and
 *   call `ring.complete(entry, res)` from the callback in this thread. That runs in libuv's poll phase, so the turn
 *   that follows reaps it: nothing need be woken. It is called also when the ring has been closed meanwhile
 *   (`ring.closed`): the last one then has the loop's memory unmapped.
 * - `entry.linked` and the flags of links are the ring's: `complete` starts or cancels what comes behind.
 *   `entry.expected` is the result that is no failure, where one that is not negative can be one: a short read.
 *
 * Cancelling. ASYNC_CANCEL, and the end of a loop, call `stop(entry)` of what is handed over. It returns true if the
 * work had not begun and `complete(entry, ECANCELED)` is called for certain, at once or later; false if the work goes
 * on to its end, as the kernel's does (EALREADY). An entry is completed once, whatever `stop` has said.
 *
 * Memory. What an entry points at in blocks stays until its completion. What it points at in scratch memory (paths,
 * names) is gone after the handler returns: copy it (`libc().copy`) before. A worker that is terminated does not end
 * before libuv's pool is done with its requests, and what it has mapped is unmapped by others only when the thread is
 * gone (src/ring/thread-records.ts). When a loop is closed while the pool works for it, the loop gives its operations
 * up with ECANCELED, and keeps its memory until the last entry has come back: `SoftRing.whenBack`.
 *
 * Descriptors that are opened in a worker must be opened by `libc().openFile`, which has them closed at its end. The
 * pool cannot: there open in one straight line from the callback (`libc().closeAtExit(fd)`).
 */
import { EINVAL } from '../ring/errno.js';
import type { Entry } from './entry.js';
import type { SoftRing } from './soft-ring.js';

/** Executes an operation on a file that may wait. */
export function handFile(ring: SoftRing, entry: Entry): void {
  ring.complete(entry, EINVAL);
}
