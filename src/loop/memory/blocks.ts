import { assert } from '../../sys/errors/assert.js';
import { closedError } from '../../sys/errors/errors.js';
import { Mapping } from '../../sys/memory/mapping.js';

/** The sizes of blocks, in bytes: from a chat message to a bulk transfer. */
const SIZES = [512, 4096, 16384, 65536, 262144, 1048576] as const;
/** The largest block but for what must not be cut. */
export const BLOCK_MAX = 262144;
/** The largest block. */
export const WHOLE_MAX = 1048576;
const GROW_BYTES = 256 * 1024;

/** Takes a block back. */
interface BlockOwner {
  release(block: Block): void;
}

/** A piece of runtime memory that the kernel may read or write until it is released. */
export class Block {
  readonly #address: number;
  readonly #bytes: Buffer;
  /** Whether it is in use: once released, another owner may use its memory. */
  taken = false;
  /** Its pool. */
  readonly pool: BlockOwner;
  /** Its index in the sizes. */
  readonly sizeClass: number;
  /** Its index among the registered buffers; -1 if it is not registered. */
  readonly index: number;
  #words: Uint32Array | undefined;

  constructor(address: number, bytes: Buffer, pool: BlockOwner, sizeClass: number, index = -1) {
    this.#address = address;
    this.#bytes = bytes;
    this.pool = pool;
    this.sizeClass = sizeClass;
    this.index = index;
  }

  get address(): number {
    assert(this.taken, 'A block was used after it was released');
    return this.#address;
  }

  get bytes(): Buffer {
    assert(this.taken, 'A block was used after it was released');
    return this.#bytes;
  }

  /** Marks it as in use. */
  take(): this {
    assert(!this.taken, 'A block was given to two');
    this.taken = true;
    return this;
  }

  /** Marks it as free. */
  give(): void {
    assert(this.taken, 'A block was released twice');
    this.taken = false;
  }

  /** The same memory, in 32-bit words. */
  get words(): Uint32Array {
    const { buffer, byteOffset, length } = this.bytes;
    this.#words ??= new Uint32Array(buffer, byteOffset, length / 4);
    return this.#words;
  }
}

/** Waits for a block after `acquire` found none. */
export interface BlockWaiter {
  /** A block was released, or the loop is closing: try again. It must not throw. */
  blockReleased(): void;
}

/** How full the pool is, in bytes. */
export interface BlockStats {
  /** Mapped from the system; it stays mapped. */
  mapped: number;
  /** In blocks that are in use. */
  used: number;
  /** The maximum of `mapped`. */
  limit: number;
}

/**
 * Memory that the kernel reads from and writes to. The kernel never gets memory of the user (except from the raw
 * builder): bytes are copied in before a write and out after a read. So a buffer that is collected, detached,
 * transferred or resized while its operation is in flight causes no harm, and neither does a worker that ends. The copy
 * is cheap: blocks are reused last-in first-out and stay in cache.
 */
export class BlockPool {
  readonly #limit: number;
  readonly #free: Block[][] = SIZES.map(() => []);
  readonly #mappings: Mapping[] = [];
  readonly #waiters: BlockWaiter[] = [];
  /** Whether waiters are being called, and how many remain. */
  #notifying = false;
  #unnotified = 0;
  /** The size of the largest block that has been mapped, in bytes. */
  #largest = 0;
  #closed = false;
  #mapped = 0;
  #used = 0;

  /** Makes operations whose peers do not read return their blocks. */
  readonly #onShort: () => void;

  constructor(limit: number, onShort: () => void = () => {}) {
    this.#limit = limit;
    this.#onShort = onShort;
  }

