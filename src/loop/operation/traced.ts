import { isNativeError } from 'node:util/types';
import type { Deferred } from './deferred.js';

/** A stack frame of a function that awaits. */
const AWAITS = /^\s+at async /m;

/**
 * The same error, with a stack that shows who waits for it. It was created where the loop reaps completions, and V8
 * sees the callers only from within an async function that has awaited it.
 */
export function traced(error: unknown): unknown {
  if (isNativeError(error)) Error.captureStackTrace(error, traced);
  return error;
}

/**
 * Rejects a promise with an error of its own for the caller, whose stack shows who awaits the promise. V8 follows the
 * promises from the running job to the function that awaits the last one, so the stack is captured in a job that leads
 * there. A successful call pays nothing for it.
 */
export function rejectTraced(settler: Deferred<never>, error: unknown): void {
  Promise.reject(error).then(undefined, rethrow).then(settler.resolve, settler.reject);
}

/** If nothing awaits it, the creator of the error is better than nothing. */
function rethrow(error: unknown): never {
  if (!isNativeError(error)) throw error;
  try {
    const { stack } = error;
    Error.captureStackTrace(error, rethrow);
    if (!AWAITS.test(error.stack!)) Object.defineProperty(error, 'stack', { value: stack });
  } catch {
    // The program's `Error.prepareStackTrace` has thrown.
  }
  throw error;
}
