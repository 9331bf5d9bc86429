/**
 * System calls on files that never wait: each either does its work from the caches of the kernel or answers
 * EAGAIN, and then the same work goes through the ring. One call costs 0.2 us; an operation that the kernel
 * hands to its worker threads costs 20.
 */
import { addressOf, knownAddressOf } from './address.js';
import { EAGAIN } from './errno.js';
import { O_CLOEXEC, RESOLVE_CACHED } from './flags.js';
import { libc } from './libc.js';
import { Mapping } from './mapping.js';
import { AT_EMPTY_PATH, AT_FDCWD, STATX_BASIC_STATS, STATX_BTIME } from './sqe/paths.js';
import { IOVEC, OPEN_HOW, STATFS, STATX } from './structs.js';

// The tables of the two architectures were unified with 5.1: what is newer has one number.
const ARM64 = process.arch === 'arm64';
const NR_FCNTL = ARM64 ? 25 : 72;
const NR_FSTATFS = ARM64 ? 44 : 138;
const NR_READLINKAT = ARM64 ? 78 : 267;
const NR_PREADV2 = ARM64 ? 286 : 327;
const NR_STATX = ARM64 ? 291 : 332;
const NR_OPENAT2 = 437;
const NR_FACCESSAT2 = 439;

const F_SETFL = 4;
const O_PATH = 0o10000000;
const O_NOFOLLOW = ARM64 ? 0o100000 : 0o400000;
const RWF_NOWAIT = 8;
/** What is known of the attributes is enough: no question to a file server. statx(2) */
const AT_STATX_DONT_SYNC = 0x4000;
const MASK = STATX_BASIC_STATS | STATX_BTIME;

const PATH_MAX = 4096;
/** Bytes up to which a copy costs less than to find the address of memory that is used once. */
const COPY_MAX = 16384;

// Where things are in the memory of the calls.
const STATX_AT = 0;
const IOVEC_AT = STATX_AT + STATX.size;
const HOW_AT = IOVEC_AT + IOVEC.size;
const STATFS_AT = HOW_AT + 32;
const PATH_AT = 512;
const LINK_AT = PATH_AT + PATH_MAX;
const BYTES_AT = 16384;
const SIZE = BYTES_AT + COPY_MAX;

const TWO_32 = 2 ** 32;

