import { nextTick } from './real-timers.js';

/** An uncaught exception like any other, which does not stop what its caller is doing. */
export function throwLater(error: unknown): void {
  nextTick(() => {
    throw error;
  });
}

/**
 * Calls a callback of Node's streams, and so listeners of the user's. From within a promise what they throw
 * would be an unhandled rejection, and what comes after the call would not be done.
 */
export function callBack<A extends unknown[]>(callback: (...args: A) => void, ...args: A): void {
  try {
    callback(...args);
  } catch (error) {
    throwLater(error);
  }
}
