/** What workers of node:cluster expect of their sockets. */
import type { Worker } from 'node:cluster';
import type { Loop } from '../../loop/loop.js';
import { closedError } from '../../ring/errors.js';

/** Whether this process may be a worker: it has a parent to talk to. */
export function mayBeWorker(): boolean {
  return process.channel !== undefined && process.channel !== null;
}

/**
 * This process as a worker, if it is one.
 * @param loop that of the call that asks, which ends with it.
 * @throws UasyncError ERR_CLOSED when the loop has been closed meanwhile.
 */
export async function clusterWorker(loop: Loop): Promise<Worker | undefined> {
  const { default: cluster } = await import('node:cluster');
  if (loop.closed) throw closedError('The loop');
  return cluster.isWorker ? cluster.worker : undefined;
}

/**
 * Has a socket closed when the worker is disconnected, as those of Node's modules are: it would keep the process
 * from ending. Returns how to take that back.
 */
export function closeOnDisconnect(worker: Worker, close: () => Promise<void>): () => void {
  const onDisconnect = (): void => {
    // There is no caller to report a failed close to.
    close().catch(() => {});
  };
  worker.once('disconnect', onDisconnect);
  return () => worker.off('disconnect', onDisconnect);
}

/** Workers share a port that is named, unless `reusePort` says otherwise. */
export function sharingPort<T extends { port?: number | undefined; reusePort?: boolean | undefined }>(
  options: T,
): T {
  const { port, reusePort } = options;
  return port === undefined || port === 0 || reusePort !== undefined
    ? options
    : { ...options, reusePort: true };
}
