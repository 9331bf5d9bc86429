import type { Loop } from '../../loop/loop.js';
import type { Block } from '../../loop/memory/blocks.js';

/** The size in bytes. */
const SIZE = 65536;
/** Longer writes have their own memory. */
const WRITE_MAX = 4096;

/**
 * A shared block into which small writes are copied, one after the other, until the current burst of code is over. All
 * streams of a loop use the same one.
 */
export class Outbox {
  readonly #loop: Loop;
  #block: Block | null = null;
  /** The block's memory, if there is one. */
  bytes: Buffer | null = null;
  /** How many bytes of it are used. */
  end = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** Whether `length` more bytes fit: then write them to `bytes`, starting at `end`. */
  fits(length: number): boolean {
    if (length > WRITE_MAX) return false;
    if (this.bytes === null && !this.#open()) return false;
    return this.end + length <= this.bytes!.length;
  }

  #open(): boolean {
    const block = this.#loop.blocks.acquire(SIZE);
    if (block === null) return false;
    this.#block = block;
    this.bytes = block.bytes;
    return true;
  }

  /** The address of the byte at an offset. */
  address(at: number): number {
    return this.#block!.address + at;
  }

  /** Everything has been sent, or copied elsewhere. */
  clear(): void {
    const block = this.#block;
    this.#block = null;
    this.bytes = null;
    this.end = 0;
    if (block !== null) this.#loop.blocks.release(block);
  }
}
