/** Sends from a block of runtime memory, which is returned if memory is short while the peer takes no more. */
import type { Loop } from '../../loop/loop.js';
import type { Operation } from '../../loop/operation.js';
import { EAGAIN, EINTR, isCancelled } from '../../ring/errno.js';
import { POLLOUT } from '../../ring/flags.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL } from '../../ring/sqe/sockets.js';

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

/** Resolves when a socket takes more. */
export function untilWritable(loop: Loop, fd: number, signal: AbortSignal): Promise<number> {
  return loop.submit(sqe => sqe.pollAdd(fd, POLLOUT), { signal });
}
