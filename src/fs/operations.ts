/** The single operations on paths and descriptors that files are made of. */
import { AbortableOperation } from '../loop/abort.js';
import type { Loop } from '../loop/loop.js';
import { OperationPool } from '../loop/pool.js';
import { traced } from '../loop/traced.js';
import * as abi from '../ring/abi.js';
import { systemError, type UasyncError } from '../ring/errors.js';
import { O_CLOEXEC } from '../ring/flags.js';
import type { Sqe } from '../ring/sqe/index.js';
import { AT_FDCWD } from '../ring/sqe/paths.js';
import { pathText } from './arguments.js';
import { allowWaiting } from './workers.js';

type Path = string | Uint8Array;

/** One operation that may be about a path, or about two. */
export abstract class FileOperation<T> extends AbortableOperation<T> {
  protected path: Path | null = null;
  protected dest: Path | null = null;

  override get eager(): boolean {
    return true;
  }

  protected override error(res: number): UasyncError {
    const { path, dest } = this;
    return systemError(res, this.syscall, {
      path: path === null ? undefined : pathText(path),
      dest: dest === null ? undefined : pathText(dest),
    });
  }
}

class OpenOperation extends FileOperation<number> {
  override get syscall(): string {
    return 'open';
  }

  run(path: Path, flags: number, mode: number): Promise<number> {
    this.path = path;
    const sqe = this.loop.start(this);
    const address = sqe.path('path', path);
    // Tried at once, it would be opened with O_NONBLOCK: a FIFO must wait for its other end.
    sqe
      .prep(abi.OP_OPENAT, AT_FDCWD, address, mode, 0)
      .opFlags(flags | O_CLOEXEC)
      .async();
    return this.promise();
  }

  complete(res: number): void {
    this.conclude(res, res);
    opens.give(this);
  }
}

/** An operation that is not worth a class of its own. */
class OtherOperation extends FileOperation<number> {
  #syscall = '';

  override get syscall(): string {
    return this.#syscall;
  }

  run(syscall: string, path: Path | null, dest: Path | null, prepare: (sqe: Sqe) => void): Promise<number> {
    this.#syscall = syscall;
    this.path = path;
    this.dest = dest;
    prepare(this.loop.start(this));
    return this.promise();
  }

  complete(res: number): void {
    this.conclude(res, res);
    this.path = null;
    this.dest = null;
    others.give(this);
  }
}

const opens = new OperationPool(OpenOperation);
const others = new OperationPool(OtherOperation);

/** Opens a path, relative to the current directory; resolves to the descriptor. open(2) */
export async function openPath(loop: Loop, path: Path, flags: number, mode: number): Promise<number> {
  allowWaiting(loop);
  try {
    return await opens.take(loop).run(path, flags, mode);
  } catch (error) {
    throw traced(error);
  }
}

/** Any operation on paths, whose arguments have been checked: `prepare` must not throw. */
export async function onPath(
  loop: Loop,
  syscall: string,
  path: Path,
  dest: Path | null,
  prepare: (sqe: Sqe) => void,
): Promise<number> {
  try {
    return await others.take(loop).run(syscall, path, dest, prepare);
  } catch (error) {
    throw traced(error);
  }
}

/** Any operation on a descriptor, whose arguments have been checked: `prepare` must not throw. */
export function onFd(loop: Loop, syscall: string, prepare: (sqe: Sqe) => void): Promise<number> {
  return others.take(loop).run(syscall, null, null, prepare);
}
