import { isMainThread, type Worker } from 'node:worker_threads';
import { UasyncError } from '../ring/errors.js';
import { unmapLeftovers } from '../ring/thread-records.js';
import type { BackendKind } from './choose-backend.js';
import { Loop } from './loop.js';
import type { LoopOptions } from './loop-options.js';
import { discardPinned } from './pinned.js';
import { setTimeout } from './real-timers.js';

/** Milliseconds that a thread may take to exit; if it takes more, the next one's exit or the next loop unmaps. */
const EXIT_MS = 50;

let current: Loop | undefined;

/**
 * This thread's event loop, created on first use.
 * @param options sizes and modes; only for the call that creates the loop.
 * @throws UasyncError ERR_IO_URING_UNAVAILABLE if io_uring is not available, with the cause and the fix;
 * ERR_LOOP_EXISTS when `options` come too late.
 */
export function loop(options?: LoopOptions): Loop {
  if (current !== undefined && !current.closed) {
    if (options === undefined) return current;
    throw new UasyncError(
      'ERR_LOOP_EXISTS',
      'This thread already has a loop: pass options to the first call of loop()',
    );
  }
  const isFirst = current === undefined;
  unmapLeftovers();
  current = new Loop(options);
  if (!isFirst) return current;
  // A thread that ends takes its heap with it: the kernel must be done with its ring before.
  if (!isMainThread) process.once('exit', endLast);
  process.on('worker', (worker: Worker) => worker.once('exit', unmapSoon));
  return current;
}

/** The event comes while the kernel is still taking the thread down. */
function unmapSoon(): void {
  setTimeout(unmapLeftovers, EXIT_MS).unref();
}

function endLast(): void {
  current!.onClose(discardPinned);
  current!.close();
}

/**
 * Whether this thread's loop runs on io_uring, or one could: it is created and closed again. If the result is false,
 * the error of `loop({ backend: 'io_uring' })` says why. Sockets and files need no io_uring: see `availableBackend()`.
 */
export function uasyncAvailable(): boolean {
  if (current !== undefined && !current.closed && current.backend === 'io_uring') return true;
  return tried({ backend: 'io_uring' }) !== null;
}

/**
 * What this thread's loop runs on, or would by default; null if there can be no loop here, and the error of `loop()`
 * says why.
 */
export function availableBackend(): BackendKind | null {
  if (current !== undefined && !current.closed) return current.backend;
  return tried({ warn: false });
}

/** Makes a loop and closes it; what it ran on, null if the kernel refuses. */
function tried(options: LoopOptions): BackendKind | null {
  try {
    const attempt = new Loop(options);
    attempt.close();
    return attempt.backend;
  } catch (error) {
    if (!(error instanceof UasyncError)) throw error;
    return null;
  }
}
