/**
 * System calls on the entries of a directory, for walks through trees. Names stay the bytes that the kernel listed.
 * Everything is relative to the open directory, so that a path that changes meanwhile cannot lead elsewhere. All calls
 * are synchronous: they use garbage-collected memory, which the kernel no longer needs once a call has returned.
 */

import { constants } from 'node:fs';
import { EAGAIN, EINVAL, ENOSYS, EPERM, isInterrupted } from '../abi/errno.js';
import { AT_STATX_DONT_SYNC } from '../abi/fcntl.js';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
  RESOLVE_CACHED,
  STATX_BASIC_STATS,
} from '../abi/flags.js';
import { DIRENT64, OPEN_HOW, STATX } from '../abi/structs.js';
import {
  NR_FCHMOD,
  NR_GETDENTS64,
  NR_MKDIRAT,
  NR_OPENAT,
  NR_OPENAT2,
  NR_READ,
  NR_READLINKAT,
  NR_STATX,
  NR_UNLINKAT,
  NR_WRITE,
} from '../abi/syscall-numbers.js';
import { PATH_MAX } from '../check/path-bytes.js';
import { libc } from '../libc/libc.js';
import { addressOf } from '../memory/address.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/** d_type, readdir(3) */
export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;

const NAMES_SIZE = 8192;
/** How many name lists are kept for later walks. */
const POOLED_MAX = 32;

const DOT = 46;

const STATX_AT = 0;
const HOW_AT = STATX_AT + STATX.size;
const PATH_AT = 512;
const TEXT_AT = PATH_AT + PATH_MAX;
const SIZE = TEXT_AT + PATH_MAX;

/** The names that one call has listed, contiguous. getdents64(2) */
export class Names {
  readonly bytes: Buffer;
  readonly address: number;
  #length = 0;
  #next = 0;
  /** The type of the current entry, DT_; DT_UNKNOWN where the file system does not report it. */
  type = DT_UNKNOWN;
  /** The start of the current name in `bytes`; a NUL ends it. */
  at = 0;

  constructor(size = NAMES_SIZE) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.address = addressOf(this.bytes);
  }

  /** A path instead of a listed name. */
  static of(path: string | Uint8Array): Names {
    const bytes = typeof path === 'string' ? Buffer.from(path) : path;
    const names = new Names(bytes.length + 1);
    names.bytes.set(bytes);
    names.bytes[bytes.length] = 0;
    return names;
  }

  /** @internal Sets the length that the kernel has filled. */
  filled(length: number): void {
    this.#length = length;
    this.#next = 0;
  }

  /** Moves to the next name, skipping `.` and `..`; false at the end of the list. */
  next(): boolean {
    const { bytes } = this;
    while (this.#next < this.#length) {
      const at = this.#next;
      this.#next += bytes[at + DIRENT64.d_reclen]! | (bytes[at + DIRENT64.d_reclen + 1]! << 8);
      const name = at + DIRENT64.d_name;
      const isDots =
        bytes[name] === DOT && (bytes[name + 1] === 0 || (bytes[name + 1] === DOT && bytes[name + 2] === 0));
      if (isDots) continue;
      this.type = bytes[at + DIRENT64.d_type]!;
      this.at = name;
      return true;
    }
    return false;
  }

  /** The address of the current name. */
  get name(): number {
    return this.address + this.at;
  }

  /** The length of the current name in bytes. */
  get length(): number {
    // Up to eight bytes after the NUL are undefined.
    return this.bytes.indexOf(0, this.at) - this.at;
  }

  /** The current name as text; invalid UTF-8 becomes U+FFFD. */
  text(): string {
    return this.bytes.toString('utf8', this.at, this.at + this.length);
  }

  /** Whether the current name is valid UTF-8. */
  get isText(): boolean {
    const { bytes } = this;
    for (let at = this.at; bytes[at] !== 0; at++) {
      if (bytes[at]! >= 0x80) return !this.text().includes('\ufffd');
    }
    return true;
  }

  /** A copy of the current name. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.at, this.at + this.length));
  }
}

const pooled: Names[] = [];

/** Takes memory for a list of names. Return it with `releaseNames`. */
export function takeNames(): Names {
  return pooled.pop() ?? new Names();
}

export function releaseNames(names: Names): void {
  if (pooled.length < POOLED_MAX) pooled.push(names);
}

/** The calls of a thread. Results are values, or negative errnos. `name` is an address, as in `Names`. */
export class DirectoryCalls {
  readonly #bytes = Buffer.allocUnsafeSlow(SIZE).fill(0);
  readonly #address = addressOf(this.#bytes);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  readonly #libc = libc();
  readonly #call = this.#libc.syscall;
  /** The result of `stat`, a struct statx in words. */
  readonly statx: Uint32Array = this.#words.subarray(STATX_AT >> 2, (STATX_AT + STATX.size) >> 2);

  /** Opens a directory by its path if that is in the dentry cache; else EAGAIN. openat2(2), 5.12 */
  openPath(path: string | Uint8Array, follow: boolean): number {
    const at = this.path(path);
    return at === 0
      ? EAGAIN
      : this.#openCached(AT_FDCWD, at, O_DIRECTORY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
  }

  /**
   * Opens a directory in another one if it is in the dentry cache; else EAGAIN. A symbolic link does not count as one.
   */
  openDirectory(directory: number, name: number): number {
    return this.#openCached(directory, name, O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
  }

