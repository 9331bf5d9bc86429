/** Walks through trees by plain calls: whether there may be one, and its share of the thread. */
import { loop as currentLoop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import { setImmediate } from '../loop/real-timers.js';
import { closedError } from '../ring/errors.js';
import { guarded } from '../ring/permission.js';

/**
 * The loop whose budget a walk lives on; undefined where Node does the whole of it: without plain calls, and under
 * the permission model, which asks about each path.
 */
export function walkingLoop(): Loop | undefined {
  if (guarded) return undefined;
  try {
    const loop = currentLoop();
    return loop.inline.enabled ? loop : undefined;
  } catch {
    // Without io_uring these calls are Node's, as they need none.
    return undefined;
  }
}

/** Lets Node's event loop go round until there is a budget again; throws if the loop is closed meanwhile. */
export async function nextTurn(loop: Loop): Promise<void> {
  do {
    await new Promise<void>(resolve => setImmediate(resolve));
    if (loop.closing) throw closedError('The loop');
  } while (loop.inline.spent);
}
