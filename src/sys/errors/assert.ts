import { UasyncError } from './errors.js';

/**
 * Throws unless `condition` holds. It guards what would otherwise let the kernel write to the wrong memory, or settle
 * someone else's call; a failure is a bug in this package. The check is always on. node:assert would take as long as a
 * small operation.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new UasyncError('ERR_INTERNAL_ASSERTION', `${message}. This is a bug in uasync.`);
}
