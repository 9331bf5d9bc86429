/** Transfers bytes between a descriptor and a block, without a copy: the block stays the caller's. */

import type { Loop } from '../../loop/loop.js';
import type { Block } from '../../loop/memory/blocks.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { AbortableOperation } from '../../loop/waiting/abort.js';
import { isInterrupted } from '../../sys/abi/errno.js';

class BlockOperation extends AbortableOperation<number> {
  #writes = false;
  #fd = -1;
  #address = 0;
  #buffer = -1;
  #length = 0;
  #position = 0;

  override get kind(): string {
    return 'File';
  }

  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return this.#writes ? 'write' : 'read';
  }

  run(
    writes: boolean,
    fd: number,
    block: Block,
    { from, length, position }: Piece,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    this.#writes = writes;
    this.#fd = fd;
    this.#address = block.address + from;
    this.#buffer = block.index;
    this.#length = length;
    this.#position = position;
    this.#start();
    const promise = this.promise();
    this.watch(signal);
    return promise;
  }

  #start(): void {
    const sqe = this.loop.start(this);
    if (this.#writes) sqe.writeAt(this.#fd, this.#address, this.#length, this.#position, this.#buffer);
    else sqe.readAt(this.#fd, this.#address, this.#length, this.#position, this.#buffer);
  }

  complete(res: number): void {
    if (isInterrupted(res) && !this.loop.closing && !this.aborted) {
      this.#start();
      return;
    }
    this.conclude(res, res);
    operations.give(this);
  }
}

const operations = new OperationPool(BlockOperation);

/** Reads up to `length` bytes into a block; resolves to the number, 0 at the end of the file. */
export function readBlock(
  loop: Loop,
  fd: number,
  block: Block,
  length: number,
  position: number,
  signal?: AbortSignal,
): Promise<number> {
  return operations.take(loop).run(false, fd, block, { from: 0, length, position }, signal);
}

/** Writes a piece of a block; resolves to the number of bytes, which may be fewer. */
export function writeBlock(
  loop: Loop,
  fd: number,
  block: Block,
  piece: Piece,
  signal?: AbortSignal,
): Promise<number> {
  return operations.take(loop).run(true, fd, block, piece, signal);
}

/** A part of a block, and its place in the file. */
interface Piece {
  /** Its start in the block. */
  from: number;
  /** Its length in bytes. */
  length: number;
  position: number;
}
