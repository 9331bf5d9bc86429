import { constants } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { FileHandle } from '../../fs/handle/file-handle.js';
import { open } from '../../fs/handle/open.js';
import { loop as currentLoop } from '../../loop/current.js';
import { EAGAIN, EINTR } from '../../sys/abi/errno.js';
import { AT_FDCWD } from '../../sys/abi/flags.js';
import { UasyncError } from '../../sys/errors/errors.js';

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** The error for a file that does not exist, or must not be seen: the peer cannot distinguish these. */
export function notFound(path: string, cause?: unknown): UasyncError {
  const error = new UasyncError('ERR_HTTP_FILE', `There is no file ${JSON.stringify(path)} to serve`, {
    cause,
  });
  return Object.assign(error, { status: 404 });
}

/** Opens a file for sending, without waiting for the writer of a FIFO. */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM' || code === 'EIO') throw error;
    throw notFound(path, error);
  }
}

/**
 * The real path of an open file; '' if it is unknown, as without /proc. Each character is a byte, since names need not
 * be UTF-8. Node's permission model is not asked: it knows about the path that was opened, not about /proc.
 */
function realPathOf({ fd }: { readonly fd: number }): string {
  const { calls } = currentLoop();
  let length: number;
  // A file that is there must not be missing for an interruption.
  do length = calls.readLink(AT_FDCWD, `/proc/self/fd/${fd}`);
  while (length === EAGAIN || length === EINTR);
  return length > 0 ? calls.link(length).toString('latin1') : '';
}

/** The real path of a folder, in bytes; undefined if it is not cached. */
function realPathAtOnce(folder: string): string | undefined {
  const { calls } = currentLoop();
  const fd = calls.locate(folder, true);
  if (fd < 0) return undefined;
  const path = realPathOf({ fd });
  calls.close(fd);
  // A folder that was removed has this suffix.
  return path === '' || path.endsWith(' (deleted)') ? undefined : path;
}

/** Whether a path is that of a folder, or is in it. */
function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === sep ? sep : folder + sep);
}

/** A folder for serving its files, and nothing outside of it. */
export class Root {
  readonly #folder: string;
  /** The folder in bytes, see `realPathOf`. */
  readonly #bytes: string;

  constructor(folder: string) {
    // '' is not a folder, and not the current one.
    this.#folder = folder === '' ? '' : resolve(folder);
    this.#bytes = Buffer.from(this.#folder).toString('latin1');
  }

  /** Whether a real path is in the folder, which may be a link that leads elsewhere by now. */
  async #holds(path: string): Promise<boolean> {
    // No part of a real path is a link.
    if (this.#bytes !== '' && isBelow(path, this.#bytes)) return true;
    return isBelow(path, realPathAtOnce(this.#folder) ?? (await realpath(this.#folder, 'latin1')));
  }

  /**
   * Opens a file by its path below the folder. Its real path is checked when it is open, so that a link that changes
   * meanwhile has no effect.
   */
  async open(relative: string): Promise<FileHandle> {
    if (relative.includes('\0')) throw notFound(relative);
    const path = join(this.#folder, relative);
    if (!isBelow(path, this.#folder)) throw notFound(relative);
    const file = await openFile(path);
    try {
      if (await this.#holds(realPathOf(file))) return file;
    } catch {
      // The folder is gone.
    }
    await file.close();
    throw notFound(relative);
  }
}

/**
 * The path of a URL, relative to a root; null if no file can have it: encoded slashes, backslashes, NULs, dots, invalid
 * UTF-8. `new URL()` has resolved plain dots already.
 */
export function decodePath(pathname: string): string | null {
  if (/%2f|%5c|%00|\\/i.test(pathname)) return null;
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  return path.split('/').some(part => part === '..' || part === '.') ? null : path;
}
