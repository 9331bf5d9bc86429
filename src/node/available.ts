import { loop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import { ReceiveBuffers } from '../net/stream/receive-buffers.js';

let refused = false;

/** This thread's loop, made when it is first needed; null where it cannot run, and Node's own handles are used. */
export function availableLoop(): Loop | null {
  if (refused || process.permission !== undefined) return null;
  try {
    const made = loop();
    // Made here: there may be no memory for them.
    ReceiveBuffers.of(made);
    return made;
  } catch {
    refused = true;
    return null;
  }
}
