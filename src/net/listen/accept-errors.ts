/** The meaning of errors of accept(2), which concern the connection or the process more often than the listener. */
import {
  EAGAIN,
  ECONNABORTED,
  ECONNRESET,
  EINTR,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPROTO,
} from '../../sys/abi/errno.js';

const GONE = new Set([ECONNABORTED, EPROTO, ECONNRESET, EINTR, EAGAIN]);
const EXHAUSTED = new Set([EMFILE, ENFILE, ENOBUFS, ENOMEM]);

/** Milliseconds before a listener without descriptors or memory tries again: at once it would spin. */
export const PAUSE_MS = 100;

/** Whether the connection disappeared before it was accepted, or there was none. */
export function isGone(errno: number): boolean {
  return GONE.has(errno);
}

/** Whether there was no descriptor, or no memory, for the connection. */
export function isExhausted(errno: number): boolean {
  return EXHAUSTED.has(errno);
}
