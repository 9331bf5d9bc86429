import { loop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import { Setback } from './setback.js';

/** What sockets of a kind receive into, once for each loop. */
interface Buffers {
  of(loop: Loop): unknown;
}

const setbacks = new Map<Buffers, Setback>();

/** This thread's loop, made when it is first needed; null where it cannot run, and Node's own handles are used. */
export function availableLoop(buffers: Buffers): Loop | null {
  const setback = setbacks.get(buffers);
  if (process.permission !== undefined || setback?.lasts) return null;
  try {
    const made = loop();
    // Made here: there may be no memory for them.
    buffers.of(made);
    return made;
  } catch {
    const noted = setback ?? new Setback();
    setbacks.set(buffers, noted);
    noted.note();
    return null;
  }
}
