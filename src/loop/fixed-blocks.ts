import { closedError } from '../ring/errors.js';
import { mayRegister } from '../ring/locked-memory.js';
import { Mapping } from '../ring/mapping.js';
import type { Ring } from '../ring/ring.js';
import { BLOCK_MAX, Block, type BlockStats } from './blocks.js';

/** Places in the ring's table of registered buffers, 2 MiB of them. `mayRegister` bounds them further. */
const PLACES = 8;
/** Blocks of one pool, registered or not. */
const COUNT = 16;
/** They are all of one size. */
const NO_CLASS = -1;

/** The ring's table of registered buffers, made when it is first needed. */
export class BufferTable {
  readonly #ring: Ring;
  #used = -1;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /**
   * The place of this memory in the table. -1 if it is full, if the user may lock little more memory, or on a
   * kernel without such tables (before 5.19).
   */
  add(memory: Mapping): number {
    if (this.#used === PLACES || !mayRegister(memory.length)) return -1;
    try {
      if (this.#used < 0) {
        this.#ring.registerBuffersSparse(PLACES);
        this.#used = 0;
      }
      this.#ring.updateBuffers(this.#used, [new Uint8Array(memory.buffer)]);
      return this.#used++;
    } catch {
      return -1;
    }
  }
}

/**
 * A few blocks of BLOCK_MAX bytes whose pages the kernel knows, as registered buffers: with O_DIRECT, which
 * would look them up and pin them each time, that spares a third of the CPU time of large transfers.
 */
export class FixedBlocks {
  readonly #table: BufferTable;
  readonly #mappings = new Map<Block, Mapping>();
  readonly #free: Block[] = [];
  #used = 0;
  #closed = false;

  constructor(table: BufferTable) {
    this.#table = table;
  }

  /** A block; null when all are in use. It may be an ordinary one, if the kernel does not take more. */
  acquire(): Block | null {
    const block = this.#free.pop() ?? this.#make();
    if (block !== null) this.#used += BLOCK_MAX;
    return block;
  }

  #make(): Block | null {
    if (this.#closed) throw closedError('The loop');
    if (this.#mappings.size === COUNT) return null;
    const mapping = Mapping.anonymous(BLOCK_MAX);
    const index = this.#table.add(mapping);
    const block = new Block(mapping.address, Buffer.from(mapping.buffer), this, NO_CLASS, index);
    this.#mappings.set(block, mapping);
    return block;
  }

  /** Gives a block back; the kernel must be done with it. */
  release(block: Block): void {
    this.#used -= BLOCK_MAX;
    // One that a user has seen may have been taken away by `ArrayBuffer.transfer`.
    if (block.bytes.length !== 0) this.#free.push(block);
  }

  stats(): BlockStats {
    return { mapped: this.#mappings.size * BLOCK_MAX, used: this.#used, limit: COUNT * BLOCK_MAX };
  }

  /**
   * Gives all memory back; the kernel must be done with every block.
   * @param seen whether users have views of it: its addresses then stay taken, and what a user has a block
   * of right now stays as it is.
   */
  unmap(seen: boolean): void {
    this.#closed = true;
    for (const [block, mapping] of this.#mappings) {
      if (!seen) mapping.unmap();
      else if (this.#free.includes(block)) mapping.discard();
    }
    this.#mappings.clear();
    this.#free.length = 0;
  }
}
