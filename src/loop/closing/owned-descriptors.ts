import { libc } from '../../sys/libc/libc.js';

/** Standard input, output and error belong to the process: their numbers are never freed. */
export const STDIO_MAX = 2;

/** Closes a descriptor when this thread ends in any way: otherwise its peer would wait for ever. */
export function own(fd: number): void {
  libc().closeAtExit(fd);
}

/**
 * Call before closing a descriptor by other means than `libc().close`: another thread may have its number right after.
 */
export function disown(fd: number): void {
  libc().keepAtExit(fd);
}
