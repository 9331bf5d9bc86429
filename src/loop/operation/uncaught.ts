import { nextTick } from '../real-timers.js';

/** Throws an uncaught exception, without interrupting the caller. */
export function throwLater(error: unknown): void {
  nextTick(() => {
    throw error;
  });
}

/**
 * Calls a callback of Node's streams, and so the user's listeners. An exception of theirs within a promise would be an
 * unhandled rejection, and would skip the code after the call.
 */
export function callBack<A extends unknown[]>(callback: (...args: A) => void, ...args: A): void {
  try {
    callback(...args);
  } catch (error) {
    throwLater(error);
  }
}
