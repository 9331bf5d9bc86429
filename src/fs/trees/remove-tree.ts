/**
 * Removes a path and everything below it. Everything is relative to the open parent directory, so that a directory that
 * is replaced by a symbolic link meanwhile cannot lead elsewhere.
 */
import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { setTimeout } from '../../loop/real-timers.js';
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EISDIR,
  EMFILE,
  ENFILE,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  isInterrupted,
} from '../../sys/abi/errno.js';
import { AT_REMOVEDIR } from '../../sys/abi/flags.js';
import { STATX } from '../../sys/abi/structs.js';
import {
  DT_DIR,
  DT_UNKNOWN,
  directoryCalls,
  Names,
  releaseNames,
  takeNames,
} from '../../sys/calls/directory-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import { briefCalls, DIRTIED } from '../inline/brief-calls.js';
import type { Device } from '../inline/devices.js';
import { type Folder, Share, warm } from '../inline/walk.js';
import { onFd } from '../operations.js';
import { besideTurn, mayBeBeside } from './removals.js';
import { TreeFolder } from './tree-folder.js';

/** The errors for a directory that must be emptied first. */
const NOT_EMPTY: ReadonlySet<number> = new Set([ENOTEMPTY, EEXIST, EPERM]);
/** Transient errors. */
const PASSING: ReadonlySet<number> = new Set([EBUSY, EMFILE, ENFILE, ENOTEMPTY, EPERM]);

/** Files from this size on take long to remove, in bytes: kernel threads do it. */
const LARGE = 4 << 20;
/** The cost of a removal, in calls: of a name that is certainly cached, and of another. */
const CACHED_CALLS = 2;
const CALLS = 4;
/** How many files of a directory the backend removes at a time. */
const LATER_MAX = 32;
/** How often a directory is listed again that is not empty after all its entries were removed. */
const LISTS_MAX = 8;

const { S_IFDIR, S_IFMT } = constants;

interface RemovalOptions {
  /** Whether directories are removed, with everything in them. */
  readonly recursive: boolean;
  /** How often an entry is retried. */
  readonly maxRetries: number;
  /** Milliseconds before the first retry; each waits that much longer than the one before. */
  readonly retryDelay: number;
}

export class Removal {
  readonly #loop: Loop;
  readonly #calls = directoryCalls();
  readonly #options: RemovalOptions;
  readonly #share: Share;
  readonly #brief: ReturnType<typeof briefCalls>;
  /** The device of the tree: other file systems mounted in it are kept. */
  readonly #device: Device;

  constructor(loop: Loop, options: RemovalOptions, device: Device) {
    this.#loop = loop;
    this.#brief = briefCalls(loop);
    this.#share = new Share(loop);
    this.#options = options;
    this.#device = device;
  }

  /** Removes the current entry of a list, and retries after transient errors. */
  remove(from: TreeFolder, names: Names, type: number): Promise<void> {
    return this.#repeat(() => this.#removeOnce(from, names, type));
  }

