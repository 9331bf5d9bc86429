/** How many threads the kernel may use for the operations of this loop (io-wq). */
import type { Loop } from '../loop/loop.js';

/**
 * Threads of the kernel that may wait for files at once. By default there are four for each core: so few
 * opened FIFOs without another end, or files on a server that does not answer, would hold up all others.
 */
const MAX = 128;

let last: Loop | undefined;

/** Lets that many wait; before the first operation that may. */
export function allowWaiting(loop: Loop): void {
  if (last === loop) return;
  last = loop;
  loop.allowWaiters(MAX);
}
