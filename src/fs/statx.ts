/** What a path or a descriptor is: statx(2). */
import type { BigIntStats, Stats } from 'node:fs';
import type { Block, BlockWaiter } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { OperationPool } from '../loop/pool.js';
import * as abi from '../ring/abi.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from '../ring/sqe/paths.js';
import { STATX } from '../ring/structs.js';
import { FileOperation } from './operations.js';
import { bigIntStatsOf, statsOf } from './stats.js';

class StatOperation extends FileOperation<Stats | BigIntStats> implements BlockWaiter {
  #fd = -1;
  #flags = 0;
  #bigint = false;
  #block: Block | null = null;

  override get syscall(): string {
    return this.path === null ? 'fstat' : this.#flags === 0 ? 'stat' : 'lstat';
  }

  run(
    fd: number,
    path: string | Uint8Array | null,
    flags: number,
    bigint: boolean,
  ): Promise<Stats | BigIntStats> {
    this.#fd = fd;
    this.path = path;
    this.#flags = flags;
    this.#bigint = bigint;
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
    const block = this.loop.blocks.acquire(STATX.size);
    if (block === null) {
      this.loop.blocks.wait(this);
      return;
    }
    this.#block = block;
    const sqe = this.loop.start(this);
    const address = sqe.path('path', this.path ?? '');
    sqe
      .prep(abi.OP_STATX, this.#fd, address, STATX_BASIC_STATS | STATX_BTIME, block.address)
      .opFlags(this.#flags);
  }

  complete(res: number): void {
    const error = this.settle(res);
    const block = this.#block!;
    if (error !== undefined) this.reject(error);
    else this.resolve(this.#bigint ? bigIntStatsOf(block.words) : statsOf(block.words));
    this.loop.blocks.release(block);
    this.#block = null;
    stats.give(this);
  }
}

const stats = new OperationPool(StatOperation);

/** The attributes of an open file. fstat(2) */
export function statFd(loop: Loop, fd: number, bigint: boolean): Promise<Stats | BigIntStats> {
  return stats.take(loop).run(fd, null, AT_EMPTY_PATH, bigint);
}

/** The attributes of a path, or with `follow` false of the symbolic link that it is. stat(2), lstat(2) */
export function statPath(
  loop: Loop,
  path: string | Uint8Array,
  follow: boolean,
  bigint: boolean,
): Promise<Stats | BigIntStats> {
  return stats.take(loop).run(AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, bigint);
}
