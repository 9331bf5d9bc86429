import type { Worker } from 'node:worker_threads';
import { UasyncError } from '../sys/errors/errors.js';
import { unmapLeftovers } from '../sys/libc/thread-records.js';
import { isMainThread } from '../sys/main-thread.js';
import type { BackendKind } from './backend/choose-backend.js';
import { EventLoop } from './event-loop.js';
import type { Loop } from './loop.js';
import type { LoopOptions } from './loop-options.js';
import { discardPinned } from './memory/pinned.js';
import { setTimeout } from './real-timers.js';
import { noteExit } from './turns/exiting.js';

/** How long to wait for a thread to exit, in milliseconds; if it takes longer, the next exit or loop unmaps. */
const EXIT_MS = 50;

let current: Loop | undefined;

/**
 * This thread's event loop, created on first use.
 * @param options sizes and modes, only for the call that creates the loop.
 * @throws UasyncError ERR_IO_URING_UNAVAILABLE if io_uring is not available, with the cause and the fix;
 * ERR_LOOP_EXISTS if `options` are given and the loop exists.
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
  current = new EventLoop(options);
  noteExit();
  if (!isFirst) return current;
  process.once('exit', endLast);
  process.on('worker', (worker: Worker) => worker.once('exit', unmapSoon));
  return current;
}

/** The event comes while the kernel is still tearing down the thread. */
function unmapSoon(): void {
  setTimeout(unmapLeftovers, EXIT_MS).unref();
}

/** The thread ends. */
function endLast(): void {
  noteExit();
  // What was written before `process.exit()` leaves, as with Node's own sockets and pipes.
  current!.submitLast();
  if (isMainThread) return;
  // A worker frees its heap: the kernel must be done with its ring by then.
  current!.onClose(discardPinned);
  current!.close();
}

/**
 * Whether this thread's loop runs on io_uring, or one could: it is created and closed again. If not, the error of
 * `loop({ backend: 'io_uring' })` tells why. Sockets and files do not need io_uring: see `availableBackend()`.
 */
export function uasyncAvailable(): boolean {
  if (current !== undefined && !current.closed && current.backend === 'io_uring') return true;
  return tried({ backend: 'io_uring' }) !== null;
}

/**
 * The backend of this thread's loop, or the default one; null if no loop can run here. Then the error of `loop()` tells
 * why.
 */
export function availableBackend(): BackendKind | null {
  if (current !== undefined && !current.closed) return current.backend;
  return tried({ warn: false });
}

/** Creates and closes a loop; returns its backend, null if the kernel refuses. */
function tried(options: LoopOptions): BackendKind | null {
  try {
    const attempt = new EventLoop(options);
    attempt.close();
    return attempt.backend;
  } catch (error) {
    if (!(error instanceof UasyncError)) throw error;
    return null;
  }
}
