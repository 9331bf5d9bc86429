/** Limits the kernel's worker threads for the operations of this loop (io-wq). */
import type { Loop } from '../loop/loop.js';

/**
 * How many kernel threads may wait for files at once. The default is four per core: that number of opened FIFOs without
 * another end, or of files on a server that does not answer, would block all others.
 */
const MAX = 128;

let last: Loop | undefined;

/** Sets this limit; called before the first operation that may wait. */
export function allowWaiting(loop: Loop): void {
  if (last === loop) return;
  last = loop;
  loop.allowWaiters(MAX);
}
