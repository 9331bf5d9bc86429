import type { Loop } from '../loop/loop.js';
import * as abi from '../ring/abi.js';
import { ENOMEM } from '../ring/errno.js';
import { Mapping } from '../ring/mapping.js';

/** Buffers that the kernel picks from when data is there, in a ring or not. */
export interface ProvidedBuffers {
  readonly entries: number;
  readonly bufferSize: number;
  /** How many of them the kernel has from the start. */
  readonly provided: number;
  /** All of them, one behind the other. */
  readonly bytes: Buffer;
  /** Where `bytes` begin. */
  readonly address: number;
  /** Gives a buffer back; the kernel has it at the latest after `publish()`. */
  recycle(id: number): void;
  publish(): void;
  /** No operation that uses the group may be in flight. */
  close(): void;
}

/** How many there are, and of which size. */
export interface LooseBuffersOptions {
  group: number;
  entries: number;
  bufferSize: number;
  provided?: number;
}

/**
 * Provided buffers that are given to the kernel by operations, one for each: for users who may not lock the page
 * that a ring of them takes. io_uring_prep_provide_buffers(3), 5.7
 */
export class LooseBuffers implements ProvidedBuffers {
  readonly entries: number;
  readonly bufferSize: number;
  readonly provided: number;
  readonly bytes: Buffer;
  readonly address: number;
  readonly #loop: Loop;
  readonly #group: number;
  readonly #mapping: Mapping;

  constructor(loop: Loop, { group, entries, bufferSize, provided = entries }: LooseBuffersOptions) {
    this.#loop = loop;
    this.#group = group;
    this.entries = entries;
    this.bufferSize = bufferSize;
    this.provided = provided;
    this.#mapping = Mapping.anonymous(entries * bufferSize);
    this.address = this.#mapping.address;
    this.bytes = Buffer.from(this.#mapping.buffer);
    this.#give(0, provided);
  }

  #give(id: number, count: number): void {
    const { bufferSize } = this;
    this.#loop
      .startUnowned()
      .prep(abi.OP_PROVIDE_BUFFERS, count, this.address + id * bufferSize, bufferSize, id)
      .bufIndex(this.#group);
  }

  recycle(id: number): void {
    this.#give(id, 1);
  }

  /** The operation goes in with the next turn, before any receive that is started after it. */
  publish(): void {}

  /** Views of the memory stay valid, and read as zeros. The kernel forgets the buffers with the ring. */
  close(): void {
    this.#mapping.discard();
  }
}

/** What cannot be locked is not put into a ring. */
export function inRingOrLoose(
  loop: Loop,
  options: LooseBuffersOptions,
  makeRing: () => ProvidedBuffers,
): ProvidedBuffers {
  try {
    return makeRing();
  } catch (error) {
    if ((error as { errno?: number }).errno !== ENOMEM) throw error;
    return new LooseBuffers(loop, options);
  }
}
