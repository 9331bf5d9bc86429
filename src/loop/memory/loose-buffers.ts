import type { Sqe } from '../../ring/sqe/index.js';
import { Mapping } from '../../sys/memory/mapping.js';
import type { ProvidedBuffers, ProvidedBuffersOptions } from './provided-buffers.js';

/**
 * Provided buffers that are given to the kernel by operations, one each: for users who may not lock the page that a
 * buffer ring takes. io_uring_prep_provide_buffers(3), 5.7
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

  /** @param entry starts an entry whose completion is only counted. */
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

  /** The operation is submitted in the next turn, before any receive that starts after it. */
  publish(): void {}

  /** Views of the memory stay valid, and read as zeros. The kernel drops the buffers with the ring. */
  close(): void {
    this.#mapping.discard();
  }
}
