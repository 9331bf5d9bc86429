import { isMainThread } from 'node:worker_threads';
import { libc } from '../ring/libc.js';

/** Standard input, output and error are the process's: their numbers are never given up. */
export const STDIO_MAX = 2;

/** Descriptors that go with this thread; those of the main thread go with the process anyway. */
const owned: Set<number> | null = isMainThread ? null : new Set();

/** Has a descriptor closed when this thread ends, in whatever way: its peer would wait for ever. */
export function own(fd: number): void {
  if (owned === null || fd <= STDIO_MAX || owned.has(fd)) return;
  owned.add(fd);
  libc().closeAtExit(fd);
}

/** Before a descriptor is closed: its number may be another thread's right after. */
export function disown(fd: number): void {
  if (owned?.delete(fd)) libc().keepAtExit(fd);
}
