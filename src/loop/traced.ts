import { isNativeError } from 'node:util/types';

/**
 * The same error, whose stack says who waits for it. It was made where the loop reaps completions, and only
 * from within an async function that has awaited it V8 sees the callers.
 */
export function traced(error: unknown): unknown {
  if (isNativeError(error)) Error.captureStackTrace(error, traced);
  return error;
}
