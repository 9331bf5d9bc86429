/**
 * Copies the contents of a directory by plain calls, relative to the open directories: small cached files, directories
 * and symbolic links, to free names or over a replaceable file. Node copies everything else, entry by entry: large
 * files, other types, and whatever fails, so that the errors are Node's.
 */
import { type CopyOptions, constants, fchmod, futimesSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EEXIST, ENOENT, isInterrupted } from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import {
  DT_DIR,
  DT_LNK,
  DT_REG,
  directoryCalls,
  type Names,
  releaseNames,
  takeNames,
} from '../../sys/calls/directory-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import { addressOf } from '../../sys/memory/address.js';
import { MODE_BITS } from '../arguments.js';
import { briefCalls, DIRTIED } from '../inline/brief-calls.js';
import { type Device, devicesOf } from '../inline/devices.js';
import { type Folder, Share } from '../inline/walk.js';
import { promises } from '../node-promises.js';
import { COPIES_NEW_TREES_AT_ONCE } from '../running-node.js';
import { statsOf } from '../stats.js';

export type Filter = (from: string, to: string) => unknown;

/** The options of `cp`, all set. */
export interface TreeOptions extends Omit<CopyOptions, 'filter'> {
  readonly dereference: boolean;
  readonly errorOnExist: boolean;
  readonly filter: Filter | undefined;
  readonly force: boolean;
  readonly preserveTimestamps: boolean;
  readonly recursive: boolean;
  readonly verbatimSymlinks: boolean;
}

/** An open directory, and its device. */
export interface Placed extends Folder {
  readonly device: Device;
}

const fchmodLater = promisify(fchmod);

/** Node's threads copy files larger than this, in bytes. */
const SMALL = 256 * 1024;
/** The cost of creating a file, in calls, without its bytes. */
const FILE_CALLS = 10;
const CALLS = 4;
/** A level takes two descriptors; Node copies deeper ones. */
const DEPTH_MAX = 200;

const { S_IFMT, S_IFREG } = constants;

const MODE = STATX.stx_mode / 4;
const SIZE = STATX.stx_size / 4;
const INODE = STATX.stx_ino / 4;

/** The buffer for file contents. */
let content: Buffer | undefined;

export class TreeCopy {
  readonly #loop: Loop;
  readonly #options: TreeOptions;
  readonly #calls = directoryCalls();
  readonly #share: Share;
  readonly #brief: ReturnType<typeof briefCalls>;
  readonly #devices: ReturnType<typeof devicesOf>;
  readonly #bytes: Buffer;
  readonly #address: number;

  constructor(loop: Loop, options: TreeOptions) {
    this.#loop = loop;
    this.#options = options;
    this.#share = new Share(loop);
    this.#brief = briefCalls(loop);
    this.#devices = devicesOf(loop);
    content ??= Buffer.allocUnsafeSlow(SMALL);
    this.#bytes = content;
    this.#address = addressOf(this.#bytes);
  }