  /**
   * A block of at least `size` bytes (at most WHOLE_MAX). At the pool's limit it may be a smaller one, which means smaller
   * pieces of work, but at least `least` bytes. null when there is none: `wait` for one.
   * @throws UasyncError ERR_CLOSED once the loop is closing.
   */
  acquire(size: number, least = 0): Block | null {
    if (this.#closed) throw closedError('The loop');
    const sizeClass =
      size <= 512 ? 0 : size <= 4096 ? 1 : size <= 16384 ? 2 : size <= 65536 ? 3 : size <= BLOCK_MAX ? 4 : 5;
    const block = this.#free[sizeClass]!.pop() ?? this.#grow(sizeClass, least) ?? this.#any(sizeClass, least);
    if (block === null) return null;
    this.#used += SIZES[block.sizeClass]!;
    return block.take();
  }

  /** Returns a block; the kernel must be done with it. */
  release(block: Block): void {
    assert(block.pool === this, 'A block was released to another pool');
    block.give();
    this.#used -= SIZES[block.sizeClass]!;
    this.#free[block.sizeClass]!.push(block);
    this.#unnotified = this.#waiters.length;
    // A waiter that fails at once releases its block within this call.
    if (this.#notifying) return;
    this.#notifying = true;
    // A waiter that has given up takes none; one that needs a larger block waits on.
    while (this.#unnotified > 0 && this.#free.some(free => free.length !== 0)) {
      this.#unnotified--;
      this.#waiters.shift()!.blockReleased();
    }
    this.#notifying = false;
  }

  /** Calls `waiter` once when a block is released. Waiters are served in order. */
  wait(waiter: BlockWaiter): void {
    this.#waiters.push(waiter);
    // Blocks that are taken later check `short` themselves.
    if (this.#waiters.length === 1) this.#onShort();
  }

  /** Whether there are waiters: a block must not be kept for a peer that does not read. */
  get short(): boolean {
    return this.#waiters.length !== 0;
  }

  /** Resolves when a block is released; another caller may take it first. */
  released(): Promise<void> {
    return new Promise(blockReleased => this.wait({ blockReleased }));
  }

  #grow(sizeClass: number, least: number): Block | null {
    const size = SIZES[sizeClass]!;
    const length = Math.max(size, GROW_BYTES);
    // If every block were too small, waiting for a larger one would never end.
    if (this.#mapped + length > this.#limit && least <= this.#largest) return null;
    const mapping = this.#map(length, least);
    if (mapping === null) return null;
    this.#largest = Math.max(this.#largest, size);
    this.#mappings.push(mapping);
    this.#mapped += length;
    const free = this.#free[sizeClass]!;
    for (let at = length - size; at >= 0; at -= size) {
      free.push(new Block(mapping.address + at, Buffer.from(mapping.buffer, at, size), this, sizeClass));
    }
    return free.pop()!;
  }

  /** null if the system has no more memory, and there are blocks to wait for. */
  #map(length: number, least: number): Mapping | null {
    try {
      return Mapping.anonymous(length);
    } catch (error) {
      if (this.#mapped === 0 || least > this.#largest) throw error;
      return null;
    }
  }

  /** At the limit: a larger block, else the largest of the smaller ones. */
  #any(sizeClass: number, least: number): Block | null {
    for (let larger = sizeClass + 1; larger < SIZES.length; larger++) {
      const block = this.#free[larger]!.pop();
      if (block !== undefined) return block;
    }
    for (let smaller = sizeClass - 1; smaller >= 0 && SIZES[smaller]! >= least; smaller--) {
      const block = this.#free[smaller]!.pop();
      if (block !== undefined) return block;
    }
    return null;
  }

  /** Closes the pool: calls the waiters, which get no block. */
  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.blockReleased();
  }

  stats(): BlockStats {
    return { mapped: this.#mapped, used: this.#used, limit: this.#limit };
  }

  /** Unmaps all memory; the kernel must be done with every block. */
  unmap(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    for (const free of this.#free) free.length = 0;
    this.#mappings.length = 0;
    this.#mapped = 0;
  }
}

/** The total of several pools. */
export function sumOf(pools: BlockStats[]): BlockStats {
  const sum = { mapped: 0, used: 0, limit: 0 };
  for (const { mapped, used, limit } of pools) {
    sum.mapped += mapped;
    sum.used += used;
    sum.limit += limit;
  }
  return sum;
}
