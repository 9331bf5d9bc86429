/** The file that a Unix socket leaves in the file system, unix(7). */
import { lstatSync, unlinkSync } from 'node:fs';
import { closeSocket } from '../loop/close.js';
import type { Loop } from '../loop/loop.js';
import { ECONNREFUSED } from '../ring/errno.js';
import type { UasyncError } from '../ring/errors.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import { SOCK_NONBLOCK } from '../ring/sqe/sockets.js';
import { openSocket } from './open-socket.js';

/**
 * Removes a path if it is that of a socket of this type (SOCK_STREAM, SOCK_DGRAM) that nobody is bound to
 * any more; whether it is gone now.
 */
export async function removeStale(loop: Loop, path: string, type: number): Promise<boolean> {
  if (!isFile(path)) return false;
  try {
    const found = lstatSync(path);
    if (!found.isSocket() || !(await isRefused(loop, path, type))) return false;
    // Another socket may have been bound in its place meanwhile.
    const { ino, dev } = lstatSync(path);
    if (ino !== found.ino || dev !== found.dev) return false;
    unlinkSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** Abstract names, and the empty one, are in no file system. */
function isFile(path: string): boolean {
  return path !== '' && !path.startsWith('\0');
}

async function isRefused(loop: Loop, path: string, type: number): Promise<boolean> {
  // A server with a full backlog answers EAGAIN, and is there.
  const fd = openSocket(loop, type | SOCK_NONBLOCK, 'connect', { path });
  try {
    await loop.submit(sqe => sqe.connect(fd, { path }));
    return false;
  } catch (error) {
    return (error as UasyncError).errno === ECONNREFUSED;
  } finally {
    await closeSocket(loop, fd);
  }
}

/** A bound socket's own file, to be removed at its end, unless another has taken its place. */
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

  /** That of a socket which has just been bound; null where it has none. */
  static of(address: SocketAddress): SocketFile | null {
    if (!('path' in address) || !isFile(address.path)) return null;
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
