import type { Block, BlockPool } from '../../loop/memory/blocks.js';
import type { Outbox } from './outbox.js';

/**
 * The copied bytes of a stream that are not in flight: in the outbox of the burst, if it has room and no other stream
 * has written after them, else in a block of their own.
 */
export class CopiedBytes {
  /** The number of bytes. */
  length = 0;
  readonly #blocks: BlockPool;
  readonly #outbox: Outbox;
  #block: Block | null = null;
  /** Their start in the outbox; 0 in a block. */
  #start = 0;

  constructor(blocks: BlockPool, outbox: Outbox) {
    this.#blocks = blocks;
    this.#outbox = outbox;
  }

  /** Memory with space for `more` bytes, starting at `end`; null if there is none. */
  room(more: number): Buffer | null {
    const block = this.#block;
    const { length } = this;
    if (block === null) {
      const outbox = this.#outbox;
      if ((length === 0 || this.#start + length === outbox.end) && outbox.fits(more)) {
        if (length === 0) this.#start = outbox.end;
        return outbox.bytes;
      }
    } else if (block.bytes.length - length >= more) return block.bytes;
    return this.keep(more) ? this.#block!.bytes : null;
  }

  /** The position of the next byte. */
  get end(): number {
    return this.#start + this.length;
  }

  /** `count` bytes were written there. */
  add(count: number): void {
    this.length += count;
    if (this.#block === null) this.#outbox.end += count;
    else if (this.length === 0) this.drop();
  }

  /** Whether some are in the outbox, where they may stay only during the burst. */
  get inOutbox(): boolean {
    return this.#block === null && this.length !== 0;
  }

  /** The address of those in the outbox. */
  get address(): number {
    return this.#outbox.address(this.#start);
  }

  /** The first `count` bytes in the outbox have been sent. */
  sent(count: number): void {
    this.#start += count;
    this.length -= count;
  }

  /** Moves them to a block with room for `more`; false if there is no memory. */
  keep(more: number): boolean {
    const size = this.length + more;
    const block = this.#blocks.acquire(size, size);
    if (block === null) return false;
    if (block.bytes.length < size) {
      this.#blocks.release(block);
      return false;
    }
    if (this.length !== 0) this.#bytes().copy(block.bytes);
    if (this.#block !== null) this.#blocks.release(this.#block);
    this.#block = block;
    this.#start = 0;
    return true;
  }

  #bytes(): Buffer {
    const memory = this.#block === null ? this.#outbox.bytes! : this.#block.bytes;
    return memory.subarray(this.#start, this.#start + this.length);
  }

  /** The block that they are in, null if there is none. It belongs to the caller from now on. */
  takeBlock(): Block | null {
    const block = this.#block;
    if (block !== null) this.#forget();
    return block;
  }

  /** Copies them to JavaScript memory; they are no longer needed here. */
  takeCopy(): Buffer {
    const copy = Buffer.from(this.#bytes());
    this.drop();
    return copy;
  }

  /** They are no longer needed. */
  drop(): void {
    const block = this.#block;
    this.#forget();
    if (block !== null) this.#blocks.release(block);
  }

  #forget(): void {
    this.#block = null;
    this.#start = 0;
    this.length = 0;
  }
}
