/** Single operations on paths and descriptors. */

import type { Loop } from '../loop/loop.js';
import { failureOf } from '../loop/operation/failure.js';
import { OperationPool } from '../loop/operation/pool.js';
import { traced } from '../loop/operation/traced.js';
import { AbortableOperation } from '../loop/waiting/abort.js';
import type { Sqe } from '../ring/sqe/index.js';
import { isInterrupted } from '../sys/abi/errno.js';
import type { UasyncError } from '../sys/errors/errors.js';
import { pathText } from './arguments.js';

type Path = string | Uint8Array;

/** One operation, for errors with up to two paths. */
export abstract class FileOperation<T> extends AbortableOperation<T> {
  protected path: Path | null = null;
  protected dest: Path | null = null;

  override get kind(): string {
    return 'File';
  }

  override get label(): string {
    return this.path === null ? this.syscall : `${this.syscall} '${pathText(this.path)}'`;
  }

  override get eager(): boolean {
    return true;
  }

  /** Whether it was interrupted, and is retried as libuv does. */
  protected isAgain(res: number): boolean {
    return isInterrupted(res) && !this.loop.closing && !this.aborted;
  }

  protected override error(res: number): UasyncError {
    const { path, dest } = this;
    return failureOf(res, this.syscall, {
      path: path === null ? undefined : pathText(path),
      dest: dest === null ? undefined : pathText(dest),
    });
  }
}

/** An operation without a class of its own. */
class OtherOperation extends FileOperation<number> {
  #syscall = '';
  #prepare: ((sqe: Sqe) => void) | null = null;

  override get syscall(): string {
    return this.#syscall;
  }

  run(syscall: string, path: Path | null, dest: Path | null, prepare: (sqe: Sqe) => void): Promise<number> {
    this.#syscall = syscall;
    this.path = path;
    this.dest = dest;
    prepare(this.loop.start(this));
    this.#prepare = prepare;
    return this.promise();
  }

  complete(res: number): void {
    if (this.isAgain(res)) {
      this.#prepare!(this.loop.start(this));
      return;
    }
    this.conclude(res, res);
    this.#prepare = null;
    this.path = null;
    this.dest = null;
    others.give(this);
  }
}

const others = new OperationPool(OtherOperation);

/** Any operation on paths, with checked arguments: `prepare` must not throw. */
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

/** Any operation on a descriptor, with checked arguments: `prepare` must not throw. */
export function onFd(loop: Loop, syscall: string, prepare: (sqe: Sqe) => void): Promise<number> {
  return others.take(loop).run(syscall, null, null, prepare);
}
