/** The file that a Unix socket leaves in the file system, unix(7). */
import { lstatSync, type Stats, unlinkSync } from 'node:fs';
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
    const file = new SocketFile(path);
    return file.isSocket && (await isRefused(loop, path, type)) && file.remove();
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
  const fd = openSocket(type | SOCK_NONBLOCK, 'connect', { path });
  try {
    await loop.submit(sqe => sqe.connect(fd, { path }));
    return false;
  } catch (error) {
    return (error as UasyncError).errno === ECONNREFUSED;
  } finally {
    await closeSocket(loop, fd);
  }
}

/** A socket's file as it is now, to be removed later unless another has taken its place. */
export class SocketFile {
  readonly #path: string;
  readonly #stats: Stats;

  /** @throws what lstat(2) does. */
  constructor(path: string) {
    this.#path = path;
    this.#stats = lstatSync(path);
  }

  get isSocket(): boolean {
    return this.#stats.isSocket();
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

  /** Whether the path is free now: removed here, or by somebody else. */
  remove(): boolean {
    try {
      const { ino, dev } = lstatSync(this.#path);
      if (ino !== this.#stats.ino || dev !== this.#stats.dev) return false;
      unlinkSync(this.#path);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
  }
}
