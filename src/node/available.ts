import { loop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import { Setback } from './setback.js';

/** The receive buffers of a kind of socket, once per loop. */
interface Buffers {
  of(loop: Loop): unknown;
}

const setbacks = new Map<Buffers, Setback>();

/** This thread's loop, created on first use; null where it cannot run, and Node's own handles are used. */
export function availableLoop(buffers: Buffers): Loop | null {
  const setback = setbacks.get(buffers);
  if (process.permission !== undefined || setback?.skips()) return null;
  try {
    const made = loop();
    // Created here: there may be no memory for them.
    buffers.of(made);
    return made;
  } catch {
    const noted = setback ?? new Setback();
    setbacks.set(buffers, noted);
    noted.note();
    return null;
  }
}
