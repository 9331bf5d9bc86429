import { markAsUntransferable } from 'node:worker_threads';
import { libc } from '../ring/libc.js';

/** Up to this size chunks are cut from the small slab. */
const SMALL = 1024;
const SMALL_SLAB = 16 * 1024;
const LARGE_SLAB = 512 * 1024;

/** Slabs die by the dozen in a garbage collection; faulting their memory in again costs more than the copy. */
const KEPT_SLABS = 16 * 1024 * 1024;
let kept = false;

function keepFreedSlabs(): void {
  kept = true;
  libc().keepFreedMemory(KEPT_SLABS);
}

/**
 * JavaScript memory that received chunks are cut from: one allocation serves many. Small chunks have
 * slabs of their own, so that one kept by the user does not pin a large one. Chunks follow each other
 * without a gap, so that those of one connection can be one.
 */
class Slab {
  readonly #size: number;
  #bytes = Buffer.alloc(0);
  #used = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** A copy of `length` bytes of `source` from `start` on. */
  copy(source: Buffer, start: number, length: number): Buffer {
    if (this.#used + length > this.#bytes.length) {
      if (this.#size === LARGE_SLAB && !kept) keepFreedSlabs();
      this.#bytes = Buffer.allocUnsafeSlow(this.#size);
      // Others have chunks of it too: nobody may take it away to another thread.
      markAsUntransferable(this.#bytes.buffer);
      this.#used = 0;
    }
    const used = this.#used;
    const bytes = this.#bytes;
    source.copy(bytes, used, start, start + length);
    this.#used = used + length;
    return bytes.subarray(used, used + length);
  }

  /** Whether the next chunk would lie right behind `last`. */
  canExtend(last: Buffer, length: number): boolean {
    return (
      last.buffer === this.#bytes.buffer &&
      last.byteOffset + last.length === this.#used &&
      this.#used + length <= this.#bytes.length
    );
  }
}

const small = new Slab(SMALL_SLAB);
const large = new Slab(LARGE_SLAB);

/**
 * A Buffer of the user's own with these bytes. If it is to follow `last`, and can lie right behind it,
 * the result is one Buffer with the bytes of both, and `last` is not needed any more.
 */
export function copyChunk(source: Buffer, start: number, length: number, last: Buffer | undefined): Buffer {
  if (last !== undefined) {
    const slab = last.length <= SMALL ? small : large;
    if (slab.canExtend(last, length)) {
      const chunk = slab.copy(source, start, length);
      return Buffer.from(chunk.buffer as ArrayBuffer, last.byteOffset, last.length + length);
    }
  }
  return (length <= SMALL ? small : large).copy(source, start, length);
}
