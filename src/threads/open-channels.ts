/** The channels of a thread: they end with its loop, and each has a key of its own. */
import { perLoop } from '../loop/per-loop.js';

/** What ends each open channel of a loop when that closes. */
export const openOn = perLoop(loop => {
  const open = new Set<() => void>();
  loop.onClosing(() => {
    for (const end of open) end();
  });
  return open;
});

let next = Math.floor(Math.random() * 2 ** 31);

/** A key for `Loop.expect`: different for each channel of a thread, and random for other threads. */
export function newKey(): number {
  next = (next + 1) & 0x7fffffff;
  return next;
}
