/**
 * Plain system calls on files. Lookups and reads never wait: a call either does its work from the kernel's caches, or
 * returns EAGAIN, and the ring does the same work. A call costs 0.2 us; an operation that the kernel hands to its
 * worker threads costs 20.
 */

import { constants } from 'node:fs';
import { EACCES, EAGAIN, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from '../abi/errno.js';
import { AT_STATX_DONT_SYNC, F_GETFL, F_SETFL } from '../abi/fcntl.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_PATH,
  RESOLVE_CACHED,
  RWF_NOWAIT,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from '../abi/flags.js';
import { IOVEC, OPEN_HOW, RUSAGE, STATFS, STATX } from '../abi/structs.js';
import {
  NR_FACCESSAT2,
  NR_FCNTL,
  NR_FSTATFS,
  NR_FTRUNCATE,
  NR_GETRUSAGE,
  NR_OPENAT,
  NR_OPENAT2,
  NR_PREADV2,
  NR_PWRITEV2,
  NR_READLINKAT,
  NR_STATX,
} from '../abi/syscall-numbers.js';
import { PATH_MAX, putPath } from '../check/path-bytes.js';
import { libc } from '../libc/libc.js';
import { addressOf, knownAddressOf } from '../memory/address.js';
import { Mapping } from '../memory/mapping.js';
import { putU64 } from '../memory/words.js';

const { O_NOFOLLOW } = constants;
const RUSAGE_THREAD = 1;
/** The file system writes synchronously. statfs(2) */
const ST_SYNCHRONOUS = 16;
/** A mount id that is never reused: Linux 6.8. */
const STATX_MNT_ID_UNIQUE = 0x4000;
const MASK = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID_UNIQUE;

/** Definite errors of a walk through cached names. */
export const LOOKUP_ERRORS: ReadonlySet<number> = new Set([ENOENT, EACCES, ENOTDIR, ENAMETOOLONG, ELOOP]);

/** Up to this size, copying costs less than finding the address of memory that is used once. */
const COPY_MAX = 16384;

// Offsets in the memory of the calls.
const STATX_AT = 0;
const IOVEC_AT = STATX_AT + STATX.size;
/** The struct iovec of the extra byte after the data, which goes to SPARE_AT. */
const BEYOND_AT = IOVEC_AT + IOVEC.size;
const HOW_AT = BEYOND_AT + IOVEC.size;
const STATFS_AT = HOW_AT + 32;
const RUSAGE_AT = STATFS_AT + STATFS.size;
const SPARE_AT = 1016;
const PATH_AT = 1024;
const LINK_AT = PATH_AT + PATH_MAX;
const BYTES_AT = 16384;
const SIZE = BYTES_AT + COPY_MAX;

/** The calls of one thread. They share memory: a result is valid until the next call. */
export class FileCalls {
  /** The result of `statPath` or `statFd`, a struct statx in words. */
  readonly statx: Uint32Array;
  readonly #memory: Mapping;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #libc = libc();
  readonly #call = this.#libc.syscall;

  constructor() {
    this.#memory = Mapping.anonymous(SIZE);
    const { buffer } = this.#memory;
    this.#bytes = Buffer.from(buffer);
    this.#words = new Uint32Array(buffer);
    this.statx = this.#words.subarray(STATX_AT >> 2, (STATX_AT + STATX.size) >> 2);
    this.#words[(HOW_AT + OPEN_HOW.resolve) >> 2] = RESOLVE_CACHED;
    const spare = this.#memory.address + SPARE_AT;
    putU64(this.#words, (BEYOND_AT + IOVEC.iov_base) >> 2, spare);
    putU64(this.#words, (BEYOND_AT + IOVEC.iov_len) >> 2, 1);
  }

  /**
   * Opens a path, relative to the current directory, if all of it is in the dentry cache. Returns the descriptor or a
   * negative errno, EAGAIN if it is not cached. Before 5.12 ENOSYS or EINVAL. openat2(2)
   * @param flags without O_CREAT, O_TRUNC and O_TMPFILE. A file whose open may wait for a peer (a FIFO) needs O_NONBLOCK.
   */
  open(path: string | Uint8Array, flags: number): number {
    return putPath(this.#bytes, PATH_AT, path) ? this.#open(flags) : EAGAIN;
  }

  #open(flags: number): number {
    this.#words[(HOW_AT + OPEN_HOW.flags) >> 2] = flags | O_CLOEXEC;
    const { address } = this.#memory;
    return this.#libc.openFile(NR_OPENAT2, AT_FDCWD, address + PATH_AT, address + HOW_AT, OPEN_HOW.size);
  }

  /** Opens a descriptor that only identifies a path, as `open`. O_PATH, open(2) */
  locate(path: string | Uint8Array, follow: boolean): number {
    return this.open(path, follow ? O_PATH : O_PATH | O_NOFOLLOW);
  }

  /** As `locate`, for the path that was located or opened last. */
  openAgain(flags: number): number {
    return this.#open(flags);
  }

  /**
   * Opens or creates a file, cached or not. Returns the descriptor or a negative errno. openat(2)
   * @param mode permissions of a new file, before the umask.
   */
  openAny(path: string | Uint8Array, flags: number, mode: number): number {
    if (!putPath(this.#bytes, PATH_AT, path)) return EAGAIN;
    const { address } = this.#memory;
    return this.#libc.openFile(NR_OPENAT, AT_FDCWD, address + PATH_AT, flags | O_CLOEXEC, mode);
  }

  /** Reads the attributes of an open file without asking a server; 0 or a negative errno. statx(2) */
  statFd(fd: number): number {
    const { address } = this.#memory;
    // The byte before the link's part is the NUL at the end of the path's part.
    const empty = address + LINK_AT - 1;
    const flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    return this.#call(NR_STATX, fd, empty, flags, MASK, address + STATX_AT, 0);
  }

  /** Whether the calling process has access; 0 or a negative errno. faccessat2(2), 5.8 */
  access(fd: number, mode: number): number {
    const empty = this.#memory.address + LINK_AT - 1;
    return this.#call(NR_FACCESSAT2, fd, empty, mode, AT_EMPTY_PATH, 0, 0);
  }

  /** The type of an open file's file system, a magic number. fstatfs(2) */
  fileSystem(fd: number): number {
    const failed = this.#call(NR_FSTATFS, fd, this.#memory.address + STATFS_AT, 0, 0, 0, 0);
    return failed < 0 ? failed : this.#words[(STATFS_AT + STATFS.f_type) >> 2]!;
  }

  /** Whether the file system of the last `fileSystem` call writes synchronously. */
  get synchronous(): boolean {
    return (this.#words[(STATFS_AT + STATFS.f_flags) >> 2]! & ST_SYNCHRONOUS) !== 0;
  }

  /**
   * Reads the target of a symbolic link; its length or a negative errno: see `link`. readlinkat(2)
   * @param path '' for the link that `locate` has opened.
   */
  readLink(fd: number, path: string): number {
    const { address } = this.#memory;
    putPath(this.#bytes, PATH_AT, path);
    return this.#call(NR_READLINKAT, fd, address + PATH_AT, address + LINK_AT, PATH_MAX, 0, 0);
  }

  /** The first `length` bytes of what `readLink` has read. */
  link(length: number): Buffer {
    return this.#bytes.subarray(LINK_AT, LINK_AT + length);
  }

  /**
   * Reads from the page cache into `bytes[offset]`, at `position` or (-1) the current one. Returns the number of bytes,
   * fewer than `length` where the file or its cached part ends, or a negative errno: EAGAIN if it would wait,
   * EOPNOTSUPP if the file does not support such reads. preadv2(2) with RWF_NOWAIT, 4.14
   * @param flags 0 to wait: for files that are in memory anyway.
   * @param beyond 1 to read and count one byte more, which is discarded: it tells whether the file ends at `length`.
   */
  read(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    flags: number = RWF_NOWAIT,
    beyond = 0,
  ): number {
    let base = knownAddressOf(bytes.buffer);
    if (base === 0 && length > COPY_MAX) base = addressOf(bytes) - bytes.byteOffset;
    if (base !== 0) {
      return this.#move(NR_PREADV2, fd, base + bytes.byteOffset + offset, length, position, flags, beyond);
    }
    const at = this.#memory.address + BYTES_AT;
    const count = this.#move(NR_PREADV2, fd, at, Math.min(length, COPY_MAX), position, flags, beyond);
    if (count > 0) this.#bytes.copy(bytes, offset, BYTES_AT, BYTES_AT + Math.min(count, length));
    return count;
  }

  /** As `read`, to an address. */
  readAt(fd: number, address: number, length: number, position: number): number {
    return this.#move(NR_PREADV2, fd, address, length, position, RWF_NOWAIT, 0);
  }

  /**
   * Writes `bytes[offset]` and what follows at `position` or (-1) the current one. Returns the number of bytes or a
   * negative errno. It waits if necessary. pwritev2(2)
   * @param flags RWF_NOWAIT for EAGAIN instead, where the file system supports that.
   */
  write(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    flags: number,
  ): number {
    let base = knownAddressOf(bytes.buffer);
    if (base === 0 && length > COPY_MAX) base = addressOf(bytes) - bytes.byteOffset;
    if (base !== 0) {
      return this.#move(NR_PWRITEV2, fd, base + bytes.byteOffset + offset, length, position, flags, 0);
    }
    const whole = offset === 0 && length === bytes.length;
    this.#bytes.set(whole ? bytes : bytes.subarray(offset, offset + length), BYTES_AT);
    return this.#move(NR_PWRITEV2, fd, this.#memory.address + BYTES_AT, length, position, flags, 0);
  }

  #move(
    call: number,
    fd: number,
    address: number,
    length: number,
    position: number,
    flags: number,
    beyond: number,
  ): number {
    const words = this.#words;
    putU64(words, (IOVEC_AT + IOVEC.iov_base) >> 2, address);
    putU64(words, (IOVEC_AT + IOVEC.iov_len) >> 2, length);
    // pos_l has all 64 bits on these architectures; pos_h is ignored.
    return this.#call(call, fd, this.#memory.address + IOVEC_AT, 1 + beyond, position, 0, flags);
  }

  /** Truncates a file, or extends it with zeros; 0 or a negative errno. ftruncate(2) */
  truncate(fd: number, length: number): number {
    return this.#call(NR_FTRUNCATE, fd, length, 0, 0, 0, 0);
  }

  /** How often this thread has blocked in a system call. getrusage(2), ru_nvcsw */
  timesWaited(): number {
    this.#call(NR_GETRUSAGE, RUSAGE_THREAD, this.#memory.address + RUSAGE_AT, 0, 0, 0, 0);
    return this.#words[(RUSAGE_AT + RUSAGE.ru_nvcsw) >> 2]!;
  }

  /** The file's access mode and status flags, O_; or a negative errno. fcntl(2) */
  flags(fd: number): number {
    return this.#call(NR_FCNTL, fd, F_GETFL, 0, 0, 0, 0);
  }

  /** Sets the file's status flags, to clear O_NONBLOCK. fcntl(2) */
  setFlags(fd: number, flags: number): number {
    return this.#call(NR_FCNTL, fd, F_SETFL, flags, 0, 0, 0);
  }

  /** Closes a file. This does not wait for one that was only read or located. close(2) */
  close(fd: number): number {
    return this.#libc.close(fd);
  }

  /** Unmaps the memory. */
  unmap(): void {
    this.#memory.unmap();
  }
}
