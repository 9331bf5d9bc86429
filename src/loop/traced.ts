import { isNativeError } from 'node:util/types';
import type { Deferred } from './deferred.js';

/** A frame of a function that awaits. */
const AWAITS = /^\s+at async /m;

/**
 * The same error, whose stack says who waits for it. It was made where the loop reaps completions, and only
 * from within an async function that has awaited it V8 sees the callers.
 */
export function traced(error: unknown): unknown {
  if (isNativeError(error)) Error.captureStackTrace(error, traced);
  return error;
}

/**
 * Rejects a promise with an error that is its caller's own, and whose stack says who awaits the promise. V8 follows
 * the promises from the running job to the function that awaits the last one; so the stack is taken in a job that
 * leads there. A call that succeeds pays nothing for it.
 */
export function rejectTraced(settler: Deferred<never>, error: unknown): void {
  Promise.reject(error).then(undefined, rethrow).then(settler.resolve, settler.reject);
}

/** Who made the error is better than nothing, where no one awaits it. */
function rethrow(error: unknown): never {
  if (!isNativeError(error)) throw error;
  const { stack } = error;
  Error.captureStackTrace(error, rethrow);
  if (!AWAITS.test(error.stack!)) Object.defineProperty(error, 'stack', { value: stack });
  throw error;
}
