import type { Loop } from '../loop/loop.js';
import { Backoff } from './backoff.js';

/** The most that one read takes from the page cache at once: 512 KiB are 50 us. */
const MOST = 512 * 1024;

/** Reads of one open file from the page cache: what is there is copied at once, the rest is the ring's. */
export class CachedReads {
  readonly #loop: Loop;
  readonly #backoff = new Backoff();

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /**
   * Reads up to `length` bytes into `bytes[offset]`, from `position` or (-1) the current one. The number of bytes
   * where that is all there is; the complement of it where the ring must read on, or meet the error.
   */
  read(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { calls, inline } = this.#loop;
    if (length > MOST || !this.#backoff.tries || !inline.take(length)) return -1;
    for (let at = 0; ; ) {
      const from = position < 0 ? position : position + at;
      const count = calls.read(fd, bytes, offset + at, length - at, from);
      if (count < 0) {
        this.#backoff.refused();
        return ~at;
      }
      at += count;
      if (count === 0 || at === length) {
        this.#backoff.taken();
        return at;
      }
    }
  }
}
