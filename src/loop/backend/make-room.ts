import { UasyncError } from '../../sys/errors/errors.js';
import type { Queues } from './backend.js';

/**
 * Submits a full queue until it has room for `count` entries. Completions are reaped only if the kernel waits for that:
 * code that awaits them runs before anything else and would start more, and the thread might never get to its timers.
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
