import { EBADF } from '../sys/abi/errno.js';
import { libc } from '../sys/libc/libc.js';

const bytes = Buffer.alloc(4);
const length = new Uint32Array(1);

/** Sets a socket option of type int; 0 or a negative errno. setsockopt(2) */
export function setIntOption(fd: number, level: number, name: number, value: number): number {
  if (fd < 0) return EBADF;
  bytes.writeInt32LE(value);
  return libc().setsockopt(fd, level, name, bytes);
}

/** The value of a socket option of type int that is not negative, or a negative errno. getsockopt(2) */
export function intOption(fd: number, level: number, name: number): number {
  if (fd < 0) return EBADF;
  length[0] = bytes.length;
  const failed = libc().getsockopt(fd, level, name, bytes, length);
  return failed < 0 ? failed : bytes.readInt32LE();
}
