/** The single operations on paths and descriptors that files are made of. */
import type { Stats } from 'node:fs';
import { AbortableOperation } from '../loop/abort.js';
import type { Block, BlockWaiter } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { OperationPool } from '../loop/pool.js';
import * as abi from '../ring/abi.js';
import { systemError, type UasyncError } from '../ring/errors.js';
import { AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, STATX_BASIC_STATS, STATX_BTIME } from '../ring/sqe/paths.js';
import { STATX } from '../ring/structs.js';
import { pathText } from './arguments.js';
import { statsOf } from './stats.js';

/** One operation that may be about a path. */
abstract class FileOperation<T> extends AbortableOperation<T> {
  protected path: string | Uint8Array | null = null;

  override get eager(): boolean {
    return true;
  }

  protected override error(res: number): UasyncError {
    return systemError(res, this.syscall, this.path === null ? undefined : { path: pathText(this.path) });
  }
}

class OpenOperation extends FileOperation<number> {
  override get syscall(): string {
    return 'open';
  }

  run(path: string | Uint8Array, flags: number, mode: number): Promise<number> {
    this.path = path;
    const sqe = this.loop.start(this);
    const address = sqe.path('path', path);
    sqe.prep(abi.OP_OPENAT, AT_FDCWD, address, mode, 0).opFlags(flags | O_CLOEXEC);
    return this.promise();
  }

  complete(res: number): void {
    const error = this.settle(res);
    if (error === undefined) this.resolve(res);
    else this.reject(error);
    opens.give(this);
  }
}

class StatOperation extends FileOperation<Stats> implements BlockWaiter {
  #fd = -1;
  #block: Block | null = null;

  override get syscall(): string {
    return this.path === null ? 'fstat' : 'stat';
  }

  run(fd: number, path: string | Uint8Array | null): Promise<Stats> {
    this.path = path;
    this.#fd = fd;
    const promise = this.promise();
    this.blockReleased();
    return promise;
  }

  blockReleased(): void {
    try {
      this.#start();
    } catch (error) {
      this.reject(error);
    }
  }

  #start(): void {
    this.#block = this.loop.blocks.acquire(STATX.size);
    if (this.#block === null) {
      this.loop.blocks.wait(this);
      return;
    }
    const sqe = this.loop.start(this);
    const address = sqe.path('path', this.path ?? '');
    sqe
      .prep(abi.OP_STATX, this.#fd, address, STATX_BASIC_STATS | STATX_BTIME, this.#block.address)
      .opFlags(this.path === null ? AT_EMPTY_PATH : 0);
  }

  complete(res: number): void {
    const error = this.settle(res);
    const block = this.#block!;
    if (error === undefined) this.resolve(statsOf(block.bytes));
    else this.reject(error);
    this.loop.blocks.release(block);
    this.#block = null;
    stats.give(this);
  }
}

const opens = new OperationPool(OpenOperation);
const stats = new OperationPool(StatOperation);

/** Opens a path, relative to the current directory; resolves to the descriptor. open(2) */
export function openPath(
  loop: Loop,
  path: string | Uint8Array,
  flags: number,
  mode: number,
): Promise<number> {
  return opens.take(loop).run(path, flags, mode);
}

/** The attributes of an open file. fstat(2) */
export function statFd(loop: Loop, fd: number): Promise<Stats> {
  return stats.take(loop).run(fd, null);
}
