import { constants, readlinkSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { FileHandle } from '../../fs/file-handle.js';
import { open } from '../../fs/open.js';
import { UasyncError } from '../../ring/errors.js';

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

/** Whether a path is that of a folder, or is in it. */
function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === sep ? sep : folder + sep);
}

/** A folder for serving its files, and nothing outside of it. */
export class Root {
  readonly #folder: string;
  /** The real path of the folder, as last found. */
  #real: string | null = null;

  constructor(folder: string) {
    // '' is not a folder, and not the current one.
    this.#folder = folder === '' ? '' : resolve(folder);
  }

  /**
   * Whether a real path is in the folder. The folder may be a link, which is resolved again if it leads elsewhere by
   * now.
   */
  async #holds(path: string): Promise<boolean> {
    if (this.#real !== null && isBelow(path, this.#real)) return true;
    this.#real = await realpath(this.#folder);
    return isBelow(path, this.#real);
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
      if (await this.#holds(readlinkSync(`/proc/self/fd/${file.fd}`))) return file;
    } catch {
      // The folder is gone, or there is no /proc: the real path is unknown.
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
