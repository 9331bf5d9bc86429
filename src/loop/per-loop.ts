import type { Loop } from './loop.js';

/** One object per loop, created on first use, and collected with the loop. */
export function perLoop<T>(make: (loop: Loop) => T): (loop: Loop) => T {
  const made = new WeakMap<Loop, T>();
  return loop => {
    if (!made.has(loop)) made.set(loop, make(loop));
    return made.get(loop)!;
  };
}
