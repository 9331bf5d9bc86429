/**
 * Chooses between a plain system call and the ring, for all file operations that the kernel's caches can answer: one
 * call now where nothing waits, the ring otherwise.
 *
 * Each function returns `undefined` if the ring must do it. It reports the same errors as the ring, but only the
 * definite errors of a cached path.
 */
import { type BigIntStats, constants, type Stats } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { allocateBuffer, allocatePooled } from '../../loop/memory/buffer-memory.js';
import { perLoop } from '../../loop/per-loop.js';
import { EAGAIN } from '../../sys/abi/errno.js';
import { AT_FDCWD, O_ACCMODE, RWF_NOWAIT } from '../../sys/abi/flags.js';
import { STATX } from '../../sys/abi/structs.js';
import { type FileCalls, LOOKUP_ERRORS } from '../../sys/calls/file-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import { pathText } from '../arguments.js';
import { bigIntStatsOf, statsOf } from '../stats.js';
import { Backoff } from './backoff.js';
import { briefCalls } from './brief-calls.js';
import { type Device, devicesOf } from './devices.js';

type Path = string | Uint8Array;

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK } = constants;
const { S_IFLNK, S_IFMT, S_IFREG } = constants;
/** Flags with which a cached path can be opened without waiting. */
const OPEN_FLAGS = O_RDONLY | O_WRONLY | O_RDWR | O_APPEND | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK;

/** ext4 stores symbolic links below this size in the inode, in bytes. */
const LINK_MAX = 60;

/** The largest file that is read whole at once, in bytes. */
const WHOLE_MAX = 256 * 1024;

class InlineFiles {
  readonly #loop: Loop;
  readonly #calls: FileCalls;
  readonly #lookups = new Backoff();
  /** The device of what was located last. */
  #device: Device | null = null;
  readonly #devices: ReturnType<typeof devicesOf>;

  constructor(loop: Loop) {
    this.#loop = loop;
    this.#calls = loop.calls;
    this.#devices = devicesOf(loop);
  }

  stat(path: Path, follow: boolean, bigint: boolean): Stats | BigIntStats | undefined {
    const fd = this.#locate(path, follow);
    if (fd === EAGAIN) return undefined;
    if (fd < 0) throw systemError(fd, follow ? 'stat' : 'lstat', { path: pathText(path) });
    this.#calls.close(fd);
    return this.#found(bigint);
  }

