import { UasyncError } from './errors.js';

/**
 * Throws unless `condition` holds: for what would otherwise let the kernel write where it must not, or settle
 * someone else's call. Such an error is a fault of this package. It is checked always; node:assert would take as
 * long as a small operation.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new UasyncError('ERR_INTERNAL_ASSERTION', `${message}. This is a bug in uasync.`);
}
