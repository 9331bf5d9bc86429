/** The file of a Unix socket in the file system, unix(7). */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { disown } from '../../loop/closing/owned-descriptors.js';
import { sleep } from '../../loop/turns/timers.js';
import { EADDRINUSE, EAGAIN, ECONNREFUSED, ENOENT } from '../../sys/abi/errno.js';
import { SOCK_DGRAM } from '../../sys/abi/sockets.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { isFilePath, type UnixName } from '../address/unix-path.js';
import { openSocket } from './open-socket.js';

/** The interval in milliseconds at which a locked directory is tried again. */
const LOCK_PAUSE_MS = 2;
/** Processes that use this lock hold it for microseconds. A lock that is held longer has another purpose. */
const LOCK_TRIES = 250;

/**
 * Binds a Unix socket to its path. A file that a dead socket left is replaced: checking for that, removing the file and
 * binding are atomic among all processes that use this function, by a lock on the directory. The file of a bound socket
 * is kept.
 * @param bind binds the socket, and makes it listen; returns 0 or a negative errno. It must not wait.
 * @param syscall the name in errors.
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
    // Another process may have replaced it meanwhile.
    return removeDead(name) ? bind(name.sockaddr) : EADDRINUSE;
  } finally {
    if (lock !== UNLOCKED) closeSync(lock);
  }
}

/** Another process has held the lock for too long. */
const BUSY = -1;
/** The directory may not be read, or its file system has no locks: then only speed helps. */
const UNLOCKED = -2;

/** A descriptor that holds flock(2) on a directory until it is closed; or BUSY, or UNLOCKED. */
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

/** Removes a path if its socket is no longer bound; returns whether it is gone now. */
function removeDead(name: UnixName): boolean {
  try {
    const file = new SocketFile(name.path);
    return file.isSocket && isDead(name) && file.remove();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/**
 * Whether no socket of any type is bound to a path. A datagram socket checks it, because a server does not see its
 * connect: a socket of another type fails with EPROTOTYPE, also before it listens.
 */
function isDead({ path, sockaddr }: UnixName): boolean {
  const fd = openSocket(SOCK_DGRAM, 'connect', { path });
  const failed = libc().connect(fd, sockaddr);
  disown(fd);
  libc().close(fd);
  return failed === ECONNREFUSED || failed === ENOENT;
}

/** The current file of a socket, to be removed later unless another has replaced it. */
export class SocketFile {
  readonly #path: string;
  readonly #stats: BigIntStats;

  /** @throws the error of lstat(2). */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#stats = lstatSync(path, { bigint: true });
  }

  get isSocket(): boolean {
    return this.#stats.isSocket();
  }

  /** The file of a socket that has just been bound; null if it has none. */
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
   * Removes the file; returns whether the path is free now. Call it before the socket is closed: after that, another
   * process may replace the file.
   */
  remove(): boolean {
    try {
      const { ino, dev, birthtimeNs } = lstatSync(this.#path, { bigint: true });
      const mine = this.#stats;
      // File systems reuse the inode numbers of removed files.
      if (ino !== mine.ino || dev !== mine.dev || birthtimeNs !== mine.birthtimeNs) return false;
      unlinkSync(this.#path);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
  }
}
