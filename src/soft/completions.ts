import type { CqeSink } from '../ring/queue/cqe.js';

/**
 * A completion queue like the kernel's, except that it grows instead of overflowing. The completions between two turns
 * are bounded by the buffers that receives pick from, and by the number of submitted entries.
 */
export class Completions {
  /** The number of posted completions, modulo 2^32. */
  posted = 0;
  #words: Int32Array;
  #mask: number;
  #head = 0;

  /** @param entries a power of two. */
  constructor(entries: number) {
    this.#words = new Int32Array(entries * 4);
    this.#mask = entries - 1;
  }

  get entries(): number {
    return this.#mask + 1;
  }

  /** The number of completions to reap. */
  get ready(): number {
    return (this.posted - this.#head) | 0;
  }

  post(low: number, high: number, res: number, flags: number): void {
    if (((this.posted - this.#head) | 0) > this.#mask) this.#grow();
    const at = (this.posted & this.#mask) << 2;
    const words = this.#words;
    words[at] = low;
    words[at + 1] = high;
    words[at + 2] = res;
    words[at + 3] = flags;
    this.posted = (this.posted + 1) | 0;
  }

  #grow(): void {
    const count = this.#mask + 1;
    const words = new Int32Array(count * 8);
    const mask = count * 2 - 1;
    for (let i = 0; i < count; i++) {
      const from = ((this.#head + i) & this.#mask) << 2;
      words.set(this.#words.subarray(from, from + 4), ((this.#head + i) & mask) << 2);
    }
    this.#words = words;
    this.#mask = mask;
  }

  /**
   * Passes all waiting completions to `sink`; returns their number. The sink may drain the queue too, and post more.
   */
  drain(sink: CqeSink): number {
    const end = this.posted;
    let count = 0;
    while (((end - this.#head) | 0) > 0) {
      const at = (this.#head & this.#mask) << 2;
      const words = this.#words;
      this.#head = (this.#head + 1) | 0;
      count++;
      sink.onCqe(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
    }
    return count;
  }
}
