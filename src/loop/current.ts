import { isMainThread } from 'node:worker_threads';
import { UasyncError } from '../ring/errors.js';
import { probe } from '../ring/probe.js';
import { Loop } from './loop.js';
import type { LoopOptions } from './loop-options.js';
import { discardPinned } from './pinned.js';

let current: Loop | undefined;

/**
 * This thread's event loop, made on first use.
 * @param options how to make it; only the call that makes it may give any.
 * @throws UasyncError ERR_IO_URING_UNAVAILABLE where the kernel refuses io_uring, with cause and cure;
 * ERR_LOOP_EXISTS when `options` come too late.
 */
export function loop(options?: LoopOptions): Loop {
  if (current !== undefined && !current.closed) {
    if (options === undefined) return current;
    throw new UasyncError(
      'ERR_LOOP_EXISTS',
      'This thread has a loop already: its options are given at first use',
    );
  }
  const isFirst = current === undefined;
  current = new Loop(options);
  // A thread that ends takes its heap with it: the kernel must be done with its ring before.
  if (isFirst && !isMainThread) process.once('exit', endLast);
  return current;
}

function endLast(): void {
  current!.onClose(discardPinned);
  current!.close();
}

/** Whether io_uring can be used here. `probe()` of uasync/ring says why not. */
export function uasyncAvailable(): boolean {
  return probe().available;
}
