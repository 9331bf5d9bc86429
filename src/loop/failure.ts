import { ECANCELED } from '../ring/errno.js';
import { type ErrorDetails, noThreadError, systemError, type UasyncError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';

/**
 * The error of an operation that completed with a negative `res`, and was not cancelled by its caller.
 *
 * What may block is done by worker threads of the kernel. Where it cannot start the first one it completes all that
 * waits for it with ECANCELED, as if it had been cancelled.
 */
export function failureOf(res: number, syscall: string, details?: ErrorDetails): UasyncError {
  if (res === ECANCELED && !libc().canStartThread()) return noThreadError(syscall, details);
  return systemError(res, syscall, details);
}
