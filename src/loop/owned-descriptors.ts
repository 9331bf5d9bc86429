import { libc } from '../ring/libc.js';

/** Standard input, output and error are the process's: their numbers are never given up. */
export const STDIO_MAX = 2;

/** Has a descriptor closed when this thread ends, in whatever way: its peer would wait for ever. */
export function own(fd: number): void {
  libc().closeAtExit(fd);
}

/** Before a descriptor is closed by other means than `libc().close`: its number may be another thread's right after. */
export function disown(fd: number): void {
  libc().keepAtExit(fd);
}
