import { UasyncError } from '../../sys/errors/errors.js';

/** The reason that `request.signal` has when the peer is gone. */
export const GONE = new UasyncError('ECONNRESET', 'The peer has ended its side, or has gone');

/** Whether a handler failed only because its peer is gone: with that reason, or with an error whose `cause` it is. */
export function isOfGonePeer(error: unknown): boolean {
  return error === GONE || (error as { cause?: unknown } | null | undefined)?.cause === GONE;
}
