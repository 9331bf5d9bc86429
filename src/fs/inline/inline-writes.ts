/** Buffered writes to one open file, made at once where they hardly ever wait. */
import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { EINVAL, EOPNOTSUPP } from '../../sys/abi/errno.js';
import { RWF_NOWAIT } from '../../sys/abi/flags.js';
import { STATX } from '../../sys/abi/structs.js';
import { Backoff } from './backoff.js';
import { briefCalls } from './brief-calls.js';
import { type Device, devicesOf } from './devices.js';

const { O_APPEND, O_DIRECT, O_DSYNC, O_SYNC, S_IFMT, S_IFREG } = constants;

/** The maximum size of one write call, which takes about 20 us. */
export const INLINE_PIECE = 64 * 1024;
/** A larger write is left to the backend. */
const MOST = 1024 * 1024;
/** The maximum number of bytes to truncate at once: their pages are freed. */
export const FREED_MAX = 1024 * 1024;
/** The cost of truncating or closing a file, as the number of bytes that could be copied in the same time. */
const STEP_COST = 16 * 1024;

export class InlineWrites {
  readonly #loop: Loop;
  readonly #device: Device;
  readonly #backoff = new Backoff();

  /** Whether it writes at the end: in one piece, so that those of other processes do not split it. write(2) */
  readonly #appends: boolean;

  /** For a regular file that is not opened for synchronous writes. @param flags its open flags. */
  constructor(loop: Loop, device: Device, flags: number) {
    this.#loop = loop;
    this.#device = device;
    this.#appends = (flags & O_APPEND) !== 0;
  }

  /** null if no write to this file is made at once. @param flags its open flags. */
  static of(loop: Loop, fd: number, flags: number): InlineWrites | null {
    const { calls } = loop;
    // O_SYNC includes this bit.
    if ((flags & (O_DIRECT | O_DSYNC | O_SYNC)) !== 0) return null;
    const device = devicesOf(loop).local(fd);
    if ((calls.statx[STATX.stx_mode / 4]! & S_IFMT) !== S_IFREG) return null;
    return device?.defers ? new InlineWrites(loop, device, flags) : null;
  }

  /**
   * Writes up to `length` bytes of `bytes[offset]` at `position` or (-1) the current one. Returns how many were
   * written: the backend writes the rest, and meets any error.
   */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    if (length > MOST) return 0;
    for (let at = 0; at < length; ) {
      const piece = Math.min(length - at, this.#appends ? MOST : INLINE_PIECE);
      const count = this.#writePiece(fd, bytes, offset + at, piece, position < 0 ? position : position + at);
      if (count > 0) at += count;
      if (count !== piece) return at;
    }
    return length;
  }

  #writePiece(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { calls, inline } = this.#loop;
    const device = this.#device;
    // A non-blocking call may write a part.
    if (device.nowait && !this.#appends) {
      if (!inline.writes || !this.#backoff.tries || !inline.take(length)) return 0;
      const count = calls.write(fd, bytes, offset, length, position, RWF_NOWAIT);
      if (count > 0) this.#backoff.taken();
      // An older kernel: writes are timed from now on, as others are.
      else if (count === EOPNOTSUPP || count === EINVAL) device.nowait = false;
      else this.#backoff.refused();
      return count;
    }
    const brief = briefCalls(this.#loop);
    if (!brief.begin(device, length, length)) return 0;
    const count = calls.write(fd, bytes, offset, length, position, 0);
    brief.end(device);
    return count;
  }

  /** Truncates or extends a file; returns whether it did. */
  truncate(fd: number, size: number): boolean {
    const { calls } = this.#loop;
    if (calls.statFd(fd) !== 0) return false;
    const { statx } = calls;
    const now = statx[STATX.stx_size / 4]! + statx[STATX.stx_size / 4 + 1]! * 2 ** 32;
    const brief = briefCalls(this.#loop);
    if (now - size > FREED_MAX || !brief.begin(this.#device, 0, STEP_COST)) return false;
    const failed = calls.truncate(fd, size);
    brief.end(this.#device);
    return failed === 0;
  }

  /** Closes a file; returns whether it did. It is not tried again. */
  close(fd: number): boolean {
    const brief = briefCalls(this.#loop);
    if (!brief.begin(this.#device, 0, STEP_COST)) return false;
    this.#loop.calls.close(fd);
    brief.end(this.#device);
    return true;
  }
}
