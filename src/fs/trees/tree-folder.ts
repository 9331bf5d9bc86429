/**
 * An open directory of a tree. A process has few descriptors, so in a deep tree a directory gives its own up while one
 * below it is in turn, and is opened again as the parent of that.
 */
import { EBADF, isInterrupted } from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import { directoryCalls, Names } from '../../sys/calls/directory-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import type { Folder } from '../inline/walk.js';

/** How many directories above each other keep their descriptors. */
const HELD_MAX = 24;

let dots: { self: Names; parent: Names } | undefined;

/** Names that each directory has; made on first use, because an address needs koffi. */
function dotNames(): { self: Names; parent: Names } {
  dots ??= { self: Names.of('.'), parent: Names.of('..') };
  return dots;
}

const IDENTITY = [STATX.stx_ino, STATX.stx_ino + 4, STATX.stx_dev_major, STATX.stx_dev_minor];

export class TreeFolder implements Folder {
  readonly #depth: number;
  readonly path: string;
  #fd: number;
  /** What tells it from other directories, while it has no descriptor. */
  #identity: string | undefined;

  /** @param parent undefined for what is above the tree: it keeps its descriptor. */
  constructor(fd: number, path: string, parent?: TreeFolder) {
    this.#fd = fd;
    this.path = path;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
  }

  /** -1 if it could not be opened again. */
  get fd(): number {
    return this.#fd;
  }

  /** Whether `yieldTo` closes its descriptor: nothing else may use that. */
  get yields(): boolean {
    return this.#depth >= HELD_MAX;
  }

  /** Gives its descriptor up, if it yields, and if there is a way back from the directory `below` it. */
  yieldTo(below: number): void {
    if (!this.yields) return;
    const calls = directoryCalls();
    const back = openParent(below);
    if (back < 0) return;
    const identity = identify(this.#fd);
    const isSame = identity !== undefined && identify(back) === identity;
    calls.close(back);
    if (!isSame) return;
    calls.close(this.#fd);
    this.#fd = -1;
    this.#identity = identity;
  }

  /** Opens it again, if it has yielded. Its listing starts again. Throws if that is not possible. */
  resume(below: TreeFolder): void {
    if (this.#identity === undefined || below.fd < 0) return;
    const calls = directoryCalls();
    const fd = openParent(below.fd);
    const isSame = fd >= 0 && identify(fd) === this.#identity;
    this.#identity = undefined;
    if (isSame) {
      this.#fd = fd;
      return;
    }
    if (fd >= 0) calls.close(fd);
    throw systemError(Math.min(fd, 0) || EBADF, 'scandir', { path: this.path });
  }

  close(): void {
    if (this.#fd >= 0) directoryCalls().close(this.#fd);
    this.#fd = -1;
  }
}

function openParent(fd: number): number {
  let parent: number;
  do parent = directoryCalls().openDirectoryWaiting(fd, dotNames().parent.name);
  while (isInterrupted(parent));
  return parent;
}

function identify(fd: number): string | undefined {
  const calls = directoryCalls();
  let failed: number;
  do failed = calls.stat(fd, dotNames().self.name);
  while (isInterrupted(failed));
  if (failed !== 0) return undefined;
  return IDENTITY.map(at => calls.statx[at / 4]).join();
}
