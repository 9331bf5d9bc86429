import { systemError } from '../errors/errors.js';
import { libc } from './libc.js';

/**
 * Creates an eventfd for `ring.registerEventfd(fd)`. It becomes readable when completions arrive; reading its eight
 * bytes resets it to 0. It is non-blocking and close-on-exec. The caller closes it. eventfd(2)
 */
export function eventfd(): number {
  const fd = libc().eventfd();
  if (fd < 0) throw systemError(fd, 'eventfd');
  return fd;
}
