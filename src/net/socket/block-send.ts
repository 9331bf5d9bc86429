/** Sends from a block of runtime memory, which is returned if memory is short while the peer takes no more. */

import { hasMore } from '../../loop/operation/completion.js';
import type { Operation } from '../../loop/operation/operation.js';
import { EAGAIN, EINTR, isCancelled } from '../../sys/abi/errno.js';
import { POLLERR, POLLHUP, POLLOUT } from '../../sys/abi/flags.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL } from '../../sys/abi/sockets.js';

/**
 * Starts a send. The kernel continues a short one until everything is sent (MSG_WAITALL).
 * @param yields ends it instead with what the socket takes at once.
 */
export function startSend(
  operation: Operation,
  fd: number,
  address: number,
  length: number,
  yields: boolean,
): void {
  const flags = yields ? MSG_NOSIGNAL | MSG_DONTWAIT : MSG_NOSIGNAL | MSG_WAITALL;
  operation.loop.start(operation).sendAt(fd, address, length, flags);
}

/**
 * How much a send has sent, from the result of its completion; a negative errno if it has failed. An interrupted send
 * has sent nothing.
 * @param yields whether it ends with what the socket takes, or was cancelled for that.
 */
export function sentBy(res: number, yields: boolean): number {
  const none = res === EINTR || (yields && (res === EAGAIN || isCancelled(res)));
  return none ? 0 : res;
}

/** Events after which the next send sends something, or reports the socket's error. */
export const WRITABLE = POLLOUT | POLLERR | POLLHUP;

/**
 * Waits until a socket takes more: pass the completions to `isWritable`. Once the peer sends no more, a poll for a single
 * event completes at once, whether the socket is writable or not. A multishot poll goes on after that.
 */
export function awaitWritable(operation: Operation, fd: number): void {
  operation.loop.start(operation).pollMultishot(fd, POLLOUT);
}

/** Whether the wait is over. */
export function isWritable(operation: Operation, res: number, flags: number): boolean {
  if (!hasMore(flags)) return true;
  if (res & WRITABLE) operation.loop.cancel(operation);
  return false;
}
