/** Kernel errors that this package distinguishes, negative as in completions. errno(3) */
export const EPERM = -1;
export const ESRCH = -3;
export const ENOENT = -2;
export const EINTR = -4;
export const EIO = -5;
export const EBADF = -9;
export const EAGAIN = -11;
export const ENXIO = -6;
export const ENOMEM = -12;
export const EACCES = -13;
export const EFAULT = -14;
export const EBUSY = -16;
export const EEXIST = -17;
export const EXDEV = -18;
export const ENOTDIR = -20;
export const EISDIR = -21;
export const EINVAL = -22;
export const ENFILE = -23;
export const EMFILE = -24;
export const ESPIPE = -29;
export const EROFS = -30;
export const EMLINK = -31;
export const EPIPE = -32;
export const ENAMETOOLONG = -36;
export const ENOSYS = -38;
export const ENOTEMPTY = -39;
export const ELOOP = -40;
export const ETIME = -62;
export const EPROTO = -71;
export const ENOTSOCK = -88;
export const EDESTADDRREQ = -89;
export const EMSGSIZE = -90;
export const EOPNOTSUPP = -95;
export const EADDRINUSE = -98;
export const EADDRNOTAVAIL = -99;
export const ECONNABORTED = -103;
export const ECONNRESET = -104;
export const ENOBUFS = -105;
export const ENOTCONN = -107;
export const ECONNREFUSED = -111;
export const EALREADY = -114;
export const EINPROGRESS = -115;
export const ECANCELED = -125;
/** System calls never return it: an io-wq worker that is interrupted in `open` completes with it. */
const ERESTARTSYS = -512;

/** Whether an operation was cancelled, before it started or while it waited. */
export function isCancelled(res: number): boolean {
  return res === ECANCELED || res === EINTR || res === ERESTARTSYS;
}

/**
 * Whether an io-wq worker was interrupted before it had done anything. Unless it was cancelled, the operation is
 * retried.
 */
export function isInterrupted(res: number): boolean {
  return res === EINTR || res === ERESTARTSYS;
}
