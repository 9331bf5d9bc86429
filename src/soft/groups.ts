import { CQE_BUFFER_SHIFT, CQE_F_BUF_MORE, CQE_F_BUFFER } from '../ring/abi/io-uring.js';
import { Mapping } from '../sys/memory/mapping.js';

/** The options of a group of provided buffers. */
export interface GroupOptions {
  /** A power of two. */
  entries: number;
  bufferSize: number;
  provided?: number;
  piecewise?: boolean;
}

/** Buffers that receives pick from, in the order in which they were provided. Like a BufRing, without the kernel. */
export class Group {
  readonly group: number;
  readonly entries: number;
  readonly bufferSize: number;
  readonly provided: number;
  readonly bytes: Buffer;
  readonly address: number;
  /** The same memory in 32-bit words. */
  readonly words: Int32Array;
  readonly #piecewise: boolean;
  readonly #mapping: Mapping;
  readonly #ids: Uint16Array;
  readonly #mask: number;
  #head = 0;
  #tail = 0;
  /** How many bytes of the first buffer are filled. */
  #filled = 0;

  constructor(group: number, { entries, bufferSize, provided = entries, piecewise = false }: GroupOptions) {
    this.group = group;
    this.entries = entries;
    this.bufferSize = bufferSize;
    this.provided = provided;
    this.#piecewise = piecewise;
    this.#mask = entries - 1;
    this.#ids = new Uint16Array(entries);
    this.#mapping = Mapping.anonymous(entries * bufferSize);
    this.address = this.#mapping.address;
    this.bytes = Buffer.from(this.#mapping.buffer);
    this.words = new Int32Array(this.#mapping.buffer);
    for (let id = 0; id < provided; id++) this.recycle(id);
  }

  recycle(id: number): void {
    this.#ids[this.#tail & this.#mask] = id;
    this.#tail = (this.#tail + 1) | 0;
  }

  publish(): void {}

  /** Whether there is no buffer left. */
  get empty(): boolean {
    return this.#head === this.#tail;
  }

  /** The number of buffers left. */
  get available(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** The offset in `bytes` of the next receive. */
  get start(): number {
    return this.startOf(0);
  }

  /** The offset of the `index`th buffer from now. */
  startOf(index: number): number {
    const id = this.#ids[(this.#head + index) & this.#mask]!;
    return id * this.bufferSize + (index === 0 ? this.#filled : 0);
  }

  /** The free space at `start`. */
  get room(): number {
    return this.bufferSize - this.#filled;
  }

  /** Records `length` bytes received there. Returns the flags for the completion. */
  take(length: number): number {
    const flags = (this.#ids[this.#head & this.#mask]! << CQE_BUFFER_SHIFT) | CQE_F_BUFFER;
    if (this.#piecewise) {
      this.#filled += length;
      if (this.#filled < this.bufferSize) return flags | CQE_F_BUF_MORE;
      this.#filled = 0;
    }
    this.#head = (this.#head + 1) | 0;
    return flags;
  }

  /** Views of the memory stay valid, and read as zeros. */
  close(): void {
    this.#mapping.discard();
  }
}
