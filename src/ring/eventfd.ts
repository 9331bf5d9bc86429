import { systemError } from './errors.js';
import { libc } from './libc.js';

/**
 * A new counter for `ring.registerEventfd(fd)`: it is readable once completions have come, and reading its
 * eight bytes sets it back to 0. It is non-blocking and close-on-exec, and the caller's to close. eventfd(2)
 */
export function eventfd(): number {
  const fd = libc().eventfd();
  if (fd < 0) throw systemError(fd, 'eventfd');
  return fd;
}