  /** The attributes of a descriptor. */
  fstat(fd: number, bigint: boolean): Stats | BigIntStats | undefined {
    if (!this.#loop.inline.take()) return undefined;
    if (this.#devices.local(fd) === null) return undefined;
    return this.#found(bigint);
  }

  #found(bigint: boolean): Stats | BigIntStats {
    const { statx } = this.#calls;
    return bigint ? bigIntStatsOf(statx) : statsOf(statx);
  }

  access(path: Path, mode: number): true | undefined {
    const fd = this.#locate(path, true);
    if (fd === EAGAIN) return undefined;
    const failed = fd < 0 ? fd : this.#calls.access(fd, mode);
    if (fd >= 0) this.#calls.close(fd);
    if (failed >= 0) return true;
    if (LOOKUP_ERRORS.has(failed)) throw systemError(failed, 'access', { path: pathText(path) });
    return undefined;
  }

  realpath(path: Path): string | undefined {
    const fd = this.#locate(path, true);
    if (fd === EAGAIN) return undefined;
    if (fd < 0) throw systemError(fd, 'realpath', { path: pathText(path) });
    const found = this.#readLink(AT_FDCWD, `/proc/self/fd/${fd}`);
    this.#calls.close(fd);
    // The file's name has been removed meanwhile, or it is outside of this root, or /proc is not mounted.
    return found?.startsWith('/') && !found.endsWith(' (deleted)') ? found : undefined;
  }

  readlink(path: Path): string | undefined {
    const fd = this.#locate(path, false);
    if (fd === EAGAIN) return undefined;
    if (fd < 0) throw systemError(fd, 'readlink', { path: pathText(path) });
    const { statx } = this.#calls;
    const isLink = (statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFLNK;
    // A longer one may be in a block of its own, on the disk.
    const found = isLink && statx[STATX.stx_size / 4]! < LINK_MAX ? this.#readLink(fd, '') : undefined;
    this.#calls.close(fd);
    return found;
  }

  #readLink(fd: number, path: string): string | undefined {
    const length = this.#calls.readLink(fd, path);
    return length > 0 ? this.#calls.link(length).toString() : undefined;
  }

  /** Opens an existing regular file; returns its descriptor. */
  open(path: Path, flags: number): number | undefined {
    if ((flags & ~OPEN_FLAGS) !== 0) return undefined;
    const fd = this.#openRegular(path, flags);
    if (fd === EAGAIN) return undefined;
    if (fd < 0) throw systemError(fd, 'open', { path: pathText(path) });
    this.#calls.setFlags(fd, flags & (O_APPEND | O_NONBLOCK));
    return fd;
  }

  /**
   * Reads a whole regular file if it is cached; if it is not, or is large, returns its descriptor.
   */
  readFile(path: Path, encoding: BufferEncoding | null | undefined): Buffer | string | number | undefined {
    const calls = this.#calls;
    const fd = this.#openRegular(path, O_RDONLY);
    if (fd === EAGAIN) return undefined;
    if (fd < 0) throw systemError(fd, 'open', { path: pathText(path) });
    const size = calls.statx[STATX.stx_size / 4]! + calls.statx[STATX.stx_size / 4 + 1]! * 2 ** 32;
    // A file that reports size 0 may have contents.
    if (size !== 0 && size <= WHOLE_MAX && this.#loop.inline.take(size)) {
      const bytes = encoding ? allocatePooled(size) : allocateBuffer(size);
      if (this.#readWhole(fd, bytes, size) === size) {
        calls.close(fd);
        return encoding ? bytes.toString(encoding) : bytes;
      }
    }
    calls.setFlags(fd, 0);
    return fd;
  }

  /** Reads one byte more: the file may have grown since its size was read, or another one may have replaced it. */
  #readWhole(fd: number, bytes: Buffer, size: number): number {
    const device = this.#device!;
    if (!device.inMemory) return this.#calls.read(fd, bytes, 0, size, 0, RWF_NOWAIT, 1);
    const brief = briefCalls(this.#loop);
    // Swapped-out pages wait.
    if (!brief.begin(device, 0, 0)) return 0;
    const count = this.#calls.read(fd, bytes, 0, size, 0, 0, 1);
    brief.end(device);
    return count;
  }

  /** Opens it without waiting, even if it has become a FIFO meanwhile; or a negative errno. */
  #openRegular(path: Path, flags: number): number {
    const calls = this.#calls;
    const located = this.#locate(path, (flags & O_NOFOLLOW) === 0);
    if (located < 0) return located;
    calls.close(located);
    if ((calls.statx[STATX.stx_mode / 4]! & S_IFMT) !== S_IFREG) return EAGAIN;
    if (this.#device!.copiesUp && (flags & O_ACCMODE) !== O_RDONLY) return EAGAIN;
    const fd = calls.openAgain(flags | O_NONBLOCK);
    return fd >= 0 || LOOKUP_ERRORS.has(fd) ? fd : EAGAIN;
  }

  /**
   * Opens a descriptor that only identifies a cached path, with the attributes in `calls.statx`; or a negative errno.
   */
  #locate(path: Path, follow: boolean): number {
    if (!this.#lookups.tries || !this.#loop.inline.take()) return EAGAIN;
    const calls = this.#calls;
    const fd = calls.locate(path, follow);
    if (fd < 0) {
      if (LOOKUP_ERRORS.has(fd)) return fd;
      this.#lookups.refused();
      return EAGAIN;
    }
    const device = this.#devices.local(fd);
    if (device !== null) {
      this.#device = device;
      this.#lookups.taken();
      return fd;
    }
    calls.close(fd);
    this.#lookups.refused();
    return EAGAIN;
  }
}

/** A loop's plain calls. */
export const inlineFiles = perLoop(loop => new InlineFiles(loop));