/** The calls of one thread, over memory that they share: what one has answered is there until the next. */
export class FileCalls {
  /** What `statPath` or `statFd` has found, a struct statx in words. */
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
  }

  /**
   * Opens a path, relative to the current directory, if all of it is in the dentry cache; the descriptor or a
   * negative errno, EAGAIN if it is not. Before 5.12 ENOSYS or EINVAL. openat2(2)
   * @param flags without O_CREAT, O_TRUNC and O_TMPFILE. What may wait for a peer (a FIFO) needs O_NONBLOCK.
   */
  open(path: string | Uint8Array, flags: number): number {
    return this.#writePath(path) < 0 ? EAGAIN : this.#open(flags);
  }

  #open(flags: number): number {
    this.#words[(HOW_AT + OPEN_HOW.flags) >> 2] = flags | O_CLOEXEC;
    const { address } = this.#memory;
    return this.#libc.openFile(NR_OPENAT2, AT_FDCWD, address + PATH_AT, address + HOW_AT, OPEN_HOW.size);
  }

  /** A descriptor for what a path names, to ask about it only, as `open`. O_PATH, open(2) */
  locate(path: string | Uint8Array, follow: boolean): number {
    return this.open(path, follow ? O_PATH : O_PATH | O_NOFOLLOW);
  }

  /** As `locate` of the path that was located or opened last. */
  openAgain(flags: number): number {
    return this.#open(flags);
  }

  /** The attributes of an open file, as the kernel has them; 0 or a negative errno. statx(2) */
  statFd(fd: number): number {
    const { address } = this.#memory;
    // A NUL stands at the end of the path's part.
    const empty = address + LINK_AT - 1;
    const flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    return this.#call(NR_STATX, fd, empty, flags, MASK, address + STATX_AT, 0);
  }

  /** Whether the calling process may; 0 or a negative errno. faccessat2(2), 5.8 */
  access(fd: number, mode: number): number {
    const empty = this.#memory.address + LINK_AT - 1;
    return this.#call(NR_FACCESSAT2, fd, empty, mode, AT_EMPTY_PATH, 0, 0);
  }

  /** The type of the file system that an open file is on, a magic number. fstatfs(2) */
  fileSystem(fd: number): number {
    const failed = this.#call(NR_FSTATFS, fd, this.#memory.address + STATFS_AT, 0, 0, 0, 0);
    return failed < 0 ? failed : this.#words[(STATFS_AT + STATFS.f_type) >> 2]!;
  }

  /**
   * What a symbolic link says; its length or a negative errno: see `link`. readlinkat(2)
   * @param path '' for the link itself that `locate` has opened.
   */
  readLink(fd: number, path: string): number {
    const { address } = this.#memory;
    this.#writePath(path);
    return this.#call(NR_READLINKAT, fd, address + PATH_AT, address + LINK_AT, PATH_MAX, 0, 0);
  }

  /** The first `length` bytes of what `readLink` has read. */
  link(length: number): Buffer {
    return this.#bytes.subarray(LINK_AT, LINK_AT + length);
  }

  /**
   * Reads what is in the page cache into `bytes[offset]`, from `position` or (-1) the current one. The number of
   * bytes, fewer than `length` where the file or what is cached of it ends, or a negative errno: EAGAIN if it
   * would wait, EOPNOTSUPP if the file cannot be read so. preadv2(2) with RWF_NOWAIT, 4.14
   */
  read(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    let base = knownAddressOf(bytes.buffer);
    if (base === 0 && length > COPY_MAX) base = addressOf(bytes) - bytes.byteOffset;
    if (base !== 0) return this.readAt(fd, base + bytes.byteOffset + offset, length, position);
    const count = this.readAt(fd, this.#memory.address + BYTES_AT, Math.min(length, COPY_MAX), position);
    if (count > 0) this.#bytes.copy(bytes, offset, BYTES_AT, BYTES_AT + count);
    return count;
  }

  /** As `read`, into memory at an address. */
  readAt(fd: number, address: number, length: number, position: number): number {
    const words = this.#words;
    const at = IOVEC_AT >> 2;
    words[at] = address;
    words[at + 1] = address / TWO_32;
    words[at + 2] = length;
    // pos_l has all 64 bits on these architectures; pos_h is ignored.
    return this.#call(NR_PREADV2, fd, this.#memory.address + IOVEC_AT, 1, position, 0, RWF_NOWAIT);
  }

  /** Takes O_NONBLOCK back. fcntl(2) */
  setFlags(fd: number, flags: number): number {
    return this.#call(NR_FCNTL, fd, F_SETFL, flags, 0, 0, 0);
  }

  /** Closes what was only read or located: that does not wait. close(2) */
  close(fd: number): void {
    this.#libc.close(fd);
  }

  /** Puts a path where the calls take it from; its length, -1 if it is too long for that. */
  #writePath(path: string | Uint8Array): number {
    const bytes = this.#bytes;
    // A character of UTF-16 has three bytes at most.
    const most = typeof path === 'string' ? path.length * 3 : path.length;
    if (most >= PATH_MAX - 1) return -1;
    let length: number;
    if (typeof path === 'string') length = bytes.write(path, PATH_AT, 'utf8');
    else {
      length = path.length;
      bytes.set(path, PATH_AT);
    }
    bytes[PATH_AT + length] = 0;
    return length;
  }

  /** Gives the memory back. */
  unmap(): void {
    this.#memory.unmap();
  }
}
