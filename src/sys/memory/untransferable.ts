/** Marks of buffers that must not be transferred to another thread. node:worker_threads is loaded for the first one. */
import { isArrayBuffer } from 'node:util/types';

interface Marks {
  markAsUntransferable(object: object): void;
  /** Node 21; undefined before. */
  isMarkedAsUntransferable?: (object: object) => boolean;
}

let loaded: Marks | undefined;

function marks(): Marks {
  loaded ??= process.getBuiltinModule('node:worker_threads') as Marks;
  return loaded;
}

/** Whether it is marked, as far as this version of Node can tell. */
export function isUntransferable(buffer: object): boolean {
  return marks().isMarkedAsUntransferable?.(buffer) ?? false;
}

/**
 * Marks a buffer. Memory that C owns, as from `allocPinned`, is marked from the start: marking it again makes Node 24
 * abort at exit.
 */
export function markUntransferable(buffer: ArrayBufferLike): void {
  if (isArrayBuffer(buffer) && !isUntransferable(buffer)) marks().markAsUntransferable(buffer);
}
