import { UasyncError } from '../ring/errors.js';
import type { Queues } from './backend.js';

/**
 * Submits from a full queue until it has room for `count` entries. Completions are reaped only if the kernel waits for
 * that. What awaits them runs before anything else does, and would start more: the thread might never look at its
 * timers again.
 */
export function makeRoom(queues: Queues, count: number, reap: () => void): void {
  for (let tries = 0; tries < 1000; tries++) {
    queues.submitAndGetEvents();
    if (queues.sqSpaceLeft >= count) return;
    reap();
    if (queues.sqSpaceLeft >= count) return;
  }
  throw new UasyncError(
    'ERR_QUEUE_FULL',
    'The submission queue is full, and the kernel accepts no more entries',
  );
}