  /** Copies the contents of one directory into another. */
  async copyInto(from: Placed, to: Placed, depth = 0): Promise<void> {
    const names = takeNames();
    const asks = this.#options.filter !== undefined;
    try {
      let listed = await this.#share.listFirst(from, names, from.device);
      for (; ; listed = this.#calls.list(from.fd, names)) {
        if (listed < 0) throw systemError(listed, 'scandir', { path: from.path });
        if (listed === 0) return;
        while (names.next()) {
          if (!asks && names.type === DT_REG && this.#copyFile(from, to, names)) continue;
          await this.#copy(from, to, names, depth);
        }
      }
    } finally {
      releaseNames(names);
    }
  }

  async #copy(from: Folder, to: Placed, names: Names, depth: number): Promise<void> {
    const { dereference, filter } = this.#options;
    if (filter !== undefined) {
      const name = names.text();
      if (!(await filter(join(from.path, name), join(to.path, name)))) return;
    }
    if (this.#share.spent) await this.#share.next();
    // Node cannot find a name that is not UTF-8.
    if (names.isText) {
      if (names.type === DT_REG && this.#copyFile(from, to, names)) return;
      if (names.type === DT_LNK && !dereference && this.#copyLink(from, to, names)) return;
      if (names.type === DT_DIR && depth < DEPTH_MAX && (await this.#copyDirectory(from, to, names, depth)))
        return;
    }
    await this.#leaveToNode(from, to, names);
    this.#share.check();
  }

  /** False if the file was not copied, with nothing changed. */
  #copyFile(from: Folder, to: Placed, names: Names): boolean {
    if (!names.isText) return false;
    const calls = this.#calls;
    const source = calls.openFile(from.fd, names.name);
    if (source < 0) return false;
    try {
      return this.#copyOpenFile(source, to, names);
    } finally {
      calls.close(source);
    }
  }

  #copyOpenFile(source: number, to: Placed, names: Names): boolean {
    const { calls: files, inline } = this.#loop;
    if (!inline.enabled) return false;
    const device = this.#devices.local(source);
    const { statx } = files;
    const size = statx[SIZE]!;
    if (device === null || (statx[MODE]! & S_IFMT) !== S_IFREG || size > SMALL || statx[SIZE + 1] !== 0)
      return false;
    if (!this.#brief.begin(to.device, size + DIRTIED, 2 * size, FILE_CALLS)) return false;
    const isRead = size === 0 || this.#read(source, size, device) === size;
    const done = isRead && this.#makeFile(source, statx[MODE]!, size, to, names);
    this.#brief.end(to.device);
    return done;
  }

  /** Creates a file with the contents that were read. `files.statx` has the attributes of the source. */
  #makeFile(source: number, mode: number, size: number, to: Placed, names: Names): boolean {
    const calls = this.#calls;
    let made = calls.createFile(to.fd, names.name, mode & 0o777);
    if (made === EEXIST) {
      const { errorOnExist, force } = this.#options;
      if ((!force && errorOnExist) || !this.#isReplaceable(to, names)) return false;
      if (!force) return true;
      if (calls.unlink(to.fd, names.name) !== 0) return false;
      made = calls.createFile(to.fd, names.name, mode & 0o777);
    }
    if (made < 0) return false;
    try {
      let done = size === 0 || calls.write(made, this.#address, size) === size;
      if (this.#options.preserveTimestamps) done &&= this.#setTimes(source, made);
      done &&= calls.chmod(made, mode & MODE_BITS) === 0;
      // Undo, as if it had not been tried.
      if (!done) undo(() => calls.unlink(to.fd, names.name));
      return done;
    } finally {
      calls.close(made);
    }
  }

  /**
   * Reads a file from its beginning, if it is cached. A file in memory always is, and tmpfs does not support
   * RWF_NOWAIT.
   */
  #read(fd: number, size: number, device: Device): number {
    return device.inMemory
      ? this.#calls.read(fd, this.#address, size)
      : this.#loop.calls.readAt(fd, this.#address, size, 0);
  }

  /** Whether another file has the name, and can be removed at once. `files.statx` has the attributes of the source. */
  #isReplaceable(to: Folder, names: Names): boolean {
    const { statx: source } = this.#loop.calls;
    const { statx } = this.#calls;
    if (this.#calls.stat(to.fd, names.name) !== 0) return false;
    const isFile = (statx[MODE]! & S_IFMT) === S_IFREG;
    return isFile && statx[SIZE]! <= SMALL && statx[SIZE + 1] === 0 && !isSame(source, statx);
  }

  #copyLink(from: Folder, to: Placed, names: Names): boolean {
    const text = this.#calls.readLink(from.fd, names.name)?.toString();
    if (text === undefined || text.includes('\ufffd')) return false;
    const { verbatimSymlinks } = this.#options;
    const target = verbatimSymlinks || isAbsolute(text) ? text : resolve(from.path, text);
    if (!this.#brief.begin(to.device, DIRTIED, 0, CALLS)) return false;
    const failed = this.#calls.symlink(target, to.fd, names.name);
    this.#brief.end(to.device);
    return failed === 0;
  }

  async #copyDirectory(from: Folder, to: Placed, names: Names, depth: number): Promise<boolean> {
    const calls = this.#calls;
    const source = calls.openDirectory(from.fd, names.name);
    if (source < 0) return false;
    try {
      if (!this.#loop.inline.enabled) return false;
      const sourceDevice = this.#devices.local(source);
      if (sourceDevice === null) return false;
      const mode = this.#loop.calls.statx[MODE]!;
      const { dereference, errorOnExist, filter, force, preserveTimestamps } = this.#options;
      if (COPIES_NEW_TREES_AT_ONCE && filter === undefined && !dereference) {
        if (calls.stat(to.fd, names.name) === ENOENT) return false;
      }
      const failed = this.#makeDirectory(to, names);
      if (failed !== 0 && (failed !== EEXIST || (errorOnExist && !force))) return false;
      const target = calls.openDirectory(to.fd, names.name);
      const device = target < 0 ? null : this.#devices.local(target);
      try {
        if (device === null) {
          // Undo, as if it had not been tried: Node sets no mode on a directory that existed.
          if (failed === 0) undo(() => calls.rmdir(to.fd, names.name));
          return false;
        }
        if (failed === EEXIST && !this.#isOther(source, target)) return false;
        const name = names.text();
        const inner = { fd: source, path: join(from.path, name), device: sourceDevice };
        const filled = { fd: target, path: join(to.path, name), device };
        await this.copyInto(inner, filled, depth + 1);
        if (COPIES_NEW_TREES_AT_ONCE && preserveTimestamps) this.#setTimes(source, target);
        if (failed === 0) await changeMode(this.#loop, filled, mode & MODE_BITS);
        return true;
      } finally {
        if (target >= 0) calls.close(target);
      }
    } finally {
      calls.close(source);
    }
  }

  /** 0 or a negative errno; EAGAIN if it may take long. */
  #makeDirectory(to: Placed, names: Names): number {
    if (!this.#brief.begin(to.device, DIRTIED, 0, CALLS)) return EAGAIN;
    const failed = this.#calls.mkdir(to.fd, names.name, 0o777);
    this.#brief.end(to.device);
    return failed;
  }

  #isOther(source: number, target: number): boolean {
    const { calls: files } = this.#loop;
    if (files.statFd(source) !== 0) return false;
    const first = files.statx.slice();
    return files.statFd(target) === 0 && !isSame(first, files.statx);
  }

  /** Copies the times of the source to the new file, as exactly as Node does. */
  #setTimes(source: number, made: number): boolean {
    return setTimes(this.#loop, source, made);
  }

  async #leaveToNode(from: Folder, to: Folder, names: Names): Promise<void> {
    const name = names.text();
    await copyAsked(join(from.path, name), join(to.path, name), this.#options);
  }
}

/** Makes a call until it is not interrupted. */
function undo(call: () => number): void {
  while (isInterrupted(call()));
}

/** Lets Node copy an entry that the filter has accepted already: Node asks only about its descendants. */
export async function copyAsked(from: string, to: string, options: TreeOptions): Promise<void> {
  const { filter } = options;
  let asked = false;
  const rest: Filter = (source, dest) => {
    if (asked) return filter!(source, dest);
    asked = true;
    return true;
  };
  await promises.cp(from, to, { ...options, filter: filter === undefined ? undefined : rest } as CopyOptions);
}

/** Sets a directory's final mode, once it has been filled. */
export async function changeMode(loop: Loop, { fd, path, device }: Placed, mode: number): Promise<void> {
  const brief = briefCalls(loop);
  let result = EAGAIN;
  if (brief.begin(device, DIRTIED, 0)) {
    result = directoryCalls().chmod(fd, mode);
    brief.end(device);
  }
  if (result === EAGAIN || isInterrupted(result)) {
    result = await fchmodLater(fd, mode).then(
      () => 0,
      error => error.errno,
    );
  }
  // Without it others may have access to the copy that have none to the source.
  if (result < 0) throw systemError(result, 'chmod', { path });
}

/** Copies the times of a file or directory to another, as exactly as Node does. */
export function setTimes(loop: Loop, from: number, to: number): boolean {
  if (!loop.inline.enabled || loop.calls.statFd(from) !== 0) return false;
  const { atime, mtime } = statsOf(loop.calls.statx);
  try {
    futimesSync(to, atime, mtime);
    return true;
  } catch {
    return false;
  }
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  const words = [INODE, INODE + 1, STATX.stx_dev_major / 4, STATX.stx_dev_minor / 4];
  return words.every(at => a[at] === b[at]);
}