  /** As `openDirectory`, but waits for the device if necessary. openat(2) */
  openDirectoryWaiting(directory: number, name: number): number {
    const flags = O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    return this.#libc.openFile(NR_OPENAT, directory, name, flags, 0);
  }

  /** Opens a file for reading, as `openDirectory`. Does not block on a FIFO. */
  openFile(directory: number, name: number): number {
    return this.#openCached(directory, name, O_NOFOLLOW | O_NONBLOCK);
  }

  /** Opens a descriptor that only identifies an entry, as `openDirectory`. O_PATH, open(2) */
  locate(directory: number, name: number): number {
    return this.#openCached(directory, name, O_NOFOLLOW | O_PATH);
  }

  /** As `locate`, but waits for the device if necessary. openat(2) */
  locateWaiting(directory: number, name: number): number {
    return this.#libc.openFile(NR_OPENAT, directory, name, O_NOFOLLOW | O_PATH | O_CLOEXEC, 0);
  }

  /** Creates a file for writing; EEXIST if it exists. */
  createFile(directory: number, name: number, mode: number): number {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    return this.#libc.openFile(NR_OPENAT, directory, name, flags, mode);
  }

  /** Lists the next entries of an open directory. Returns the number of bytes, 0 at the end. getdents64(2) */
  list(fd: number, names: Names): number {
    let length: number;
    do length = this.getdents(fd, names.address);
    while (isInterrupted(length));
    names.filled(Math.max(length, 0));
    return length;
  }

  protected getdents(fd: number, address: number): number {
    return this.#call(NR_GETDENTS64, fd, address, NAMES_SIZE, 0, 0, 0);
  }

  /** Restarts the listing of an open directory. lseek(2) */
  rewind(fd: number): void {
    this.#libc.setPosition(fd, 0);
  }

  /** Reads the attributes of an entry into `statx` without asking a server, of a symbolic link its own. statx(2) */
  stat(directory: number, name: number): number {
    const flags = AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC;
    return this.#call(NR_STATX, directory, name, flags, STATX_BASIC_STATS, this.#address + STATX_AT, 0);
  }

  /** unlinkat(2) */
  unlink(directory: number, name: number): number {
    return this.#call(NR_UNLINKAT, directory, name, 0, 0, 0, 0);
  }

  /** unlinkat(2) with AT_REMOVEDIR */
  rmdir(directory: number, name: number): number {
    return this.#call(NR_UNLINKAT, directory, name, AT_REMOVEDIR, 0, 0, 0);
  }

  /** mkdirat(2) */
  mkdir(directory: number, name: number, mode: number): number {
    return this.#call(NR_MKDIRAT, directory, name, mode, 0, 0, 0);
  }

  /** Reads the target of a symbolic link; undefined on failure. readlinkat(2) */
  readLink(directory: number, name: number): Buffer | undefined {
    const length = this.#call(NR_READLINKAT, directory, name, this.#address + TEXT_AT, PATH_MAX, 0, 0);
    return length > 0 && length < PATH_MAX
      ? Buffer.from(this.#bytes.subarray(TEXT_AT, TEXT_AT + length))
      : undefined;
  }

  /** Creates a symbolic link with the target `text`. symlinkat(2) */
  symlink(text: string, directory: number, name: number): number {
    const at = this.path(text);
    return at === 0 ? EAGAIN : this.#libc.symlink(at, directory, name);
  }

  /** fchmod(2) */
  chmod(fd: number, mode: number): number {
    return this.#call(NR_FCHMOD, fd, mode, 0, 0, 0, 0);
  }

  /** read(2) */
  read(fd: number, address: number, length: number): number {
    return this.#call(NR_READ, fd, address, length, 0, 0, 0);
  }

  /** write(2) */
  write(fd: number, address: number, length: number): number {
    return this.#call(NR_WRITE, fd, address, length, 0, 0, 0);
  }

  close(fd: number): void {
    this.#libc.close(fd);
  }

  /** Copies a path for the next call and returns its address; 0 if it is too long. */
  path(path: string | Uint8Array): number {
    const bytes = this.#bytes;
    const most = typeof path === 'string' ? path.length * 3 : path.length;
    if (most >= PATH_MAX) return 0;
    const length =
      typeof path === 'string' ? bytes.write(path, PATH_AT, 'utf8') : Buffer.from(path).copy(bytes, PATH_AT);
    bytes[PATH_AT + length] = 0;
    return this.#address + PATH_AT;
  }

  #openCached(directory: number, name: number, flags: number): number {
    const words = this.#words;
    words[(HOW_AT + OPEN_HOW.flags) >> 2] = flags | O_CLOEXEC;
    words[(HOW_AT + OPEN_HOW.resolve) >> 2] = RESOLVE_CACHED;
    const fd = this.#libc.openFile(NR_OPENAT2, directory, name, this.#address + HOW_AT, OPEN_HOW.size);
    // Without RESOLVE_CACHED (Linux 5.12), openat2 (5.6), or a container's permission to call it, nothing is cached.
    return fd === EINVAL || fd === ENOSYS || fd === EPERM ? EAGAIN : fd;
  }
}

let calls: DirectoryCalls | undefined;
let replacement: DirectoryCalls | null = null;

/** Replaces the calls of this thread, for tests; null restores them. */
export function replaceDirectoryCalls(others: DirectoryCalls | null): void {
  replacement = others;
}

/** The calls of this thread, created on first use. */
export function directoryCalls(): DirectoryCalls {
  if (replacement !== null) return replacement;
  calls ??= new DirectoryCalls();
  return calls;
}
