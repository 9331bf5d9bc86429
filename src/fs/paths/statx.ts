/** The attributes of a path or a descriptor: statx(2). */
import type { BigIntStats, Stats } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import type { Block, BlockWaiter } from '../../loop/memory/blocks.js';
import { OperationPool } from '../../loop/operation/pool.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_DIOALIGN,
} from '../../sys/abi/flags.js';
import { STATX } from '../../sys/abi/structs.js';
import { inlineFiles } from '../inline/inline.js';
import { FileOperation } from '../operations.js';
import { bigIntStatsOf, statsOf } from '../stats.js';

/** Extracts the result from a struct statx. */
type Decode = (statx: Uint32Array) => unknown;

class StatOperation extends FileOperation<unknown> implements BlockWaiter {
  #fd = -1;
  #flags = 0;
  #mask = 0;
  #decode: Decode = statsOf;
  #block: Block | null = null;
  #signal: AbortSignal | undefined;

  override get syscall(): string {
    return this.path === null ? 'fstat' : this.#flags === 0 ? 'stat' : 'lstat';
  }

  run(
    fd: number,
    path: string | Uint8Array | null,
    flags: number,
    mask: number,
    decode: Decode,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    this.#fd = fd;
    this.path = path;
    this.#flags = flags;
    this.#mask = mask;
    this.#decode = decode;
    this.#signal = signal;
    const promise = this.promise();
    this.blockReleased();
    return promise;
  }

  blockReleased(): void {
    try {
      this.#start();
    } catch (error) {
      this.fail(error);
    }
  }

  #start(): void {
    const block = this.loop.blocks.acquire(STATX.size);
    if (block === null) {
      this.loop.blocks.wait(this);
      return;
    }
    this.#block = block;
    this.#ask(block);
    this.watch(this.#signal);
    this.#signal = undefined;
  }

  #ask({ address }: Block): void {
    this.loop.start(this).statxAt(this.#fd, this.path ?? '', this.#flags, this.#mask, address);
  }

  complete(res: number): void {
    const block = this.#block!;
    if (this.isAgain(res)) {
      this.#ask(block);
      return;
    }
    const error = this.settle(res);
    if (error !== undefined) this.fail(error);
    else this.resolve(this.#decode(block.words));
    this.loop.blocks.release(block);
    this.#block = null;
    stats.give(this);
  }
}

const stats = new OperationPool(StatOperation);

/** The fields of `fs.Stats`. */
const ALL = STATX_BASIC_STATS | STATX_BTIME;

/** The attributes of an open file. fstat(2) */
export function statFd(
  loop: Loop,
  fd: number,
  bigint: boolean,
  signal?: AbortSignal,
): Promise<Stats | BigIntStats> {
  const now = signal === undefined ? inlineFiles(loop).fstat(fd, bigint) : undefined;
  if (now !== undefined) return Promise.resolve(now);
  const decode = bigint ? bigIntStatsOf : statsOf;
  return stats.take(loop).run(fd, null, AT_EMPTY_PATH, ALL, decode, signal) as Promise<Stats | BigIntStats>;
}

/** The attributes of a path, or with `follow` false of the symbolic link itself. stat(2), lstat(2) */
export function statPath(
  loop: Loop,
  path: string | Uint8Array,
  follow: boolean,
  bigint: boolean,
  signal?: AbortSignal,
): Promise<Stats | BigIntStats> {
  try {
    const now = signal === undefined ? inlineFiles(loop).stat(path, follow, bigint) : undefined;
    if (now !== undefined) return Promise.resolve(now);
  } catch (error) {
    return Promise.reject(error);
  }
  const decode = bigint ? bigIntStatsOf : statsOf;
  const flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  return stats.take(loop).run(AT_FDCWD, path, flags, ALL, decode, signal) as Promise<Stats | BigIntStats>;
}

/** The alignment of positions in an open file with O_DIRECT, in bytes; null if it is not reported. */
export function directAlignment(loop: Loop, fd: number): Promise<number | null> {
  const run = stats.take(loop).run(fd, null, AT_EMPTY_PATH, STATX_DIOALIGN, alignmentOf, undefined);
  return run as Promise<number | null>;
}

function alignmentOf(statx: Uint32Array): number | null {
  const told = (statx[STATX.stx_mask / 4]! & STATX_DIOALIGN) !== 0;
  return told ? statx[STATX.stx_dio_offset_align / 4]! : null;
}
