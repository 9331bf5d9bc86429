import { loop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';

/** What sockets of a kind receive into, once for each loop. */
interface Buffers {
  of(loop: Loop): unknown;
}

const refused = new Set<Buffers>();

/** This thread's loop, made when it is first needed; null where it cannot run, and Node's own handles are used. */
export function availableLoop(buffers: Buffers): Loop | null {
  if (process.permission !== undefined || refused.has(buffers)) return null;
  try {
    const made = loop();
    // Made here: there may be no memory for them.
    buffers.of(made);
    return made;
  } catch {
    refused.add(buffers);
    return null;
  }
}
