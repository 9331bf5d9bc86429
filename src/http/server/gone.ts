import { UasyncError } from '../../sys/errors/errors.js';

/** The reason that `request.signal` has when the peer is gone. */
export const GONE = new UasyncError('ECONNRESET', 'The peer has ended its side, or has gone');

/** Whether it is what a handler fails with that has given up for that reason: the reason itself, or an AbortError. */
export function isOfGonePeer(error: unknown): boolean {
  return error === GONE || (error as { cause?: unknown } | null | undefined)?.cause === GONE;
}