  async #repeat(attempt: () => Promise<void>): Promise<void> {
    const { maxRetries, retryDelay } = this.#options;
    for (let retries = 1; ; retries++) {
      try {
        return await attempt();
      } catch (error) {
        const errno = (error as { errno?: number }).errno ?? 0;
        if (errno === ENOENT) return;
        if (!PASSING.has(errno) || retries > maxRetries) throw error;
      }
      await new Promise<void>(resolve => setTimeout(resolve, retries * retryDelay));
    }
  }

  async #removeOnce(from: TreeFolder, names: Names, type: number): Promise<void> {
    if (type === DT_DIR) return this.#removeDirectory(from, names);
    if (this.#share.spent) await this.#share.next();
    const result = this.#unlink(from.fd, names);
    if (isLeft(result)) return this.#removeLater(from, names.copy());
    return this.#removed(result, from, names);
  }

  /** Lets the backend remove a file. */
  async #removeLater(from: TreeFolder, name: Buffer): Promise<void> {
    const result = await this.#later(from.fd, name, 0);
    if (result < 0) await this.#removed(result, from, Names.of(name));
  }

  /** Handles the result for a file. A directory may have replaced it. */
  async #removed(result: number, from: TreeFolder, names: Names): Promise<void> {
    if (result === EISDIR && this.#options.recursive) return this.#removeDirectory(from, names);
    if (result < 0) throw systemError(result, 'unlink', { path: pathOf(from, names) });
  }

  async #removeDirectory(from: TreeFolder, names: Names): Promise<void> {
    let result = await this.#rmdir(from.fd, names);
    // An entry that has become something else is left, as in Node.
    if (result === 0 || result === ENOTDIR) return;
    const path = pathOf(from, names);
    if (!NOT_EMPTY.has(result)) throw systemError(result, 'rmdir', { path });
    const fd = await this.#open(from.fd, names, path);
    if (fd < 0) throw systemError(fd, 'scandir', { path });
    const directory = new TreeFolder(fd, path, from);
    from.yieldTo(fd);
    try {
      for (let lists = 1; ; lists++) {
        const removed = await this.#empty(directory);
        from.resume(directory);
        result = await this.#rmdir(from.fd, names);
        // A file system may skip names while others are removed.
        if (result !== ENOTEMPTY || removed === 0 || lists === LISTS_MAX) break;
        this.#calls.rewind(directory.fd);
      }
    } finally {
      try {
        from.resume(directory);
      } finally {
        directory.close();
      }
    }
    if (result < 0) throw systemError(result, 'rmdir', { path });
  }

  /**
   * Removes everything in a directory; returns the number of entries. An error is thrown once everything was tried:
   * that of the first name, which Node reaches first.
   */
  async #empty(directory: TreeFolder): Promise<number> {
    const { path } = directory;
    const calls = this.#calls;
    const names = takeNames();
    let removed = 0;
    let failure: { error: unknown; name: Buffer } | undefined;
    const failed = new Set<string>();
    const fails = (error: unknown, name: Buffer): void => {
      if (directory.fd < 0) throw error;
      failed.add(name.toString('latin1'));
      if (failure === undefined || name.compare(failure.name) < 0) failure = { error, name };
    };
    const later: Promise<void>[] = [];
    try {
      let listed = await this.#share.listFirst(directory, names, this.#device);
      for (; ; listed = calls.list(directory.fd, names)) {
        if (listed < 0) throw systemError(listed, 'scandir', { path });
        if (listed === 0) break;
        while (names.next()) {
          // The list may have started again.
          if (failed.size !== 0 && failed.has(names.copy().toString('latin1'))) continue;
          removed++;
          if (this.#share.spent) await this.#share.next();
          const { type } = names;
          const mayBeDirectory = type === DT_DIR || type === DT_UNKNOWN;
          const result = type === DT_DIR ? EISDIR : this.#unlink(directory.fd, names);
          if (result === 0) continue;
          const name = names.copy();
          const inTurn = mayBeDirectory || !isLeft(result);
          if (inTurn && (directory.yields || !this.#mayBeBeside())) {
            if (directory.yields) await Promise.all(later.splice(0));
            await this.remove(directory, names, type).catch(error => fails(error, name));
            continue;
          }
          const removal = inTurn
            ? besideTurn(() => this.remove(directory, Names.of(name), type))
            : this.#repeat(() => this.#removeLater(directory, name));
          later.push(removal.catch(error => fails(error, name)));
          // Waits for all of them, so that the following ones are submitted together.
          if (later.length === LATER_MAX) await Promise.all(later.splice(0));
        }
      }
    } finally {
      await Promise.all(later);
      releaseNames(names);
    }
    if (failure !== undefined) throw failure.error;
    return removed;
  }

  /** Whether another directory may be emptied meanwhile: while the backend makes the calls, there is time for it. */
  #mayBeBeside(): boolean {
    const waits = !this.#loop.inline.writes || this.#brief.isSlow(this.#device);
    return waits && mayBeBeside();
  }

  /** Unlinks at once; EAGAIN if that may take long. */
  #unlink(directory: number, names: Names): number {
    const device = this.#device;
    if (!this.#brief.begin(device, DIRTIED, 0, device.inMemory ? CACHED_CALLS : CALLS)) return EAGAIN;
    const result = this.#unlinkSmall(directory, names);
    this.#brief.end(device);
    return result;
  }

  #unlinkSmall(directory: number, names: Names): number {
    const calls = this.#calls;
    const { calls: files } = this.#loop;
    let statx: Uint32Array;
    if (this.#device.inMemory) {
      const failed = calls.stat(directory, names.name);
      if (failed < 0) return failed;
      statx = calls.statx;
    } else {
      const fd = calls.locate(directory, names.name);
      if (fd < 0) return fd;
      const failed = files.statFd(fd);
      calls.close(fd);
      if (failed < 0) return failed;
      statx = files.statx;
    }
    if ((statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFDIR) return EISDIR;
    if (statx[STATX.stx_size / 4]! >= LARGE || statx[STATX.stx_size / 4 + 1] !== 0) return EAGAIN;
    return calls.unlink(directory, names.name);
  }

  async #rmdir(directory: number, names: Names): Promise<number> {
    if (this.#share.spent) await this.#share.next();
    const device = this.#device;
    if (!this.#brief.begin(device, DIRTIED, 0, CACHED_CALLS))
      return this.#later(directory, names.copy(), AT_REMOVEDIR);
    const result = this.#calls.rmdir(directory, names.name);
    this.#brief.end(device);
    return isInterrupted(result) ? this.#later(directory, names.copy(), AT_REMOVEDIR) : result;
  }

  /** Removes an entry by the backend; 0 or a negative errno. */
  async #later(directory: number, name: Buffer, flags: number): Promise<number> {
    try {
      return await onFd(this.#loop, 'unlink', sqe => sqe.unlinkat(directory, name, flags));
    } catch (error) {
      const { errno } = error as { errno?: number };
      if (errno === undefined) throw error;
      return errno;
    }
  }

  /** Opens a subdirectory; its descriptor or a negative errno. */
  async #open(directory: number, names: Names, path: string): Promise<number> {
    const fd = this.#calls.openDirectory(directory, names.name);
    if (fd !== EAGAIN && !isInterrupted(fd)) return fd;
    await warm(path);
    this.#share.check();
    return this.#calls.openDirectoryWaiting(directory, names.name);
  }
}

/** Whether the plain call leaves the removal to the backend. */
function isLeft(result: number): boolean {
  return result === EAGAIN || isInterrupted(result);
}

function pathOf(from: Folder, names: Names): string {
  return from.path === '' ? names.text() : `${from.path}/${names.text()}`;
}
