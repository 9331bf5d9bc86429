/**
 * System calls that create, remove and rename paths. Each returns 0 or a negative errno, EAGAIN for a path that is too
 * long for them. On a local file system they hardly ever wait, but they may: see src/fs/inline/inline-changes.ts.
 */

import { EAGAIN } from '../abi/errno.js';
import { AT_FDCWD, AT_REMOVEDIR, RENAME_NOREPLACE } from '../abi/flags.js';
import { NR_FCHMODAT, NR_LINKAT, NR_MKDIRAT, NR_RENAMEAT2, NR_UNLINKAT } from '../abi/syscall-numbers.js';
import { PATH_MAX, putPath } from '../check/path-bytes.js';
import { libc } from '../libc/libc.js';
import { Mapping } from '../memory/mapping.js';

type Path = string | Uint8Array;

/** The calls of one thread. */
export class NameCalls {
  readonly #memory = Mapping.anonymous(2 * PATH_MAX);
  readonly #bytes = Buffer.from(this.#memory.buffer);
  readonly #one = this.#memory.address;
  readonly #other = this.#one + PATH_MAX;
  readonly #libc = libc();
  readonly #call = this.#libc.syscall;

  /** mkdir(2) */
  mkdir(path: Path, mode: number): number {
    if (!putPath(this.#bytes, 0, path)) return EAGAIN;
    return this.#call(NR_MKDIRAT, AT_FDCWD, this.#one, mode, 0, 0, 0);
  }

  /** unlink(2) */
  unlink(path: Path): number {
    if (!putPath(this.#bytes, 0, path)) return EAGAIN;
    return this.#call(NR_UNLINKAT, AT_FDCWD, this.#one, 0, 0, 0, 0);
  }

  /** rmdir(2) */
  rmdir(path: Path): number {
    if (!putPath(this.#bytes, 0, path)) return EAGAIN;
    return this.#call(NR_UNLINKAT, AT_FDCWD, this.#one, AT_REMOVEDIR, 0, 0, 0);
  }

  /** rename(2) @param replaces whether it may replace an existing path. */
  rename(from: Path, to: Path, replaces: boolean): number {
    if (!this.#two(from, to)) return EAGAIN;
    const flags = replaces ? 0 : RENAME_NOREPLACE;
    return this.#call(NR_RENAMEAT2, AT_FDCWD, this.#one, AT_FDCWD, this.#other, flags, 0);
  }

  /** link(2) */
  link(from: Path, to: Path): number {
    if (!this.#two(from, to)) return EAGAIN;
    return this.#call(NR_LINKAT, AT_FDCWD, this.#one, AT_FDCWD, this.#other, 0, 0);
  }

  /** symlink(2) */
  symlink(target: Path, path: Path): number {
    if (!this.#two(target, path)) return EAGAIN;
    return this.#libc.symlink(this.#one, AT_FDCWD, this.#other);
  }

  /** chmod(2) */
  chmod(path: Path, mode: number): number {
    if (!putPath(this.#bytes, 0, path)) return EAGAIN;
    return this.#call(NR_FCHMODAT, AT_FDCWD, this.#one, mode, 0, 0, 0);
  }

  #two(one: Path, other: Path): boolean {
    return putPath(this.#bytes, 0, one) && putPath(this.#bytes, PATH_MAX, other);
  }

  /** Unmaps the memory. */
  unmap(): void {
    this.#memory.unmap();
  }
}
