/** The entry point of each thread of `serveOnThreads`. */

import { workerData } from 'node:worker_threads';
import { throwLater } from '../loop/operation/uncaught.js';
import { setImmediate } from '../loop/real-timers.js';
import { argTypeError } from '../sys/errors/errors.js';
import { Thread, type ThreadContext } from './thread-context.js';
import type { ThreadData } from './thread-messages.js';

type Serve = (context: ThreadContext) => unknown;

async function run(data: ThreadData): Promise<void> {
  const thread = new Thread(data);
  try {
    const module = (await import(data.moduleUrl)) as { default?: Serve; serve?: Serve };
    const serve = module.default ?? module.serve;
    if (typeof serve !== 'function') {
      throw argTypeError(`default export of ${data.moduleUrl}`, 'of type function', serve);
    }
    await serve(thread);
    thread.ready();
  } catch (error) {
    // A thread that was asked to end may end with an AbortError.
    if (thread.signal.aborted) return;
    // Outside of any promise: the error ends the thread, and its starter gets it unchanged.
    setImmediate(() => {
      throw error;
    });
  }
}

run(workerData as ThreadData).catch(throwLater);
