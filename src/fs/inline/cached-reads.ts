/** Reads from the page cache, by plain calls that do not wait. */
import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { EOPNOTSUPP } from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import { Backoff } from './backoff.js';
import { briefCalls } from './brief-calls.js';
import { type Device, devicesOf } from './devices.js';

const { S_IFMT, S_IFREG } = constants;

/** The maximum that one read takes from the page cache at once: 512 KiB take 50 us. */
const MOST = 512 * 1024;

/** Reads of one open file from the page cache. Cached bytes are copied at once; the ring reads the rest. */
export class CachedReads {
  readonly #loop: Loop;
  readonly #backoff = new Backoff();
  /** The device of a file that is all in memory: tmpfs does not support non-blocking reads. */
  #memory: Device | null = null;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /**
   * Reads up to `length` bytes into `bytes[offset]`, at `position` or (-1) the current one. Returns the number of bytes
   * if no more are available; its complement if the ring must continue, or meet the error.
   */
  read(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { calls, inline } = this.#loop;
    if (this.#memory !== null) return this.#readMemory(this.#memory, fd, bytes, offset, length, position);
    if (length > MOST || !this.#backoff.tries || !inline.take(length)) return -1;
    for (let at = 0; ; ) {
      const from = position < 0 ? position : position + at;
      const count = calls.read(fd, bytes, offset + at, length - at, from);
      if (count < 0) {
        if (count === EOPNOTSUPP && at === 0) this.#memory = this.#inMemory(fd);
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

  #inMemory(fd: number): Device | null {
    const device = devicesOf(this.#loop).local(fd);
    // The device nodes in /dev are on a tmpfs too, but a read of a device may wait for ever.
    const isFile = (this.#loop.calls.statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFREG;
    return device?.inMemory && isFile ? device : null;
  }

  /** Waits only for pages that were swapped out. */
  #readMemory(
    device: Device,
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const brief = briefCalls(this.#loop);
    if (length > MOST || !brief.begin(device, 0, length)) return -1;
    let at = 0;
    let count = 0;
    do {
      const from = position < 0 ? position : position + at;
      count = this.#loop.calls.read(fd, bytes, offset + at, length - at, from, 0);
      if (count > 0) at += count;
    } while (count > 0 && at < length);
    brief.end(device);
    return count < 0 ? ~at : at;
  }
}
