/**
 * The rest of a completion beside its result. Operations get it as one number, which these functions decode, so that
 * hot paths carry no object.
 */
import {
  CQE_BUFFER_SHIFT,
  CQE_F_BUF_MORE,
  CQE_F_BUFFER,
  CQE_F_MORE,
  CQE_F_NOTIF,
} from '../../ring/abi/io-uring.js';

export type CompletionFlags = number;

/** Whether more completions of this operation follow. */
export function hasMore(flags: CompletionFlags): boolean {
  return (flags & CQE_F_MORE) !== 0;
}

/** Whether a provided buffer was used: see `bufferOf`. */
export function hasBuffer(flags: CompletionFlags): boolean {
  return (flags & CQE_F_BUFFER) !== 0;
}

/** The id of the provided buffer. */
export function bufferOf(flags: CompletionFlags): number {
  return flags >>> CQE_BUFFER_SHIFT;
}

/** Whether the next receive continues in the same buffer, after the bytes of this one. */
export function keepsBuffer(flags: CompletionFlags): boolean {
  return (flags & CQE_F_BUF_MORE) !== 0;
}

/** Whether a zero-copy send no longer uses its memory; its result has come before. */
export function isNotification(flags: CompletionFlags): boolean {
  return (flags & CQE_F_NOTIF) !== 0;
}
