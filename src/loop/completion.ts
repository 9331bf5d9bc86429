/**
 * What a completion says beside its result. Operations get it as one number, which these functions read: hot paths
 * carry no object.
 */
import { CQE_BUFFER_SHIFT, CQE_F_BUF_MORE, CQE_F_BUFFER, CQE_F_MORE, CQE_F_NOTIF } from '../ring/abi.js';

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

/** Whether the next receive goes on in the same buffer, behind what this one has filled. */
export function keepsBuffer(flags: CompletionFlags): boolean {
  return (flags & CQE_F_BUF_MORE) !== 0;
}

/** Whether a send without a copy is done with its memory; its result has come before. */
export function isNotification(flags: CompletionFlags): boolean {
  return (flags & CQE_F_NOTIF) !== 0;
}
