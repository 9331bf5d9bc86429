import * as abi from '../abi.js';
import { checkFd, checkInt, checkOffset, checkU32 } from '../check.js';
import { rangeError } from '../errors.js';
import { STATX } from '../structs.js';
import { SqeCore } from './core.js';

/** The directory fd that stands for the current directory in the -at calls. openat(2) */
export const AT_FDCWD = -100;
/** The `fd` argument is the file, if the path is empty. statx(2) */
export const AT_EMPTY_PATH = 0x1000;
/** Do not follow a symbolic link at the end of the path. statx(2) */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** All fields that stat(2) has. statx(2) */
export const STATX_BASIC_STATS = 0x7ff;
/** The time of creation. statx(2) */
export const STATX_BTIME = 0x800;

/** @internal A directory fd, or AT_FDCWD. */
export function checkDirFd(fd: number): number {
  return fd === AT_FDCWD ? fd : checkFd(fd);
}

/** Operations on files by descriptor or path. */
export class SqeFiles extends SqeCore {
  /**
   * Reads into `buffer`; the result is the number of bytes, 0 at the end of the file.
   * @param offset where in the file, in bytes; -1 reads at the current position and advances it.
   * io_uring_prep_read(3), read(2)
   */
  read(fd: number, buffer: ArrayBufferView, offset = -1): this {
    checkFd(fd);
    checkOffset('offset', offset);
    const address = this.bytes('buffer', buffer);
    return this.prep(abi.OP_READ, fd, address, buffer.byteLength, offset);
  }

  /** Writes `buffer`; the result is the number of bytes taken. io_uring_prep_write(3), write(2) */
  write(fd: number, buffer: ArrayBufferView, offset = -1): this {
    checkFd(fd);
    checkOffset('offset', offset);
    const address = this.bytes('buffer', buffer);
    return this.prep(abi.OP_WRITE, fd, address, buffer.byteLength, offset);
  }

  /**
   * Opens a path relative to a directory; the result is the descriptor.
   * @param flags as in `fs.constants`, for instance O_RDONLY; O_CLOEXEC is always added.
   * io_uring_prep_openat(3), openat(2)
   */
  openat(dirFd: number, path: string | Uint8Array, flags: number, mode = 0): this {
    checkDirFd(dirFd);
    checkU32('flags', flags);
    checkInt('mode', mode, 0, 0o7777);
    const address = this.path('path', path);
    return this.prep(abi.OP_OPENAT, dirFd, address, mode, 0).opFlags(flags | O_CLOEXEC);
  }

  /** Closes a descriptor. io_uring_prep_close(3), close(2) */
  close(fd: number): this {
    return this.prep(abi.OP_CLOSE, checkFd(fd), 0, 0, 0);
  }

  /**
   * Reads a file's attributes into `buffer`, a struct statx of 256 bytes (see `STATX`).
   * @param flags AT_ flags: AT_EMPTY_PATH with path '' asks about `dirFd` itself.
   * @param mask STATX_ flags: what is asked for.
   * io_uring_prep_statx(3), statx(2)
   */
  statx(
    dirFd: number,
    path: string | Uint8Array,
    flags: number,
    mask: number,
    buffer: ArrayBufferView,
  ): this {
    checkDirFd(dirFd);
    checkU32('flags', flags);
    checkU32('mask', mask);
    const result = this.bytes('buffer', buffer);
    if (buffer.byteLength < STATX.size) {
      throw rangeError('buffer.byteLength', `>= ${STATX.size}`, buffer.byteLength);
    }
    const address = this.path('path', path);
    return this.prep(abi.OP_STATX, dirFd, address, mask, result).opFlags(flags);
  }

  /** Writes a file's data and attributes to its device. io_uring_prep_fsync(3), fsync(2) */
  fsync(fd: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_FSYNC, checkFd(fd), 0, 0, 0).opFlags(flags);
  }
}

/** Linux's O_CLOEXEC, the same on x64 and arm64; Node has no constant for it. */
const O_CLOEXEC = 0o2000000;
