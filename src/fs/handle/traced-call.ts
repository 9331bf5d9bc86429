import { traced } from '../../loop/operation/traced.js';

/**
 * What a call comes to, if its own promise does not lead to who waits: Node's calls that take a callback, and promises
 * that others wait for as well.
 */
export async function tracedCall<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw traced(error);
  }
}
