import { errnoName } from '../sys/errors/errors.js';

/** The error that `net.Socket` gets from a native handle, such as `write EPIPE`. @param errno negative. */
export function socketError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = errnoName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall });
}
