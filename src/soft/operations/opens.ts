/**
 * Opening files, reading their attributes, and closing them.
 *
 * Paths in the dentry cache of a local file system are opened at once, others in the pool.
 *
 * FIFOs are opened without waiting, and checked repeatedly until they have another end. In the pool, where a running
 * call cannot be cancelled, a few waiting opens would occupy all threads.
 */
import { constants } from 'node:fs';
import * as abi from '../../ring/abi/io-uring.js';
import { EAGAIN, ECANCELED, EFAULT, EINVAL, ENFILE, ENXIO } from '../../sys/abi/errno.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
  POLLHUP,
  RESOLVE_CACHED,
} from '../../sys/abi/flags.js';
import { OPEN_HOW, STATX } from '../../sys/abi/structs.js';
import { NR_OPENAT, NR_OPENAT2, NR_READ, NR_STATX } from '../../sys/abi/syscall-numbers.js';
import { FileCalls, LOOKUP_ERRORS } from '../../sys/calls/file-calls.js';
import { LOCAL, NO_FILES, OVERLAYFS } from '../../sys/calls/file-systems.js';
import { libc } from '../../sys/libc/libc.js';
import { isMainThread } from '../../sys/main-thread.js';
import { Mapping } from '../../sys/memory/mapping.js';
import { type Entry, HANDED } from '../entry.js';
import type { Files, Host } from '../host.js';
import { type Job, OPENED_BY_NODE } from '../pool.js';
import { beforeClose } from './control.js';
import { finish } from './files.js';

const { O_APPEND, O_DIRECT, O_DIRECTORY, O_NOATIME, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } =
  constants;
const { S_IFBLK, S_IFIFO, S_IFMT, S_IFREG } = constants;
const O_ACCMODE = O_RDONLY | O_WRONLY | O_RDWR;
/** Flags with which a cached path can be opened without waiting. */
const AT_ONCE = O_ACCMODE | O_APPEND | O_DIRECTORY | O_NOATIME | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_PATH;
/** The number of paths opened at once in one turn of the loop, which takes about 0.1 ms. */
const AT_ONCE_MAX = 64;
/** Flags that can be set after opening. fcntl(2), F_SETFL */
const SETTABLE = O_APPEND | O_DIRECT | O_NOATIME | O_NONBLOCK;
const SLASH = 47;

/** The interval between two checks of a FIFO, in nanoseconds: initial and maximum. */
const LOOK_FIRST = 1e6;
const LOOK_MAX = 32e6;

/** The calls of one ring. */
export class Opens implements Files {
  readonly #ring: Host;
  readonly #calls = new FileCalls();
  /** A struct open_how. */
  readonly #how = Mapping.anonymous(OPEN_HOW.size + 8);
  readonly #words = new Uint32Array(this.#how.buffer);

  /** Paths that may still be opened at once in this turn. */
  #left = AT_ONCE_MAX;
  /** The file system type of the last query. */
  #type = 0;

  constructor(ring: Host) {
    this.#ring = ring;
    this.#words[OPEN_HOW.resolve >> 2] = RESOLVE_CACHED;
  }

  open(entry: Entry): void {
    if (entry.place === HANDED) this.#look(entry);
    else this.#begin(entry);
  }

