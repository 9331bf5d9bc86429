import type { Block } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';

/** Its size in bytes. */
const SIZE = 65536;
/** Longer writes have memory of their own. */
const WRITE_MAX = 4096;

/**
 * Where small writes are copied to, one behind the other, until the burst of code that makes them is over: one block
 * for all streams.
 */
export class Outbox {
  readonly #loop: Loop;
  #block: Block | null = null;
  /** Its memory, while there is a block. */
  bytes: Buffer | null = null;
  /** How much of it is used. */
  end = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** Whether `length` more bytes fit. `bytes` is their memory then, from `end` on. */
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

  /** Where the kernel finds the byte at an offset. */
  address(at: number): number {
    return this.#block!.address + at;
  }

  /** All of it has been sent, or kept elsewhere. */
  clear(): void {
    const block = this.#block;
    this.#block = null;
    this.bytes = null;
    this.end = 0;
    if (block !== null) this.#loop.blocks.release(block);
  }
}
