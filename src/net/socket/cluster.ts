/** Integrates sockets with workers of node:cluster. */
import type { Worker } from 'node:cluster';
import type { Loop } from '../../loop/loop.js';
import { closedError } from '../../sys/errors/errors.js';

/** Whether this process may be a worker: it has a channel to its parent. */
export function mayBeWorker(): boolean {
  return process.channel !== undefined && process.channel !== null;
}

/**
 * This process as a worker, if it is one.
 * @param loop the calling loop.
 * @throws UasyncError ERR_CLOSED when the loop has been closed meanwhile.
 */
export async function clusterWorker(loop: Loop): Promise<Worker | undefined> {
  const { default: cluster } = await import('node:cluster');
  if (loop.closed) throw closedError('The loop');
  return cluster.isWorker ? cluster.worker : undefined;
}

/**
 * Closes a socket when the worker is disconnected, like those of Node's modules: it would keep the process alive.
 * Returns a function that undoes this.
 */
export function closeOnDisconnect(worker: Worker, close: () => Promise<void>): () => void {
  const onDisconnect = (): void => {
    // There is no caller to report a failed close to.
    close().catch(() => {});
  };
  worker.once('disconnect', onDisconnect);
  return () => worker.off('disconnect', onDisconnect);
}

/** Workers share a given port, unless `reusePort` says otherwise. */
export function sharingPort<T extends { port?: number | undefined; reusePort?: boolean | undefined }>(
  options: T,
): T {
  const { port, reusePort } = options;
  return port === undefined || port === 0 || reusePort !== undefined
    ? options
    : { ...options, reusePort: true };
}
