/** Closing a loop: the kernel must be done with every operation before its memory is freed. */
import { ECANCELED } from '../../sys/abi/errno.js';
import type { Backend } from '../backend/backend.js';
import type { Loop } from '../loop.js';
import type { OperationTable } from '../operation/operation-table.js';
import type { Pending } from '../operation/pending.js';
import { now } from '../real-timers.js';

const CLOSE_WAIT_MS = 1000;

/** Operations of closed loops that the kernel was not done with: they keep their memory. */
const unfinished = new Set<readonly Pending[]>();

/** Cancels everything in flight, and waits until the kernel is done with it. False if it is not after a second. */
export function cancelAll(loop: Loop, backend: Backend, operations: OperationTable): boolean {
  const { queues } = backend;
  const end = now() + CLOSE_WAIT_MS;
  do {
    if (operations.size === 0 && queues.sqReady === 0) return true;
    loop.startUnowned().cancelAll();
    queues.submitAndWaitTimeout(2, 10);
    queues.reapQueue(operations);
  } while (now() < end && backend.elsewhere === 0);
  return operations.size === 0;
}

/**
 * Settles operations that cannot be cancelled as if they were. The kernel may still write to their memory, which is
 * kept; `unmap` is called once the backend is done with all of it, if the backend can tell.
 */
export function abandon(backend: Backend, operations: OperationTable, unmap: () => void): void {
  const left = [...operations.slots.values()];
  unfinished.add(left);
  backend.whenBack(() => {
    unfinished.delete(left);
    unmap();
  });
  for (const operation of left) operations.settle(operation, ECANCELED);
}
