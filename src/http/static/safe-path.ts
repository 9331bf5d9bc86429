import { constants, readlinkSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { FileHandle } from '../../fs/file-handle.js';
import { open } from '../../fs/open.js';
import { UasyncError } from '../../ring/errors.js';

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** No such file, or none that may be seen: who asks is told no difference. */
export function notFound(path: string, cause?: unknown): UasyncError {
  const error = new UasyncError('ERR_HTTP_FILE', `There is no file ${JSON.stringify(path)} to serve`, {
    cause,
  });
  return Object.assign(error, { status: 404 });
}

/** Opens a file to be sent: a FIFO must not wait for its writer. */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM' || code === 'EIO') throw error;
    throw notFound(path, error);
  }
}

/** Whether a path is that of a folder, or of what is in it. */
function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === sep ? sep : folder + sep);
}

/** A folder that files are served from, and nothing outside of it. */
export class Root {
  readonly #folder: string;
  /** Where the folder is, without symbolic links, as it was last found. */
  #real: string | null = null;

  constructor(folder: string) {
    // '' is no folder, and not the current one.
    this.#folder = folder === '' ? '' : resolve(folder);
  }

  /** Whether a path without symbolic links is in the folder, which may be a link: one that leads elsewhere by now is followed again. */
  async #holds(path: string): Promise<boolean> {
    if (this.#real !== null && isBelow(path, this.#real)) return true;
    this.#real = await realpath(this.#folder);
    return isBelow(path, this.#real);
  }

  /**
   * Opens a file by its path below the folder. Where it leads is looked at when it is open: a link that is changed meanwhile changes nothing.
   */
  async open(relative: string): Promise<FileHandle> {
    if (relative.includes('\0')) throw notFound(relative);
    const path = join(this.#folder, relative);
    if (!isBelow(path, this.#folder)) throw notFound(relative);
    const file = await openFile(path);
    try {
      if (await this.#holds(readlinkSync(`/proc/self/fd/${file.fd}`))) return file;
    } catch {
      // The folder is gone, or there is no /proc: it cannot be known where it leads.
    }
    await file.close();
    throw notFound(relative);
  }
}

/**
 * The path of a URL as one below a root; null for what no file of it can be: encoded slashes, backslashes, NULs, dots, bytes that are no
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
