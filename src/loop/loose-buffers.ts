import { Mapping } from '../ring/mapping.js';
import type { Sqe } from '../ring/sqe/index.js';
import type { ProvidedBuffers, ProvidedBuffersOptions } from './provided-buffers.js';

/**
 * Provided buffers that are given to the kernel by operations, one for each: for users who may not lock the page
 * that a ring of them takes. io_uring_prep_provide_buffers(3), 5.7
 */
export class LooseBuffers implements ProvidedBuffers {
  readonly group: number;
  readonly entries: number;
  readonly bufferSize: number;
  readonly provided: number;
  readonly bytes: Buffer;
  readonly address: number;
  readonly #entry: () => Sqe;
  readonly #mapping: Mapping;

  /** @param entry an entry whose completion is not waited for. */
  constructor(group: number, options: ProvidedBuffersOptions, entry: () => Sqe) {
    const { entries, bufferSize, provided = entries } = options;
    this.group = group;
    this.entries = entries;
    this.bufferSize = bufferSize;
    this.provided = provided;
    this.#entry = entry;
    this.#mapping = Mapping.anonymous(entries * bufferSize);
    this.address = this.#mapping.address;
    this.bytes = Buffer.from(this.#mapping.buffer);
    this.#give(0, provided);
  }

  #give(id: number, count: number): void {
    const { bufferSize, group } = this;
    this.#entry().provideBuffersAt(this.address + id * bufferSize, bufferSize, count, group, id);
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