  #begin(entry: Entry): void {
    const { flags, opFlags } = entry;
    const fd = flags & abi.SQE_ASYNC ? EAGAIN : this.#openCached(entry.fd, entry.addr, opFlags);
    if (fd === EAGAIN) this.#openInPool(entry);
    else this.#deliver(entry, fd);
  }

  /** Opens a cached path on a local file system; else EAGAIN. Does not wait for a FIFO. openat2(2), 5.12 */
  #openCached(directory: number, path: number, flags: number): number {
    if ((flags & ~AT_ONCE) !== 0) return EAGAIN;
    const calls = this.#calls;
    const located = this.#locate(directory, path, flags);
    if (located < 0) return located;
    calls.close(located);
    // Overlays copy a file up when it is opened for writing.
    if (this.#type === OVERLAYFS && (flags & O_ACCMODE) !== O_RDONLY) return EAGAIN;
    const fd = this.#openHow(directory, path, flags | O_NONBLOCK);
    if (fd >= 0) {
      if ((flags & O_NONBLOCK) === 0) calls.setFlags(fd, flags & SETTABLE);
      return fd;
    }
    return LOOKUP_ERRORS.has(fd) || fd === ENXIO ? fd : EAGAIN;
  }

  /** Opens a descriptor that only identifies such a path. */
  #locate(directory: number, path: number, flags: number): number {
    if (this.#left === 0) return EAGAIN;
    this.#left--;
    const located = this.#openHow(directory, path, O_PATH | (flags & O_NOFOLLOW));
    if (located < 0) return LOOKUP_ERRORS.has(located) ? located : EAGAIN;
    this.#type = this.#calls.fileSystem(located) >>> 0;
    if (LOCAL.has(this.#type)) return located;
    this.#calls.close(located);
    return EAGAIN;
  }

  #openHow(directory: number, path: number, flags: number): number {
    this.#words[OPEN_HOW.flags >> 2] = flags | O_CLOEXEC;
    return libc().openFile(NR_OPENAT2, directory, path, this.#how.address, OPEN_HOW.size);
  }

  #openInPool(entry: Entry): void {
    const { pool } = this.#ring;
    const job = pool.job(entry, this.#opened);
    const path = pool.path(job, entry.addr);
    const flags = entry.opFlags | O_CLOEXEC | O_NONBLOCK;
    job.opens = true;
    if (isMainThread) {
      pool.start(job.set(NR_OPENAT, pool.hold(job, entry.fd), path, flags, entry.len));
    } else if (entry.fd === AT_FDCWD || pool.bytesOf(job)[0] === SLASH) {
      // If the worker is terminated before it receives the descriptor, Node closes it.
      pool.start(job.set(OPENED_BY_NODE, entry.fd, path, flags, entry.len));
    } else {
      // Node cannot open relative to a directory. This may wait for a disk, but leaves no descriptor.
      const fd = libc().openFile(NR_OPENAT, entry.fd, path, flags, entry.len);
      this.#ring.hand(entry, null);
      pool.finish(job.set(NR_OPENAT, entry.fd, path, flags, entry.len), fd);
    }
  }

  readonly #opened = (_ring: Host, entry: Entry, res: number, job: Job<Host>): void => {
    const asked = entry.opFlags;
    if (asked & O_NONBLOCK) this.#deliver(entry, res);
    else if (res === EAGAIN && job.c & O_NONBLOCK) {
      // Another process has a lease on the file, which this must wait for. fcntl(2), F_SETLEASE
      job.c &= ~O_NONBLOCK;
      this.#ring.pool.startAgain(job);
    } else if (res === ENXIO && entry.flags & abi.SQE_ASYNC && this.#isFifoPath(job)) {
      this.#ring.pool.keep(job);
      this.#lookLater(entry);
    } else if (res < 0) this.#deliver(entry, res);
    else if (this.#waitsForWriter(entry, res)) {
      entry.held = res;
      this.#look(entry);
    } else this.#deliverPlain(entry, res);
  };

  // --- FIFOs --------------------------------------------------------------------------------------

  /**
   * Whether a path that could not be opened is a FIFO without readers. Otherwise the same error means that it is no
   * file or has no driver.
   */
  #isFifoPath(job: Job<Host>): boolean {
    // In a worker the pool does not open relative to a directory.
    if (!isMainThread && job.number === NR_OPENAT) return false;
    const flags = O_PATH | O_CLOEXEC | (job.c & O_NOFOLLOW);
    const fd = libc().openFile(NR_OPENAT, job.a, job.b, flags, 0);
    if (fd < 0) return false;
    const isFifo = this.#isFifo(fd);
    this.#calls.close(fd);
    return isFifo;
  }

  #isFifo(fd: number): boolean {
    return this.#calls.statFd(fd) === 0 && (this.#calls.statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFIFO;
  }

  #waitsForWriter({ flags, opFlags }: Entry, fd: number): boolean {
    return (flags & abi.SQE_ASYNC) !== 0 && (opFlags & (O_ACCMODE | O_PATH)) === O_RDONLY && this.#isFifo(fd);
  }

  /** Whether a FIFO opened for reading has a writer, or has had one. */
  #hasWriter(fd: number): boolean {
    // No memory is mapped at address 0, so the data stays unread.
    const res = libc().syscall(NR_READ, fd, 0, 1, 0, 0, 0);
    if (res === EAGAIN || res === EFAULT) return true;
    return (this.#ring.calls.poll(fd, 0) & POLLHUP) !== 0;
  }

  /** Checks whether the FIFO has another end now. */
  #look(entry: Entry): void {
    const { held } = entry;
    if (held < 0) this.#ring.pool.startAgain(entry.job as Job<Host>);
    else if (!this.#hasWriter(held)) this.#lookLater(entry);
    else {
      entry.held = -1;
      this.#deliverPlain(entry, held);
    }
  }

  #lookLater(entry: Entry): void {
    const { timeouts } = this.#ring;
    if (entry.stopping) {
      this.#giveUp(entry);
      this.#ring.settle(entry, ECANCELED);
      return;
    }
    entry.interval = entry.repeats === 0 ? LOOK_FIRST : Math.min(entry.interval * 2, LOOK_MAX);
    entry.repeats = 1;
    entry.deadline = timeouts.now() + entry.interval;
    entry.stop = this.#stop;
    timeouts.add(entry);
    entry.place = HANDED;
  }

  readonly #stop = (entry: Entry): boolean => {
    this.#ring.timeouts.remove(entry);
    this.#giveUp(entry);
    this.#ring.complete(entry, ECANCELED);
    return true;
  };

  #giveUp(entry: Entry): void {
    if (entry.held >= 0) this.#calls.close(entry.held);
    else this.#ring.pool.drop(entry.job as Job<Host>);
    entry.held = -1;
  }

  // --- Opened files -------------------------------------------------------------------------------

  /** Clears O_NONBLOCK, which the entry did not ask for. */
  #deliverPlain(entry: Entry, fd: number): void {
    this.#calls.setFlags(fd, entry.opFlags & SETTABLE);
    this.#deliver(entry, fd);
  }

  #deliver(entry: Entry, fd: number): void {
    this.#ring.settle(entry, fd < 0 || entry.file === 0 ? fd : this.#register(entry.file, fd));
  }

  /** Stores a descriptor as a registered file. @param file its index plus one, or -1 for any. */
  #register(file: number, fd: number): number {
    const { registered } = this.#ring;
    const place = file === -1 ? registered.indexOf(-1) : file - 1;
    if (place < 0 || place >= registered.length) {
      this.#calls.close(fd);
      return registered.length === 0 ? ENXIO : file === -1 ? ENFILE : EINVAL;
    }
    const old = registered[place]!;
    if (old >= 0) {
      beforeClose(this.#ring, old);
      this.#calls.close(old);
    }
    registered[place] = fd;
    return file === -1 ? place : 0;
  }

  /** Whether a descriptor is a regular file or a block device: epoll cannot report when these are ready. */
  isFile(fd: number): boolean {
    if (this.#calls.statFd(fd) !== 0) return false;
    const type = this.#calls.statx[STATX.stx_mode / 4]! & S_IFMT;
    return type === S_IFREG || type === S_IFBLK;
  }

  // --- Attributes ---------------------------------------------------------------------------------

  /** STATX: at once for a local file whose path is cached. */
  stat(entry: Entry): void {
    const res = this.#statCached(entry);
    if (res !== EAGAIN) {
      this.#ring.complete(entry, res);
      return;
    }
    const { pool } = this.#ring;
    const job = pool.job(entry, finish);
    const path = pool.path(job, entry.addr);
    pool.start(job.set(NR_STATX, pool.hold(job, entry.fd), path, entry.opFlags, entry.len, entry.off));
  }

  #statCached({ flags, fd, addr, opFlags, len, off }: Entry): number {
    if (flags & abi.SQE_ASYNC || (opFlags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return EAGAIN;
    const { syscall } = libc();
    if (opFlags & AT_EMPTY_PATH) {
      // Most likely the path is empty.
      const type = this.#calls.fileSystem(fd);
      return type >= 0 && LOCAL.has(type >>> 0) ? syscall(NR_STATX, fd, addr, opFlags, len, off, 0) : EAGAIN;
    }
    const located = this.#locate(fd, addr, opFlags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
    if (located < 0) return located;
    const res = syscall(NR_STATX, located, this.#how.address + OPEN_HOW.size, AT_EMPTY_PATH, len, off, 0);
    this.#calls.close(located);
    return res;
  }

  /** A new turn of the loop starts. */
  refill(): void {
    this.#left = AT_ONCE_MAX;
  }

  // --- Closing ------------------------------------------------------------------------------------

  /** Whether closing a descriptor may wait for a server, or the entry is marked as slow. */
  closesSlowly({ flags }: Entry, fd: number): boolean {
    if (flags & abi.SQE_ASYNC) return true;
    const type = this.#calls.fileSystem(fd);
    return type >= 0 && !LOCAL.has(type >>> 0) && !NO_FILES.has(type >>> 0);
  }

  unmap(): void {
    this.#calls.unmap();
    this.#how.unmap();
  }
}
