/** `open`: from a path and flags to a `FileHandle`. */
import { constants, type PathLike } from 'node:fs';
import { loop as currentLoop } from '../../loop/current.js';
import { O_ACCMODE } from '../../sys/abi/flags.js';
import { toFlags, toMode, toNodeMode, toPath } from '../arguments.js';
import { inlineFiles } from '../inline/inline.js';
import { inlineChanges } from '../inline/inline-changes.js';
import { promises } from '../node-promises.js';
import { mayOpen } from '../permission.js';
import { FileHandle } from './file-handle.js';
import { openPath } from './open-path.js';

const { O_CREAT, O_RDONLY, O_TRUNC } = constants;

/** The permissions of a new file, before the umask. */
export const DEFAULT_MODE = 0o666;

/**
 * Opens a file, as `fs.promises.open`.
 * @param flags 'r' (the default), 'w', 'a+' … or O_ values of `fs.constants`.
 * @param mode the permissions of a new file, before the umask; default 0o666.
 */
export async function open(
  path: PathLike,
  flags?: string | number,
  mode?: string | number,
): Promise<FileHandle> {
  const plain = toPath(path);
  const openFlags = toFlags(flags);
  const openMode = toMode(mode, DEFAULT_MODE);
  // Node refuses it; if Node only reports it, it is opened here nevertheless.
  if (!mayOpen(plain, openFlags)) await (await promises.open(path, flags, toNodeMode(mode))).close();
  const loop = currentLoop();
  const changes = (openFlags & (O_CREAT | O_TRUNC)) !== 0;
  const fd = changes
    ? inlineChanges(loop).open(plain, openFlags, openMode)
    : inlineFiles(loop).open(plain, openFlags);
  if (fd !== undefined) {
    const onlyReads = !changes && (openFlags & O_ACCMODE) === O_RDONLY;
    return new FileHandle(loop, fd, openFlags, onlyReads);
  }
  return new FileHandle(loop, await openPath(loop, plain, openFlags, openMode), openFlags);
}
