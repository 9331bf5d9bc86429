import { readlinkSync } from 'node:fs';

/** Of a process, and of one of its threads: 'PID' and 'PID/task/TID'. proc(5) */
const THREAD = /^(\d+)\/task\/(\d+)$/;

function isFirst(): boolean {
  try {
    const thread = THREAD.exec(readlinkSync('/proc/thread-self'));
    if (thread !== null) return thread[1] === thread[2];
  } catch {
    // There is no /proc, or it must not be read.
  }
  return process.getBuiltinModule('node:worker_threads').isMainThread;
}

/** As `isMainThread` of node:worker_threads, which takes longer to load than most of this package. */
export const isMainThread = isFirst();
