/**
 * Changes of names, and new files, made at once by plain system calls on local file systems, where they hardly ever
 * wait: if the directories of the path are in the dentry cache, the device has been fast, and the system is far from
 * throttling writers.
 *
 * Each function returns `undefined` if the backend must do it.
 */
import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { perLoop } from '../../loop/per-loop.js';
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EISDIR,
  EMLINK,
  ENOENT,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import { type FileCalls, LOOKUP_ERRORS } from '../../sys/calls/file-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import { MODE_BITS, pathText } from '../arguments.js';
import { Backoff } from './backoff.js';
import { briefCalls, DIRTIED } from './brief-calls.js';
import { Device, devicesOf } from './devices.js';
import { FREED_MAX, InlineWrites } from './inline-writes.js';

type Path = string | Uint8Array;

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;
const { S_IFMT, S_IFREG } = constants;
/** Flags with which a file is opened or created at once. */
const FLAGS = O_RDONLY | O_WRONLY | O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_TRUNC;

/** Definite errors of these calls. */
const FINAL = new Set([...LOOKUP_ERRORS, EPERM, EEXIST, EISDIR, EBUSY, EXDEV, EROFS, EMLINK, ENOTEMPTY]);

/** The cost of a change, as the number of bytes that could be copied in the same time. */
const COST = 64 * 1024;

const NOWHERE = new Device();

/** The directory of a path's last component; '' if it has none. */
function folderOf(path: Path): string {
  if (typeof path !== 'string') return '';
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 47) end--;
  const at = path.lastIndexOf('/', end - 1);
  if (at > 0) return path.slice(0, at);
  return at === 0 ? '/' : path === '' ? '' : '.';
}

