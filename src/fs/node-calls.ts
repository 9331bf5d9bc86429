/**
 * Calls that io_uring has no operation for: Node's own functions, on its thread pool. They are no faster than Node's,
 * and complete the API.
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

/** Functions of Node versions after 20; undefined elsewhere. */
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
