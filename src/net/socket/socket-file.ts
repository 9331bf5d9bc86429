/** The file that a Unix socket leaves in the file system, unix(7). */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { disown } from '../../loop/owned-descriptors.js';
import { sleep } from '../../loop/timers.js';
import { EADDRINUSE, EAGAIN, ECONNREFUSED, ENOENT } from '../../ring/errno.js';
import { systemError } from '../../ring/errors.js';
import { libc } from '../../ring/libc.js';
import { SOCK_DGRAM } from '../../ring/sqe/sockets.js';
import { isFilePath, type UnixName } from '../address/unix-path.js';
import { openSocket } from './open-socket.js';

/** Before a directory that another holds is tried again, in milliseconds. */
const LOCK_PAUSE_MS = 2;
/** Others hold it for microseconds: who holds it for longer does not mean this lock. */
const LOCK_TRIES = 250;

/**
 * Gives a Unix socket its path. A file that a dead socket left there is replaced: to find that out, to remove it
 * and to bind are one step for all processes that come here, which the lock of the directory sees to. A socket
 * that is bound keeps its file.
 * @param bind binds the socket, and has it listen; returns 0 or a negative errno. It must not wait.
 * @param syscall whose failure it is.
 * @returns the file, null for an abstract name.
 * @throws (as a rejection) EADDRINUSE, EACCES and similar, with `path`.
 */
export async function claimPath(
  name: UnixName,
  bind: (sockaddr: Uint8Array) => number,
  syscall: string,
): Promise<SocketFile | null> {
  const { path, sockaddr } = name;
  let failed = bind(sockaddr);
  if (failed === EADDRINUSE && isFilePath(path) && isDead(name)) failed = await replace(name, bind);
  if (failed < 0) throw systemError(failed, syscall, { path });
  return SocketFile.of(path);
}

async function replace(name: UnixName, bind: (sockaddr: Uint8Array) => number): Promise<number> {
  const lock = await lockDirectory(dirname(name.path));
  if (lock === BUSY) return EADDRINUSE;
  try {
    // Another may have replaced it meanwhile.
    return removeDead(name) ? bind(name.sockaddr) : EADDRINUSE;
  } finally {
    if (lock !== UNLOCKED) closeSync(lock);
  }
}

/** Another process holds the lock for long. */
const BUSY = -1;
/** The directory may not be read, or its file system has no locks: what is left is to be quick. */
const UNLOCKED = -2;

/** A descriptor that holds flock(2) of a directory until it is closed; or BUSY, or UNLOCKED. */
async function lockDirectory(directory: string): Promise<number> {
  let fd: number;
  try {
    fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return UNLOCKED;
  }
  let failed = EAGAIN;
  try {
    for (let tries = 0; tries < LOCK_TRIES; tries++) {
      failed = libc().flock(fd);
      if (failed === 0) return fd;
      if (failed !== EAGAIN) break;
      await sleep(LOCK_PAUSE_MS);
    }
  } finally {
    if (failed !== 0) closeSync(fd);
  }
  return failed === EAGAIN ? BUSY : UNLOCKED;
}

/** Removes a path if it is that of a socket that is bound no more; whether it is gone now. */
function removeDead(name: UnixName): boolean {
  try {
    const file = new SocketFile(name.path);
    return file.isSocket && isDead(name) && file.remove();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/**
 * Whether no socket, of whichever type, is bound to a path. A datagram socket asks, as its connecting
 * is not seen by the server: one of another type answers EPROTOTYPE, also before it listens.
 */
function isDead({ path, sockaddr }: UnixName): boolean {
  const fd = openSocket(SOCK_DGRAM, 'connect', { path });
  const failed = libc().connect(fd, sockaddr);
  disown(fd);
  libc().close(fd);
  return failed === ECONNREFUSED || failed === ENOENT;
}

/** A socket's file as it is now, to be removed later unless another has taken its place. */
export class SocketFile {
  readonly #path: string;
  readonly #stats: BigIntStats;

  /** @throws what lstat(2) does. */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#stats = lstatSync(path, { bigint: true });
  }

  get isSocket(): boolean {
    return this.#stats.isSocket();
  }

  /** That of a socket which has just been bound; null where it has none. */
  static of(path: string): SocketFile | null {
    if (!isFilePath(path)) return null;
    try {
      return new SocketFile(path);
    } catch {
      // It has been removed already.
      return null;
    }
  }

  /**
   * Whether the path is free now: removed here, or by another process. Before its socket is closed, since
   * another process may replace it after that.
   */
  remove(): boolean {
    try {
      const { ino, dev, birthtimeNs } = lstatSync(this.#path, { bigint: true });
      const mine = this.#stats;
      // File systems use the numbers of removed files again.
      if (ino !== mine.ino || dev !== mine.dev || birthtimeNs !== mine.birthtimeNs) return false;
      unlinkSync(this.#path);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
  }
}
