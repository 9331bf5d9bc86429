/** The file that a Unix socket leaves in the file system, unix(7). */
import { lstatSync, unlinkSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { ECONNREFUSED } from '../ring/errno.js';
import type { UasyncError } from '../ring/errors.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import { connect } from './connect.js';

/** Removes a path if it is that of a socket on which nobody listens any more; whether it is gone now. */
export async function removeStale(path: string): Promise<boolean> {
  if (path.startsWith('\0')) return false;
  try {
    const found = await lstat(path);
    if (!found.isSocket() || !(await isRefused(path))) return false;
    // Another server may have started in its place meanwhile.
    const { ino, dev } = lstatSync(path);
    if (ino !== found.ino || dev !== found.dev) return false;
    unlinkSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

async function isRefused(path: string): Promise<boolean> {
  try {
    const answered = await connect({ path, timeout: 1000 });
    await answered.reset();
    return false;
  } catch (error) {
    return (error as UasyncError).errno === ECONNREFUSED;
  }
}

/** A listener's own file, to be removed at its end, unless another has taken its place. */
export class SocketFile {
  readonly #path: string;
  readonly #inode: number;
  readonly #device: number;

  private constructor(path: string) {
    this.#path = path;
    const { ino, dev } = lstatSync(path);
    this.#inode = ino;
    this.#device = dev;
  }

  /** That of a listener which has just been bound; null where it has none. */
  static of(address: SocketAddress): SocketFile | null {
    if (!('path' in address) || address.path === '' || address.path.startsWith('\0')) return null;
    try {
      return new SocketFile(address.path);
    } catch {
      // It has been removed already.
      return null;
    }
  }

  remove(): void {
    try {
      const { ino, dev } = lstatSync(this.#path);
      if (ino === this.#inode && dev === this.#device) unlinkSync(this.#path);
    } catch {
      // Somebody else has removed it.
    }
  }
}
