/**
 * Node's timers, its queues and its clock as they were when this module was loaded. Test runners (node:test,
 * jest, sinon) replace the global ones, and a loop that waits for a fake one stops: nothing in src/ uses a
 * global one, test/layers.test.ts checks that.
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

/** What Node's timers hold, in milliseconds: 24 days. */
export const TIMER_MAX = 0x7fffffff;

/** As `setTimeout`; a time that is longer than a timer holds becomes the longest. */
export function startTimer(callback: () => void, ms: number): NodeJS.Timeout {
  return setTimeout(callback, Math.min(ms, TIMER_MAX));
}

export const { nextTick } = process;

/** Runs the ticks and microtasks that wait, as Node does after each callback of libuv's; not from within one. */
export const runTicks: () => void = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** Milliseconds on the monotonic clock. */
export const now = performance.now.bind(performance);

const RealDate = Date;

/** Milliseconds since 1970, by the clock that may be set. */
export const wallClock = Date.now;

/** Milliseconds since 1970 of a date in text; NaN if it is none. */
export const parseDate = Date.parse;

/** The date at `ms` milliseconds since 1970. */
export function dateAt(ms: number): Date {
  return new RealDate(ms);
}
