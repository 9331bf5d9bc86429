import { ECANCELED } from '../../sys/abi/errno.js';
import { type ErrorDetails, noThreadError, systemError, type UasyncError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';

/**
 * The error of an operation that completed with a negative `res` and was not cancelled by its caller.
 *
 * Worker threads of the kernel do what may block. If the kernel cannot start the first one, it completes all operations
 * that wait for it with ECANCELED, as if they had been cancelled.
 */
export function failureOf(res: number, syscall: string, details?: ErrorDetails): UasyncError {
  if (res === ECANCELED && !libc().canStartThread()) return noThreadError(syscall, details);
  return systemError(res, syscall, details);
}