class InlineChanges {
  readonly #loop: Loop;
  readonly #calls: FileCalls;
  readonly #backoff = new Backoff();
  /** The device of the path that was looked up last. */
  #device = NOWHERE;
  /** Whether the file opened last has O_NONBLOCK. */
  #nonblocking = false;
  /** The number of bytes that `writeFile` has written. */
  written = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
    this.#calls = loop.calls;
  }

  mkdir(path: Path, mode: number): true | undefined {
    if (!this.#mayMake(path)) return undefined;
    return this.#ended(this.#loop.nameCalls.mkdir(path, mode), 'mkdir', path);
  }

  symlink(target: Path, path: Path): true | undefined {
    if (!this.#mayMake(path)) return undefined;
    return this.#ended(this.#loop.nameCalls.symlink(target, path), 'symlink', target, path);
  }

  unlink(path: Path): true | undefined {
    if (!this.#tries() || !this.#mayFree(path) || !this.#begin()) return undefined;
    return this.#ended(this.#loop.nameCalls.unlink(path), 'unlink', path);
  }

  chmod(path: Path, mode: number): true | undefined {
    if (!this.#tries() || !this.#isCached(this.#look(path, true)) || this.#isCopied()) return undefined;
    if (!this.#begin()) return undefined;
    return this.#ended(this.#loop.nameCalls.chmod(path, mode), 'chmod', path);
  }

  rmdir(path: Path): true | undefined {
    if (!this.#tries() || !this.#mayFree(path) || !this.#begin()) return undefined;
    return this.#ended(this.#loop.nameCalls.rmdir(path), 'rmdir', path);
  }

  link(from: Path, to: Path): true | undefined {
    if (!this.#tries() || !this.#isCached(this.#look(from, false)) || this.#isCopied()) return undefined;
    if (!this.#mayMake(to)) return undefined;
    return this.#ended(this.#loop.nameCalls.link(from, to), 'link', from, to);
  }

  rename(from: Path, to: Path): true | undefined {
    // ext4 starts to write a file that replaces another.
    if (!this.#tries() || !this.#isCached(this.#look(from, false)) || this.#isLarge()) return undefined;
    const found = this.#look(to, false);
    const replaces = found === 0;
    if (replaces ? this.#isLarge() || !this.#begin() : !this.#mayMake(to)) return undefined;
    const failed = this.#loop.nameCalls.rename(from, to, replaces);
    // The target was not looked up: the backend must decide.
    return this.#ended(failed < 0 && !replaces ? EAGAIN : failed, 'rename', from, to);
  }

  /** Opens or creates a regular file; returns its descriptor. */
  open(path: Path, flags: number, mode: number): number | undefined {
    const fd = this.#open(path, flags, mode);
    if (fd !== undefined) this.settle(fd, flags);
    return fd;
  }

  /** Clears O_NONBLOCK on a file that `writeFile` has opened. */
  settle(fd: number, flags: number): void {
    if (this.#nonblocking) this.#calls.setFlags(fd, flags & O_APPEND);
  }

  /**
   * Opens a file, writes as much as possible at once, and closes it if that is everything: then true. If not, its
   * descriptor, for `settle`; `written` has the number of bytes written.
   */
  writeFile(path: Path, flags: number, mode: number, bytes: Uint8Array): number | true | undefined {
    const fd = this.#open(path, flags, mode);
    if (fd === undefined) return undefined;
    const writes = new InlineWrites(this.#loop, this.#device, flags);
    this.written = writes.write(fd, bytes, 0, bytes.length, -1);
    return this.written === bytes.length && writes.close(fd) ? true : fd;
  }

  #open(path: Path, flags: number, mode: number): number | undefined {
    if ((flags & ~FLAGS) !== 0 || !this.#tries()) return undefined;
    const brief = briefCalls(this.#loop);
    for (let tries = 0; tries < 2; tries++) {
      const found = (flags & O_EXCL) !== 0 ? EAGAIN : this.#look(path, (flags & O_NOFOLLOW) === 0);
      if (found === 0) return this.#openFound(path, flags, mode);
      // If a file may be created, errors come in another order: the call itself must decide.
      if (found !== EAGAIN && found !== ENOENT) return undefined;
      if ((flags & O_CREAT) === 0 || !this.#mayMake(path)) return undefined;
      const fd = this.#calls.openAny(path, flags | O_EXCL, mode & MODE_BITS);
      brief.end(this.#device);
      this.#nonblocking = false;
      if (fd >= 0) return fd;
      if (fd !== EEXIST) return undefined;
      if ((flags & O_EXCL) !== 0) throw systemError(fd, 'open', { path: pathText(path) });
      // It is cached now, and can be looked up.
    }
    return undefined;
  }

  /** Opens what was looked up. If it has become a FIFO meanwhile, this does not wait. */
  #openFound(path: Path, flags: number, mode: number): number | undefined {
    const calls = this.#calls;
    const device = this.#device;
    if (!this.#isRegular()) return undefined;
    if ((device.copiesUp || (flags & O_TRUNC) !== 0) && this.#isLarge()) return undefined;
    if (!this.#begin()) return undefined;
    const fd = calls.openAny(path, flags | O_NONBLOCK, mode & MODE_BITS);
    briefCalls(this.#loop).end(device);
    if (fd < 0) {
      if (LOOKUP_ERRORS.has(fd)) throw systemError(fd, 'open', { path: pathText(path) });
      return undefined;
    }
    this.#nonblocking = true;
    return fd;
  }

  /** Whether a lookup is worthwhile. */
  #tries(): boolean {
    return this.#loop.inline.writes && this.#backoff.tries;
  }

  /** Looks a path up in the dentry cache: 0, a definite error, or EAGAIN, also where changes may wait now. */
  #look(path: Path, follow: boolean): number {
    const calls = this.#calls;
    const fd = calls.locate(path, follow);
    if (fd < 0) return LOOKUP_ERRORS.has(fd) ? fd : EAGAIN;
    const device = devicesOf(this.#loop).local(fd);
    calls.close(fd);
    // Lookups for calls that are refused in the end are skipped for a while.
    if (device === null || !device.defers || briefCalls(this.#loop).isSlow(device)) return EAGAIN;
    this.#device = device;
    return 0;
  }

  /** Whether a lookup has succeeded; if not, later ones become rarer. */
  #isCached(found: number): boolean {
    if (found === 0) {
      this.#backoff.taken();
      return true;
    }
    this.#backoff.refused();
    return false;
  }

  /** Whether a name may be created now: its directory is cached. The call must follow. */
  #mayMake(path: Path): boolean {
    if (!this.#tries()) return false;
    const folder = folderOf(path);
    return folder !== '' && this.#isCached(this.#look(folder, true)) && this.#begin();
  }

  /** Whether a name may be removed: its file is cached, and little is freed. */
  #mayFree(path: Path): boolean {
    return this.#isCached(this.#look(path, false)) && !this.#isLarge();
  }

  #begin(): boolean {
    return briefCalls(this.#loop).begin(this.#device, DIRTIED, COST);
  }

  #isRegular(): boolean {
    return (this.#calls.statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFREG;
  }

  /** Whether the file takes long to free or to copy. */
  #isLarge(): boolean {
    const { statx } = this.#calls;
    return statx[STATX.stx_size / 4 + 1]! !== 0 || statx[STATX.stx_size / 4]! > FREED_MAX;
  }

  /** Whether any change of the file may first copy all of it, and it is large. */
  #isCopied(): boolean {
    return this.#device.copiesUp && this.#isLarge();
  }

  /** Handles the result of a call. */
  #ended(failed: number, syscall: string, path: Path, dest?: Path): true | undefined {
    briefCalls(this.#loop).end(this.#device);
    if (failed === 0) return true;
    if (!FINAL.has(failed)) return undefined;
    throw systemError(failed, syscall, {
      path: pathText(path),
      dest: dest === undefined ? undefined : pathText(dest),
    });
  }
}

/** The changes that a loop makes at once. */
export const inlineChanges = perLoop(loop => new InlineChanges(loop));
