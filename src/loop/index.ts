/** The event loop: awaiting operations, and submitting and reaping them. */
export { AbortError } from './abort.js';
export type { ActiveResource } from './active.js';
export type { BlockStats } from './blocks.js';
export type { BackendKind } from './choose-backend.js';
export { availableBackend, loop, uasyncAvailable } from './current.js';
export type { Completion, IterateOptions, Iteration } from './iteration.js';
export type { Loop } from './loop.js';
export type { BackendChoice, LoopOptions } from './loop-options.js';
export type { LoopStats } from './loop-stats.js';
export { allocPinned } from './pinned.js';
export { type SignalIterator, signals } from './signals.js';
export { nop, sleep } from './timers.js';

import { loop } from './current.js';

/** Calls `callback` in the loop's next turn, in call order. */
export function callSoon(callback: () => void): void {
  loop().callSoon(callback);
}
