/** `writeFile` of a path as one submission. */

import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import type { Block } from '../../loop/memory/blocks.js';
import { BLOCK_MAX } from '../../loop/memory/blocks.js';
import { failureOf } from '../../loop/operation/failure.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { registeredFile } from '../../ring/sqe/file-ref.js';
import { checkThere, writeBytesTo } from '../content.js';
import { DirectFile, hasDirect } from '../handle/direct-files.js';
import { allowWaiting } from '../io-wq.js';
import { FileChain } from './chain.js';

type Path = string | Uint8Array;

const NO_BYTES = new Uint8Array(0);

class WriteFileOperation extends FileChain<void> {
  #bytes: Uint8Array = NO_BYTES;
  #length = 0;
  /** The number of bytes when the call was made. */
  #total = 0;
  #flags = 0;
  #mode = 0;

  override get syscall(): string {
    return 'write';
  }

  protected override get blockSize(): number {
    return this.#length;
  }

  protected override get blockLeast(): number {
    return this.appends ? this.#total : 0;
  }

  /** Whether it writes at the end of the file: in one piece, which others that append do not split. */
  protected get appends(): boolean {
    return (this.#flags & constants.O_APPEND) !== 0;
  }

  run(path: Path, flags: number, mode: number, bytes: Uint8Array): Promise<void> {
    this.#bytes = bytes;
    this.#total = bytes.length;
    this.#length = bytes.length;
    this.#flags = flags;
    this.#mode = mode;
    return this.begin(path);
  }

  protected override start({ address, bytes }: Block): void {
    // At the memory limit the block may be a smaller one.
    checkThere(this.#bytes, this.#total);
    this.#length = Math.min(this.#total, bytes.length);
    bytes.set(this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length));
    // A FIFO that is opened for writing must wait for its reader, and creating a file waits anyway.
    this.open(this.#flags, this.#mode, 1).async();
    const write = this.loop.start(this.first).writeAt(registeredFile(this.file), address, this.#length, -1);
    // A non-blocking attempt may write a part of it.
    if (this.appends) write.async();
  }

  protected override used(): void {
    const count = this.first.moved;
    if (count < 0 || count === this.#total) {
      this.close();
      return;
    }
    this.resolve(writeOn(this.loop, this.file, this.#bytes.subarray(0, this.#total), count) as never);
    this.file = -1;
    this.end();
  }

  protected override closed(): void {
    const count = this.first.res;
    if (count < 0) throw failureOf(count, 'write');
    this.resolve();
  }

  protected override giveBack(): void {
    this.#bytes = NO_BYTES;
    pool.give(this);
  }
}

const pool = new OperationPool(WriteFileOperation);

/**
 * Writes a file at `path`, with open flags that have O_WRONLY. null if that needs an ordinary descriptor: the bytes do
 * not fit a block, or the kernel has no registered files.
 */
export function writePath(
  loop: Loop,
  path: Path,
  flags: number,
  mode: number,
  bytes: Uint8Array,
): Promise<void> | null {
  if (bytes.length > BLOCK_MAX || bytes.length === 0) return null;
  allowWaiting(loop);
  return hasDirect(loop) ? pool.take(loop).run(path, flags, mode, bytes) : null;
}

/** Writes the rest of a short write, or meets its error, and closes the file. */
async function writeOn(loop: Loop, index: number, bytes: Uint8Array, from: number): Promise<void> {
  const file = new DirectFile(loop, index);
  try {
    const write = (rest: Uint8Array, offset: number, length: number): Promise<number> =>
      file.write(rest, offset, length, from + offset);
    await writeBytesTo(write, bytes.subarray(from), undefined);
  } finally {
    await file.close();
  }
}
