import { AT_FDCWD, O_CLOEXEC } from '../../sys/abi/flags.js';
import { OPEN_HOW, STATX } from '../../sys/abi/structs.js';
import { checkBytes, checkFd, checkInt, checkObject, checkU32 } from '../../sys/check/check.js';
import { rangeError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { checkSlot, type Data } from './core.js';
import { SqeFiles } from './files.js';

/** How `openat2` opens. openat2(2) */
export interface OpenHow {
  /** O_ flags, open(2). */
  flags: number;
  /** The permissions of a file that is created. */
  mode?: number | undefined;
  /** RESOLVE_ flags. */
  resolve?: number | undefined;
}

/** A path: text, or its bytes. */
type Path = string | Uint8Array;

function checkDirFd(fd: number): number {
  return fd === AT_FDCWD ? fd : checkFd(fd);
}

const NO_HOW = Buffer.alloc(OPEN_HOW.size);

/** Operations on paths. Those without -at start from the current directory. */
export class SqePaths extends SqeFiles {
  /** The last struct open_how. */
  #how: Buffer = NO_HOW;

  /**
   * Opens a path relative to a directory; the result is the descriptor.
   * @param flags as in `fs.constants`, for instance O_RDONLY; O_CLOEXEC is added, see `inherit`.
   * io_uring_prep_openat(3), openat(2)
   */
  openat(dirFd: number, path: Path, flags: number, mode = 0): this {
    return this.#open(dirFd, path, checkU32('flags', flags) | O_CLOEXEC, mode);
  }

  /** As `openat`, from the current directory. io_uring_prep_open(3) */
  open(path: Path, flags: number, mode = 0): this {
    return this.openat(AT_FDCWD, path, flags, mode);
  }

  /**
   * As `openat`, into a registered file instead of a descriptor.
   * @param fileIndex its index, or FILE_INDEX_ALLOC to let the kernel choose; the result is then the index.
   * io_uring_prep_openat_direct(3), 5.15
   */
  openatDirect(dirFd: number, path: Path, flags: number, mode: number, fileIndex: number): this {
    checkSlot('fileIndex', fileIndex);
    return this.#open(dirFd, path, checkU32('flags', flags), mode).directSlot(fileIndex);
  }

  /** As `openatDirect`, from the current directory. io_uring_prep_open_direct(3) */
  openDirect(path: Path, flags: number, mode: number, fileIndex: number): this {
    return this.openatDirect(AT_FDCWD, path, flags, mode, fileIndex);
  }

  #open(dirFd: number, path: Path, flags: number, mode: number): this {
    checkDirFd(dirFd);
    checkInt('mode', mode, 0, 0o7777);
    return this.prep(abi.OP_OPENAT, dirFd, this.path('path', path), mode, 0).opFlags(flags);
  }

  /** @internal Removes O_CLOEXEC from the open_how of this entry. */
  protected inheritHow(): void {
    this.#how.writeUInt32LE(this.#how.readUInt32LE(OPEN_HOW.flags) & ~O_CLOEXEC, OPEN_HOW.flags);
  }

  /**
   * Opens a path with restrictions on how it is resolved; O_CLOEXEC is added, see `inherit`.
   * io_uring_prep_openat2(3), openat2(2)
   */
  openat2(dirFd: number, path: Path, how: OpenHow): this {
    return this.#open2(dirFd, path, how, O_CLOEXEC);
  }

  /** As `openat2`, into a registered file. io_uring_prep_openat2_direct(3), 5.15 */
  openat2Direct(dirFd: number, path: Path, how: OpenHow, fileIndex: number): this {
    checkSlot('fileIndex', fileIndex);
    return this.#open2(dirFd, path, how, 0).directSlot(fileIndex);
  }

  #open2(dirFd: number, path: Path, how: OpenHow, extraFlags: number): this {
    checkDirFd(dirFd);
    checkObject('how', how);
    const flags = checkInt('how.flags', how.flags, 0, 0x7fffffff) | extraFlags;
    const mode = checkInt('how.mode', how.mode ?? 0, 0, 0o7777);
    const resolve = checkInt('how.resolve', how.resolve ?? 0, 0, 0x7fffffff);
    const address = this.path('path', path);
    const howAddress = this.scratch.alloc(OPEN_HOW.size);
    const { bytes, start } = this.scratch;
    bytes.fill(0, start, start + OPEN_HOW.size);
    bytes.writeUInt32LE(flags, start + OPEN_HOW.flags);
    bytes.writeUInt32LE(mode, start + OPEN_HOW.mode);
    bytes.writeUInt32LE(resolve, start + OPEN_HOW.resolve);
    this.#how = bytes.subarray(start, start + OPEN_HOW.size);
    return this.prep(abi.OP_OPENAT2, dirFd, address, OPEN_HOW.size, howAddress);
  }

  /**
   * Reads a file's attributes into `buffer`, a struct statx of 256 bytes (see `STATX`).
   * @param flags AT_ flags: AT_EMPTY_PATH with path '' means `dirFd` itself.
   * @param mask STATX_ flags: the requested fields.
   * io_uring_prep_statx(3), statx(2)
   */
  statx(dirFd: number, path: Path, flags: number, mask: number, buffer: ArrayBufferView): this {
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

  /** Renames a path. @param flags RENAME_ flags. io_uring_prep_renameat(3), renameat2(2), 5.11 */
  renameat(oldDirFd: number, oldPath: Path, newDirFd: number, newPath: Path, flags = 0): this {
    return this.#twoPaths(abi.OP_RENAMEAT, oldDirFd, oldPath, newDirFd, newPath, flags);
  }

  /** io_uring_prep_rename(3), rename(2), 5.11 */
  rename(oldPath: Path, newPath: Path): this {
    return this.renameat(AT_FDCWD, oldPath, AT_FDCWD, newPath);
  }

  /** Creates a hard link. @param flags AT_ flags. io_uring_prep_linkat(3), linkat(2), 5.15 */
  linkat(oldDirFd: number, oldPath: Path, newDirFd: number, newPath: Path, flags = 0): this {
    return this.#twoPaths(abi.OP_LINKAT, oldDirFd, oldPath, newDirFd, newPath, flags);
  }

  /** Creates a hard link to `oldPath`. io_uring_prep_link(3); `link` is the name of the modifier here. 5.15 */
  linkPath(oldPath: Path, newPath: Path): this {
    return this.linkat(AT_FDCWD, oldPath, AT_FDCWD, newPath);
  }

  #twoPaths(
    op: number,
    oldDirFd: number,
    oldPath: Path,
    newDirFd: number,
    newPath: Path,
    flags: number,
  ): this {
    checkDirFd(oldDirFd);
    checkDirFd(newDirFd);
    checkU32('flags', flags);
    const from = this.path('oldPath', oldPath);
    const to = this.path('newPath', newPath);
    return this.prep(op, oldDirFd, from, newDirFd, to).opFlags(flags);
  }

  /** Removes a path. @param flags AT_REMOVEDIR for a directory. io_uring_prep_unlinkat(3), unlinkat(2), 5.11 */
  unlinkat(dirFd: number, path: Path, flags = 0): this {
    checkDirFd(dirFd);
    checkU32('flags', flags);
    return this.prep(abi.OP_UNLINKAT, dirFd, this.path('path', path), 0, 0).opFlags(flags);
  }

  /** io_uring_prep_unlink(3), unlink(2), 5.11 */
  unlink(path: Path, flags = 0): this {
    return this.unlinkat(AT_FDCWD, path, flags);
  }

  /** Makes a directory. io_uring_prep_mkdirat(3), mkdirat(2), 5.15 */
  mkdirat(dirFd: number, path: Path, mode = 0o777): this {
    checkDirFd(dirFd);
    checkInt('mode', mode, 0, 0o7777);
    return this.prep(abi.OP_MKDIRAT, dirFd, this.path('path', path), mode, 0);
  }

  /** io_uring_prep_mkdir(3), mkdir(2), 5.15 */
  mkdir(path: Path, mode = 0o777): this {
    return this.mkdirat(AT_FDCWD, path, mode);
  }

  /** Creates a symbolic link at `linkPath` with the target `target`. io_uring_prep_symlinkat(3), symlinkat(2), 5.15 */
  symlinkat(target: Path, dirFd: number, linkPath: Path): this {
    checkDirFd(dirFd);
    const from = this.path('target', target);
    return this.prep(abi.OP_SYMLINKAT, dirFd, from, 0, this.path('linkPath', linkPath));
  }

  /** io_uring_prep_symlink(3), symlink(2), 5.15 */
  symlink(target: Path, linkPath: Path): this {
    return this.symlinkat(target, AT_FDCWD, linkPath);
  }

  /** Reads an extended attribute; the result is its length. io_uring_prep_getxattr(3), getxattr(2), 5.19 */
  getxattr(path: Path, name: string, value: ArrayBufferView): this {
    checkBytes('value', value);
    const at = this.path('path', path);
    return this.#xattr(abi.OP_GETXATTR, 0, name, value, 0).addr3(at);
  }

  /** Sets an extended attribute. @param flags XATTR_ flags. io_uring_prep_setxattr(3), setxattr(2), 5.19 */
  setxattr(path: Path, name: string, value: Data, flags = 0): this {
    const at = this.path('path', path);
    return this.#xattr(abi.OP_SETXATTR, 0, name, value, flags).addr3(at);
  }

  /** As `getxattr`, of an open file. io_uring_prep_fgetxattr(3), 5.19 */
  fgetxattr(fd: number, name: string, value: ArrayBufferView): this {
    checkBytes('value', value);
    return this.#xattr(abi.OP_FGETXATTR, checkFd(fd), name, value, 0);
  }

  /** As `setxattr`, of an open file. io_uring_prep_fsetxattr(3), 5.19 */
  fsetxattr(fd: number, name: string, value: Data, flags = 0): this {
    return this.#xattr(abi.OP_FSETXATTR, checkFd(fd), name, value, flags);
  }

  #xattr(op: number, fd: number, name: string, value: Data, flags: number): this {
    checkU32('flags', flags);
    const nameAddress = this.path('name', name);
    const valueAddress = this.data('value', value);
    return this.prep(op, fd, nameAddress, this.dataLength, valueAddress).opFlags(flags);
  }
}
