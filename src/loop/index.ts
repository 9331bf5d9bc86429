/** The event loop: awaiting operations, and submitting and reaping them. */

export type { BackendKind } from './backend/choose-backend.js';
export { availableBackend, loop, uasyncAvailable } from './current.js';
export type { Loop } from './loop.js';
export type { BackendChoice, LoopOptions } from './loop-options.js';
export type { LoopStats } from './loop-stats.js';
export type { BlockStats } from './memory/blocks.js';
export { allocPinned } from './memory/pinned.js';
export type { ActiveResource } from './operation/active.js';
export type { Completion, IterateOptions, Iteration } from './raw/iteration.js';
export { nop, sleep } from './turns/timers.js';
export { AbortError } from './waiting/abort.js';
export { type SignalIterator, signals } from './waiting/signals.js';

import { loop } from './current.js';

/** Calls `callback` in the loop's next turn, in call order; if the loop is closed before that, right after the close. */
export function callSoon(callback: () => void): void {
  loop().callSoon(callback);
}
