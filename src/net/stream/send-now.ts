/** Chooses between a plain send and the ring, for data that is written while nothing else goes on. */

import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EINTR } from '../../sys/abi/errno.js';
import { SEND_MAX, TEXT_MAX } from '../../sys/calls/socket-calls.js';

/** From this size on naming the bytes to the call costs less than a copy of them at a known address. */
const IN_PLACE_MIN = 4096;

/**
 * Whether to send this by a separate call, if nothing is queued before it. A call avoids the queues, which matters
 * while messages come one at a time; under load one submission for all is cheaper.
 * @param sentAt the loop's completion count at the last call: what one turn writes after the first send goes together.
 */
export function isSentNow(loop: Loop, data: string | Uint8Array, sentAt: number): boolean {
  if (sentAt === loop.completed || !loop.isQuiet || data.length === 0) return false;
  return (
    data.length <= (typeof data === 'string' ? TEXT_MAX : SEND_MAX) && loop.inline.takeAnswer(data.length)
  );
}

/**
 * Whether this is so large that a separate call is always cheaper: it sends in place, and the ring sends a copy.
 */
export function isSentInPlace(loop: Loop, data: string | Uint8Array): boolean {
  return typeof data !== 'string' && data.length > SEND_MAX && loop.inline.take(data.length);
}

/** Sends what the socket takes at once: the number of bytes, or a negative errno if it has failed. send(2) */
export function sendNow(loop: Loop, fd: number, data: string | Uint8Array): number {
  const calls = loop.socketCalls;
  let res: number;
  if (typeof data === 'string') res = calls.sendText(fd, data);
  else res = data.length >= IN_PLACE_MIN ? calls.sendInPlace(fd, data) : calls.send(fd, data);
  return res === EAGAIN || res === EINTR ? 0 : res;
}

/** The rest after `sendNow` has sent a part; null if there is none. */
export function restOf(loop: Loop, data: string | Uint8Array, sent: number): string | Uint8Array | null {
  if (sent === 0) return data;
  if (typeof data !== 'string') return sent === data.length ? null : data.subarray(sent);
  const { length } = loop.socketCalls;
  return sent === length ? null : loop.socketCalls.rest(length - sent);
}
