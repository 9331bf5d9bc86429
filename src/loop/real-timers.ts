/**
 * Node's timers, queues and clock as they were when this module was loaded. Test runners (node:test, jest, sinon)
 * replace the global ones, and a loop that waits for a fake one stops. Nothing in src/ uses a global one, which
 * test/layers.test.ts checks.
 */

export const {
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  setImmediate,
  clearImmediate,
  queueMicrotask,
} = globalThis;

/** The maximum duration of Node's timers, in milliseconds: 24 days. */
export const TIMER_MAX = 0x7fffffff;

/** As `setTimeout`, except that a longer time is shortened to the maximum. */
export function startTimer(callback: () => void, ms: number): NodeJS.Timeout {
  return setTimeout(callback, Math.min(ms, TIMER_MAX));
}

export const { nextTick } = process;

/** Runs the waiting ticks and microtasks, as Node does after each callback of libuv. Not from within one. */
export const runTicks: () => void = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** Milliseconds on the monotonic clock. */
export const now = performance.now.bind(performance);

const RealDate = Date;

/** Milliseconds since 1970, by the settable clock. */
export const wallClock = Date.now;

/** Parses a date to milliseconds since 1970; NaN if it is invalid. */
export const parseDate = Date.parse;

/** The date at `ms` milliseconds since 1970. */
export function dateAt(ms: number): Date {
  return new RealDate(ms);
}
