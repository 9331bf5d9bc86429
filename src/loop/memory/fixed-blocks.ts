import { closedError } from '../../sys/errors/errors.js';
import { Mapping } from '../../sys/memory/mapping.js';
import { BLOCK_MAX, Block, type BlockStats } from './blocks.js';

/** A table of memory that is registered in advance. */
export interface BufferTable {
  /** The index of this memory in the table, or -1 if there is no room: operations then use its address. */
  add(memory: Mapping): number;
}

/** The number of blocks of a pool, registered or not. */
const COUNT = 16;
/** All blocks have the same size. */
const NO_CLASS = -1;

/**
 * A few blocks of BLOCK_MAX bytes whose pages the kernel knows, as registered buffers. Without them O_DIRECT looks up
 * and pins the pages of each transfer, which is a third of the CPU time of large ones.
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

  /** A block; null when all are in use, or the system has no memory for another. It may be an ordinary one, if the kernel registers no more. */
  acquire(): Block | null {
    const block = this.#free.pop() ?? this.#make();
    if (block === null) return null;
    this.#used += BLOCK_MAX;
    return block.take();
  }

  #make(): Block | null {
    if (this.#closed) throw closedError('The loop');
    if (this.#mappings.size === COUNT) return null;
    const mapping = mappedIfPossible();
    if (mapping === null) return null;
    const index = this.#table.add(mapping);
    const block = new Block(mapping.address, Buffer.from(mapping.buffer), this, NO_CLASS, index);
    this.#mappings.set(block, mapping);
    return block;
  }

  /** Returns a block; the kernel must be done with it. */
  release(block: Block): void {
    // A user that has seen the block may have taken it away by `ArrayBuffer.transfer`.
    const lost = block.bytes.length === 0;
    block.give();
    this.#used -= BLOCK_MAX;
    if (!lost) this.#free.push(block);
  }

  stats(): BlockStats {
    return { mapped: this.#mappings.size * BLOCK_MAX, used: this.#used, limit: COUNT * BLOCK_MAX };
  }

  /**
   * Unmaps all memory; the kernel must be done with every block.
   * @param seen whether users have views of it: then its addresses stay reserved, and a block that a user has right now
   * keeps its contents.
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

function mappedIfPossible(): Mapping | null {
  try {
    return Mapping.anonymous(BLOCK_MAX);
  } catch {
    return null;
  }
}
