/** Up to this size chunks are cut from the small slab. */
const SMALL = 1024;
const SMALL_SLAB = 16 * 1024;
const LARGE_SLAB = 512 * 1024;

/**
 * JavaScript memory that received chunks are cut from: one allocation serves many. Small chunks have
 * slabs of their own, so that one kept by the user does not pin a large one.
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
      this.#bytes = Buffer.allocUnsafeSlow(this.#size);
      this.#used = 0;
    }
    const used = this.#used;
    const bytes = this.#bytes;
    source.copy(bytes, used, start, start + length);
    // 8-byte alignment lets the user lay typed arrays over a chunk.
    this.#used = (used + length + 7) & -8;
    return bytes.subarray(used, used + length);
  }
}

const small = new Slab(SMALL_SLAB);
const large = new Slab(LARGE_SLAB);

/** A Buffer of the user's own with these bytes. */
export function copyChunk(source: Buffer, start: number, length: number): Buffer {
  if (length <= SMALL) return small.copy(source, start, length);
  if (length <= LARGE_SLAB / 4) return large.copy(source, start, length);
  const chunk = Buffer.allocUnsafeSlow(length);
  source.copy(chunk, 0, start, start + length);
  return chunk;
}
