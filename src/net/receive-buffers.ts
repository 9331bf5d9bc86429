import type { Loop } from '../loop/loop.js';
import { RUNTIME_GROUP } from '../loop/raw.js';
import * as abi from '../ring/abi.js';
import { BufRing } from '../ring/buf-ring.js';
import { UasyncError } from '../ring/errors.js';
import { copyChunk } from './slab.js';

const GROUP = RUNTIME_GROUP;
/** With incremental buffers (6.12) each receive takes what it needs of a large buffer. */
const INCREMENTAL = { entries: 8, bufferSize: 256 * 1024, flags: abi.PBUF_RING_INC };
/** Without them each receive takes a whole one. */
const WHOLE = { entries: 256, bufferSize: 16 * 1024, flags: 0 };

/**
 * The buffers that a loop's connections receive into. The kernel picks one when data is there, so an
 * idle connection costs none; the bytes are copied out at once, so a few serve all and stay in cache.
 */
export class ReceiveBuffers {
  readonly group = GROUP;
  readonly #ring: BufRing;
  readonly #bytes: Buffer;
  readonly #size: number;
  /** How far each incremental buffer has been filled. */
  readonly #filled: Int32Array;

  private constructor(loop: Loop) {
    this.#ring = ReceiveBuffers.#makeRing(loop);
    this.#size = this.#ring.bufferSize;
    this.#bytes = this.#ring.bytes;
    this.#filled = new Int32Array(this.#ring.entries);
    loop.onClose(() => this.#ring.close());
  }

  static #makeRing(loop: Loop): BufRing {
    try {
      return new BufRing(loop.ring, { group: GROUP, ...INCREMENTAL });
    } catch (error) {
      if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
      return new BufRing(loop.ring, { group: GROUP, ...WHOLE });
    }
  }

  static readonly #ofLoop = new WeakMap<Loop, ReceiveBuffers>();

  /** The loop's buffers, made on first use. */
  static of(loop: Loop): ReceiveBuffers {
    let buffers = ReceiveBuffers.#ofLoop.get(loop);
    if (buffers === undefined) {
      buffers = new ReceiveBuffers(loop);
      ReceiveBuffers.#ofLoop.set(loop, buffers);
    }
    return buffers;
  }

  /**
   * The bytes of a completion, the user's to keep. Each is asked for once, in order of completion. If
   * nobody has seen `last` yet, the result may be both in one.
   */
  take(length: number, flags: number, last: Buffer | undefined): Buffer {
    const chunk = copyChunk(this.#bytes, this.#locate(length, flags), length, last);
    this.#release(flags);
    return chunk;
  }

  /** The same, copied to `target` from `at` on, where there is room for them. */
  takeInto(target: Uint8Array, at: number, length: number, flags: number): void {
    const start = this.#locate(length, flags);
    this.#bytes.copy(target, at, start, start + length);
    this.#release(flags);
  }

  /** A completion had a buffer but no bytes. */
  giveBack(flags: number): void {
    this.#locate(0, flags);
    this.#release(flags);
  }

  /** Where the data of a completion starts. */
  #locate(length: number, flags: number): number {
    const id = flags >>> abi.CQE_BUFFER_SHIFT;
    const filled = this.#filled[id]!;
    this.#filled[id] = flags & abi.CQE_F_BUF_MORE ? filled + length : 0;
    return id * this.#size + filled;
  }

  /** The bytes have been copied: if the kernel is done with the buffer, it may have it again. */
  #release(flags: number): void {
    if (flags & abi.CQE_F_BUF_MORE) return;
    this.#ring.recycle(flags >>> abi.CQE_BUFFER_SHIFT);
    this.#ring.publish();
  }
}
