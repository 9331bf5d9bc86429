/** The choice between a plain send and the ring, for what is written while nothing else goes on. */
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EINTR } from '../../ring/errno.js';
import { SEND_MAX, TEXT_MAX } from '../../ring/socket-calls.js';

/**
 * Whether to send this by a call of its own, if nothing is before it. A call saves a trip through the queues, which
 * counts while messages come one at a time; under load one submission for all is cheaper.
 * @param sentAt the completions of the loop when the last call was made: what one turn writes beyond the first goes
 * together.
 */
export function isSentNow(loop: Loop, data: string | Uint8Array, sentAt: number): boolean {
  if (sentAt === loop.completed || !loop.isQuiet || data.length === 0) return false;
  return (
    data.length <= (typeof data === 'string' ? TEXT_MAX : SEND_MAX) && loop.inline.takeAnswer(data.length)
  );
}

/**
 * Whether this is so much that a call of its own is cheaper in any case: it sends from where the bytes are, and the ring
 * from a copy.
 */
export function isSentInPlace(loop: Loop, data: string | Uint8Array): boolean {
  return typeof data !== 'string' && data.length > SEND_MAX && loop.inline.take(data.length);
}

/** Sends what the socket takes at once: how many bytes, or a negative errno if it has failed. send(2) */
export function sendNow(loop: Loop, fd: number, data: string | Uint8Array): number {
  const calls = loop.socketCalls;
  let res: number;
  if (typeof data === 'string') res = calls.sendText(fd, data);
  else res = data.length > SEND_MAX ? calls.sendInPlace(fd, data) : calls.send(fd, data);
  return res === EAGAIN || res === EINTR ? 0 : res;
}

/** What is left to send after `sendNow` has sent part of it; null if nothing is. */
export function restOf(loop: Loop, data: string | Uint8Array, sent: number): string | Uint8Array | null {
  if (sent === 0) return data;
  if (typeof data !== 'string') return sent === data.length ? null : data.subarray(sent);
  const { length } = loop.socketCalls;
  return sent === length ? null : loop.socketCalls.rest(length - sent);
}
