import type { Loop } from '../loop/loop.js';
import * as abi from '../ring/abi.js';
import { BufRing } from '../ring/buf-ring.js';
import { UasyncError } from '../ring/errors.js';

const GROUP = 0;
/** With incremental buffers (6.12) each receive takes what it needs of a large buffer. */
const INCREMENTAL = { entries: 64, bufferSize: 256 * 1024, flags: abi.PBUF_RING_INC };
/** Without them each receive takes a whole one. */
const WHOLE = { entries: 1024, bufferSize: 16 * 1024, flags: 0 };

/**
 * The buffers that all connections of a loop receive into: the kernel picks one when data is there, so
 * an idle connection costs none. A completion's bytes are copied out at once and the buffer goes back.
 */
export class ReceiveBuffers {
  readonly group = GROUP;
  readonly bytes: Buffer;
  readonly #ring: BufRing;
  readonly #size: number;
  readonly #incremental: boolean;
  /** How far each incremental buffer has been filled. */
  readonly #filled: Int32Array;

  private constructor(loop: Loop) {
    let ring: BufRing;
    let incremental = true;
    try {
      ring = new BufRing(loop.ring, { group: GROUP, ...INCREMENTAL });
    } catch (error) {
      if (!(error instanceof UasyncError) || error.code !== 'EINVAL') throw error;
      ring = new BufRing(loop.ring, { group: GROUP, ...WHOLE });
      incremental = false;
    }
    this.#ring = ring;
    this.#incremental = incremental;
    this.#size = ring.bufferSize;
    this.#filled = new Int32Array(ring.entries);
    this.bytes = ring.bytes;
    loop.onClose(() => ring.close());
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

  /** Where in `bytes` the data of a completion starts. Each completion is asked about once, in order. */
  locate(res: number, flags: number): number {
    const id = flags >>> abi.CQE_BUFFER_SHIFT;
    if (!this.#incremental) return id * this.#size;
    const filled = this.#filled[id]!;
    this.#filled[id] = flags & abi.CQE_F_BUF_MORE ? filled + res : 0;
    return id * this.#size + filled;
  }

  /** The bytes of a completion have been copied out: its buffer may be used again. */
  release(flags: number): void {
    if (flags & abi.CQE_F_BUF_MORE) return;
    this.#ring.recycle(flags >>> abi.CQE_BUFFER_SHIFT);
    this.#ring.publish();
  }
}
