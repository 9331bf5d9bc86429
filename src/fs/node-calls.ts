/**
 * What the ring has no operation for: Node's own functions, on its thread pool. Nothing is gained, and
 * nothing is missing.
 */
import { promises } from './node-promises.js';

export const {
  chown,
  constants,
  copyFile,
  lchmod,
  lchown,
  lutimes,
  mkdtemp,
  opendir,
  statfs,
  utimes,
  watch,
} = promises;

/** What a later Node than 20 has; undefined elsewhere. */
interface Later {
  /** Node 22. */
  glob: (pattern: string | readonly string[], options?: object) => NodeJS.AsyncIterator<string>;
  /** Node 24. */
  mkdtempDisposable: (
    prefix: string,
    options?: object,
  ) => Promise<AsyncDisposable & { path: string; remove(): Promise<void> }>;
}

export const { glob, mkdtempDisposable } = promises as unknown as Later;
