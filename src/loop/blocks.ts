import { Mapping } from '../ring/mapping.js';

/** The sizes of blocks, in bytes: from a chat message to a bulk transfer. */
const SIZES = [512, 4096, 16384, 65536, 262144] as const;
/** The largest block. */
export const BLOCK_MAX = 262144;
const GROW_BYTES = 256 * 1024;

/** A piece of runtime memory, the kernel's to read or write until it is released. */
export class Block {
  readonly address: number;
  readonly bytes: Buffer;
  /** Which of the sizes it has. */
  readonly sizeClass: number;

  constructor(address: number, bytes: Buffer, sizeClass: number) {
    this.address = address;
    this.bytes = bytes;
    this.sizeClass = sizeClass;
  }
}

/** Someone who was refused a block. */
export interface BlockWaiter {
  /** A block was released: try again. */
  blockReleased(): void;
}

/** How full the pool is, in bytes. */
export interface BlockStats {
  /** Mapped from the system; it stays mapped. */
  mapped: number;
  /** In blocks that are in use. */
  used: number;
  /** The bound of `mapped`. */
  limit: number;
}

/**
 * Memory that the kernel reads from and writes to. Nothing else of ours, and nothing of the user's, is
 * ever given to it: bytes are copied in before a write and out after a read. So a buffer that is
 * collected, detached, transferred or resized while its operation is in flight can do no harm, and
 * neither can a worker that ends. The copy is cheap: blocks are reused last-in first-out and stay in cache.
 */
export class BlockPool {
  readonly #limit: number;
  readonly #free: Block[][] = SIZES.map(() => []);
  readonly #mappings: Mapping[] = [];
  readonly #waiters: BlockWaiter[] = [];
  #mapped = 0;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A block of at least `size` bytes (at most BLOCK_MAX), or null when the pool is at its limit. */
  acquire(size: number): Block | null {
    const sizeClass = size <= 512 ? 0 : size <= 4096 ? 1 : size <= 16384 ? 2 : size <= 65536 ? 3 : 4;
    const block = this.#free[sizeClass]!.pop() ?? this.#grow(sizeClass);
    if (block !== null) this.#used += SIZES[sizeClass]!;
    return block;
  }

  /** Gives a block back; the kernel must be done with it. */
  release(block: Block): void {
    this.#used -= SIZES[block.sizeClass]!;
    this.#free[block.sizeClass]!.push(block);
    if (this.#waiters.length !== 0) this.#waiters.shift()!.blockReleased();
  }

  /** Has `waiter` called once when a block is released. Waiters are served in order. */
  wait(waiter: BlockWaiter): void {
    this.#waiters.push(waiter);
  }

  #grow(sizeClass: number): Block | null {
    const size = SIZES[sizeClass]!;
    const length = Math.max(size, GROW_BYTES);
    if (this.#mapped + length > this.#limit) return this.#larger(sizeClass);
    const mapping = Mapping.anonymous(length);
    this.#mappings.push(mapping);
    this.#mapped += length;
    const free = this.#free[sizeClass]!;
    for (let at = length - size; at >= 0; at -= size) {
      free.push(new Block(mapping.address + at, Buffer.from(mapping.buffer, at, size), sizeClass));
    }
    return free.pop()!;
  }

  /** At the limit, a larger block serves: the sizes do not starve each other. */
  #larger(sizeClass: number): Block | null {
    for (let larger = sizeClass + 1; larger < SIZES.length; larger++) {
      const block = this.#free[larger]!.pop();
      if (block === undefined) continue;
      this.#used += SIZES[larger]! - SIZES[sizeClass]!;
      return block;
    }
    return null;
  }

  stats(): BlockStats {
    return { mapped: this.#mapped, used: this.#used, limit: this.#limit };
  }

  /** Gives all memory back; the kernel must be done with every block. */
  unmap(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    for (const free of this.#free) free.length = 0;
    this.#mappings.length = 0;
    this.#mapped = 0;
  }
}
