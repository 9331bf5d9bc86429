/**
 * Calls that io_uring has no operation for: Node's own functions, on its thread pool. They are no faster than Node's,
 * and complete the API.
 */
import type { PathLike } from 'node:fs';
import { isUint8Array } from 'node:util/types';
import { ENAMETOOLONG } from '../sys/abi/errno.js';
import { systemError } from '../sys/errors/errors.js';
import { promises } from './node-promises.js';

export const { chown, constants, copyFile, lchmod, lchown, lutimes, opendir, statfs, utimes, watch } =
  promises;

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

type Mkdtemp = (prefix: PathLike, options?: object) => Promise<string>;

/** Node 20 and 22 write beyond the memory of a prefix in bytes that is longer than their own stack storage of 1 KiB. */
const PREFIX_MAX = 1000;

/** As `fs.promises.mkdtemp`. A long prefix in bytes is passed to Node as text; it must be UTF-8. */
export async function mkdtemp(prefix: PathLike, options?: object): Promise<string> {
  return (promises.mkdtemp as Mkdtemp)(shortened(prefix), options);
}

function shortened(prefix: PathLike): PathLike {
  if (!isUint8Array(prefix) || prefix.length <= PREFIX_MAX) return prefix;
  const bytes = Buffer.from(prefix);
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw systemError(ENAMETOOLONG, 'mkdtemp', { path: text });
  return text;
}
