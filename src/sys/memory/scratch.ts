import { closedError } from '../errors/errors.js';
import { Mapping } from './mapping.js';

const CHUNK_BYTES = 64 * 1024;
const ALIGN = 8;

interface Chunk {
  mapping: Mapping;
  bytes: Buffer;
}

function newChunk(): Chunk {
  const mapping = Mapping.anonymous(CHUNK_BYTES);
  return { mapping, bytes: Buffer.from(mapping.buffer) };
}

/**
 * Memory that the kernel copies while it takes an SQE: paths, socket addresses, timespecs, iovecs
 * (IORING_FEAT_SUBMIT_STABLE, 5.5). It is allocated front to back, and all of it is freed at once when the kernel has
 * consumed the submission queue.
 */
export class Scratch {
  readonly #chunks: Chunk[] = [newChunk()];
  #chunk = 0;
  #used = 0;
  /** The chunk of the last `alloc`; `start` is the offset in it. */
  bytes: Buffer = this.#chunks[0]!.bytes;
  start = 0;
  /** While above 0 nothing is freed: an entry is being prepared outside the queue. */
  holds = 0;

  /** Reserves up to 64 KiB, 8-byte aligned, at `bytes[start]`; returns the address. Contents are stale. */
  alloc(length: number): number {
    if (this.#used + length > CHUNK_BYTES) this.#nextChunk();
    this.start = this.#used;
    this.#used = (this.#used + length + ALIGN - 1) & -ALIGN;
    return this.#chunks[this.#chunk]!.mapping.address + this.start;
  }

  #nextChunk(): void {
    if (this.#chunks.length === 0) throw closedError('The ring');
    // First, as it may fail.
    if (this.#chunk + 1 === this.#chunks.length) this.#chunks.push(newChunk());
    this.#chunk++;
    this.#use();
  }

  #use(): void {
    this.bytes = this.#chunks[this.#chunk]!.bytes;
    this.#used = 0;
  }

  /** Frees everything, unless it is held. Only allowed when no unconsumed SQE points here. */
  reset(): void {
    if (this.holds !== 0) return;
    this.#used = 0;
    if (this.#chunk !== 0) {
      this.#chunk = 0;
      this.#use();
    }
  }

  unmap(): void {
    for (const chunk of this.#chunks) chunk.mapping.unmap();
    this.#chunks.length = 0;
    this.bytes = Buffer.alloc(0);
    this.#used = CHUNK_BYTES;
  }
}
