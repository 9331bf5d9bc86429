import { O_CLOEXEC } from '../../sys/abi/flags.js';
import {
  checkArray,
  checkBytes,
  checkFd,
  checkInt,
  checkInt32Array,
  checkOffset,
  checkU16,
  checkU32,
} from '../../sys/check/check.js';
import { rangeError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { checkSlot, type Data, type InPlace, SqeCore } from './core.js';

function checkViews(name: string, views: readonly ArrayBufferView[]): void {
  for (const [i, view] of checkArray(name, views, 'Buffers').entries()) checkBytes(`${name}[${i}]`, view);
}

/** Operations on files by descriptor. */
export class SqeFiles extends SqeCore {
  /**
   * Reads into `buffer`; the result is the number of bytes, 0 at the end of the file.
   * @param buffer with `bufferSelect` null, or the maximum number of bytes.
   * @param offset the position in the file, in bytes; -1 reads at the current position and advances it.
   * io_uring_prep_read(3), read(2)
   */
  read(fd: number, buffer: InPlace, offset = -1): this {
    checkFd(fd);
    checkOffset('offset', offset);
    const address = this.target('buffer', buffer);
    return this.prep(abi.OP_READ, fd, address, this.dataLength, offset);
  }

  /**
   * Writes `buffer`, or the UTF-8 of a string; the result is the number of bytes taken.
   * io_uring_prep_write(3), write(2)
   */
  write(fd: number, buffer: Data, offset = -1): this {
    checkFd(fd);
    checkOffset('offset', offset);
    const address = this.data('buffer', buffer);
    return this.prep(abi.OP_WRITE, fd, address, this.dataLength, offset);
  }

  /** Closes a descriptor. io_uring_prep_close(3), close(2) */
  close(fd: number): this {
    return this.prep(abi.OP_CLOSE, checkFd(fd), 0, 0, 0);
  }

  /** Closes a registered file. io_uring_prep_close_direct(3), 5.15 */
  closeDirect(fileIndex: number): this {
    checkInt('fileIndex', fileIndex, 0, 0x7ffffffe);
    return this.prep(abi.OP_CLOSE, 0, 0, 0, 0).directSlot(fileIndex);
  }

  /** Writes a file's data and attributes to its device. io_uring_prep_fsync(3), fsync(2) */
  fsync(fd: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_FSYNC, checkFd(fd), 0, 0, 0).opFlags(flags);
  }

  /**
   * Starts writing back a range, or waits for it, according to SYNC_FILE_RANGE_ flags. io_uring_prep_sync_file_range(3)
   */
  syncFileRange(fd: number, length: number, offset: number, flags: number): this {
    checkU32('length', length);
    checkOffset('offset', offset);
    checkU32('flags', flags);
    return this.prep(abi.OP_SYNC_FILE_RANGE, checkFd(fd), 0, length, offset).opFlags(flags);
  }

  /** Reads into several buffers. @param flags RWF_ flags. io_uring_prep_readv2(3), preadv2(2) */
  readv(fd: number, buffers: readonly ArrayBufferView[], offset = -1, flags = 0): this {
    checkViews('buffers', buffers);
    return this.#vector(abi.OP_READV, fd, buffers, offset, flags);
  }

  /** Writes several buffers or strings. @param flags RWF_ flags. io_uring_prep_writev2(3), pwritev2(2) */
  writev(fd: number, buffers: readonly Data[], offset = -1, flags = 0): this {
    return this.#vector(abi.OP_WRITEV, fd, buffers, offset, flags);
  }

  #vector(op: number, fd: number, buffers: readonly Data[], offset: number, flags: number): this {
    checkFd(fd);
    checkOffset('offset', offset);
    checkU32('flags', flags);
    return this.prep(op, fd, this.iovecs('buffers', buffers), buffers.length, offset).opFlags(flags);
  }

  /** Reads into a registered buffer, or a part of it. io_uring_prep_read_fixed(3) */
  readFixed(fd: number, buffer: ArrayBufferView, offset: number, bufIndex: number): this {
    checkU16('bufIndex', bufIndex);
    checkBytes('buffer', buffer);
    this.read(fd, buffer, offset);
    return this.opcode(abi.OP_READ_FIXED).bufIndex(bufIndex);
  }

  /** Writes a registered buffer, or a part of it. io_uring_prep_write_fixed(3) */
  writeFixed(fd: number, buffer: ArrayBufferView, offset: number, bufIndex: number): this {
    checkU16('bufIndex', bufIndex);
    checkBytes('buffer', buffer);
    this.write(fd, buffer, offset);
    return this.opcode(abi.OP_WRITE_FIXED).bufIndex(bufIndex);
  }

  /** Reads into several parts of a registered buffer. io_uring_prep_readv_fixed(3), 6.15 */
  readvFixed(
    fd: number,
    buffers: readonly ArrayBufferView[],
    offset: number,
    flags: number,
    bufIndex: number,
  ): this {
    checkU16('bufIndex', bufIndex);
    checkViews('buffers', buffers);
    return this.#vector(abi.OP_READV_FIXED, fd, buffers, offset, flags).bufIndex(bufIndex);
  }

  /** Writes several parts of a registered buffer. io_uring_prep_writev_fixed(3), 6.15 */
  writevFixed(
    fd: number,
    buffers: readonly ArrayBufferView[],
    offset: number,
    flags: number,
    bufIndex: number,
  ): this {
    checkU16('bufIndex', bufIndex);
    checkViews('buffers', buffers);
    return this.#vector(abi.OP_WRITEV_FIXED, fd, buffers, offset, flags).bufIndex(bufIndex);
  }

  /**
   * Reads repeatedly into buffers of a group, from a pipe or the like.
   * @param length the maximum number of bytes; 0 for the size of the buffer.
   * io_uring_prep_read_multishot(3), 6.7
   */
  readMultishot(fd: number, length: number, offset: number, group: number): this {
    checkU32('length', length);
    checkOffset('offset', offset);
    checkU16('group', group);
    return this.prep(abi.OP_READ_MULTISHOT, checkFd(fd), 0, length, offset).bufferSelect(group);
  }

  /** Allocates a range, or with FALLOC_FL_ flags in `mode` punches or zeroes it. io_uring_prep_fallocate(3) */
  fallocate(fd: number, mode: number, offset: number, length: number): this {
    checkU32('mode', mode);
    checkInt('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInt('length', length, 0, Number.MAX_SAFE_INTEGER);
    return this.prep(abi.OP_FALLOCATE, checkFd(fd), length, mode, offset);
  }

  /**
   * Announces how a range will be read, with a POSIX_FADV_ value; more than 4 GiB since 6.9.
   * io_uring_prep_fadvise64(3), posix_fadvise(2)
   */
  fadvise(fd: number, offset: number, length: number, advice: number): this {
    checkInt('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInt('length', length, 0, Number.MAX_SAFE_INTEGER);
    checkU32('advice', advice);
    const wide = length > 0xffffffff;
    return this.prep(abi.OP_FADVISE, checkFd(fd), wide ? length : 0, wide ? 0 : length, offset).opFlags(
      advice,
    );
  }

  /**
   * Announces how memory will be used, with an MADV_ value. Only advice that keeps the contents is accepted:
   * MADV_NORMAL, RANDOM, SEQUENTIAL, WILLNEED (0 to 3). io_uring_prep_madvise(3), madvise(2)
   */
  madvise(buffer: ArrayBufferView, advice: number): this {
    checkInt('advice', advice, 0, 3);
    const address = this.bytes('buffer', buffer);
    return this.prep(abi.OP_MADVISE, -1, address, buffer.byteLength, 0).opFlags(advice);
  }

  /** Changes a file's length. io_uring_prep_ftruncate(3), ftruncate(2), 6.9 */
  ftruncate(fd: number, length: number): this {
    checkInt('length', length, 0, Number.MAX_SAFE_INTEGER);
    return this.prep(abi.OP_FTRUNCATE, checkFd(fd), 0, 0, length);
  }

  /**
   * Moves bytes between a pipe and another file, without copying them through user memory. Offsets are -1 for a pipe,
   * or for the current position. @param flags SPLICE_F_ flags: with SPLICE_F_FD_IN_FIXED `fdIn` is the index of a
   * registered file. io_uring_prep_splice(3), splice(2), 5.7
   */
  splice(fdIn: number, offsetIn: number, fdOut: number, offsetOut: number, length: number, flags = 0): this {
    checkFd(fdIn);
    checkFd(fdOut);
    checkOffset('offsetIn', offsetIn);
    checkOffset('offsetOut', offsetOut);
    checkInt('length', length, 0, 0x7fffffff);
    checkU32('flags', flags);
    return this.prep(abi.OP_SPLICE, fdOut, offsetIn, length, offsetOut).fileIndex(fdIn).opFlags(flags);
  }

  /** Copies bytes from a pipe to another one, and keeps them in the first. io_uring_prep_tee(3), tee(2), 5.8 */
  tee(fdIn: number, fdOut: number, length: number, flags = 0): this {
    checkFd(fdIn);
    checkInt('length', length, 0, 0x7fffffff);
    checkU32('flags', flags);
    return this.prep(abi.OP_TEE, checkFd(fdOut), 0, length, 0).fileIndex(fdIn).opFlags(flags);
  }

  /**
   * Creates a pipe: `fds` gets the read end and the write end.
   * @param flags O_NONBLOCK, O_DIRECT; O_CLOEXEC is added, see `inherit`. io_uring_prep_pipe(3), pipe2(2), 6.16
   */
  pipe(fds: Int32Array, flags = 0): this {
    return this.#pipe(fds, checkU32('flags', flags) | O_CLOEXEC);
  }

  #pipe(fds: Int32Array, flags: number): this {
    return this.prep(abi.OP_PIPE, 0, this.#pair(fds), 0, 0).opFlags(flags);
  }

  /** As `pipe`, into registered files. io_uring_prep_pipe_direct(3), 6.16 */
  pipeDirect(fds: Int32Array, flags: number, fileIndex: number): this {
    checkSlot('fileIndex', fileIndex);
    return this.#pipe(fds, checkU32('flags', flags)).directSlot(fileIndex);
  }

  #pair(fds: Int32Array): number {
    checkInt32Array('fds', fds);
    if (fds.length < 2) throw rangeError('fds.length', '>= 2', fds.length);
    return this.bytes('fds', fds);
  }

  /** Creates an ordinary descriptor for a registered file. io_uring_prep_fixed_fd_install(3), 6.8 */
  fixedFdInstall(fileIndex: number, flags = 0): this {
    checkU32('flags', flags);
    checkFd(fileIndex);
    return this.prep(abi.OP_FIXED_FD_INSTALL, fileIndex, 0, 0, 0).fixedFile().opFlags(flags);
  }
}
