/** The provided buffers that connections receive into. */

import type { Loop } from '../../loop/loop.js';
import type { ProvidedBuffers } from '../../loop/memory/provided-buffers.js';
import { bufferOf, keepsBuffer } from '../../loop/operation/completion.js';
import { perLoop } from '../../loop/per-loop.js';
import { assert } from '../../sys/errors/assert.js';
import { copyChunk, copyPiece, type Memory, memoryOf, type Piece } from '../socket/slab.js';

/** With incremental buffers (6.12) each receive takes a part of a large buffer. */
const INCREMENTAL = { entries: 32, provided: 8, bufferSize: 256 * 1024, piecewise: true };
/** Up to this size a loop copies faster than a call. */
const LOOP_MAX = 128;
/** Without them each receive takes a whole buffer. */
const WHOLE = { entries: 512, provided: 256, bufferSize: 16 * 1024 };

/**
 * The buffers that a loop's connections receive into. The kernel picks one when data arrives, so an idle connection
 * needs none. The bytes are copied out at once, so a few buffers serve all and stay in cache. Bytes that only pass
 * through are lent to their sender instead. The kernel always has the same number of buffers: another one replaces a
 * lent buffer.
 */
export class ReceiveBuffers {
  readonly group: number;
  readonly #ring: ProvidedBuffers;
  readonly #memory: Memory;
  readonly #size: number;
  /** How far each incremental buffer is filled. */
  readonly #filled: Int32Array;
  /** How many pieces of each are lent. */
  readonly #lent: Int32Array;
  /** Lent buffers that the kernel is done with. */
  readonly #done = new Set<number>();
  /** Buffers that neither the kernel nor a sender has. */
  readonly #spare: number[] = [];
  /** How many more buffers may be lent. */
  #lendable = 0;

  private constructor(loop: Loop) {
    this.#ring = loop.provideBuffers(INCREMENTAL) ?? loop.provideBuffers(WHOLE)!;
    this.group = this.#ring.group;
    this.#size = this.#ring.bufferSize;
    this.#memory = memoryOf(this.#ring.bytes);
    const { entries, provided } = this.#ring;
    this.#filled = new Int32Array(entries);
    this.#lent = new Int32Array(entries);
    for (let id = entries - 1; id >= provided; id--) this.#spare.push(id);
    this.#lendable = this.#spare.length;
    loop.onClose(() => this.#ring.close());
  }

  /** The loop's buffers, made on first use. */
  static readonly of = perLoop(loop => new ReceiveBuffers(loop));

  /**
   * Copies the bytes of a completion for the user. Call it once per completion, in order. `last` is the previous chunk,
   * if no user has it yet: the result may combine both.
   */
  take(length: number, flags: number, last: Buffer | undefined): Buffer {
    const chunk = copyChunk(this.#memory, this.#locate(length, flags), length, last);
    this.#release(flags);
    return chunk;
  }

  /** The same, without a Buffer around them. */
  takePiece(length: number, flags: number, piece: Piece): void {
    copyPiece(this.#memory, this.#locate(length, flags), length, piece);
    this.#release(flags);
  }

  /** The same, copied to `target` from `at` on, which must have space. */
  takeInto(target: Uint8Array, at: number, length: number, flags: number): void {
    const start = this.#locate(length, flags);
    const { bytes } = this.#memory;
    if (length > LOOP_MAX) bytes.copy(target, at, start, start + length);
    else for (let i = 0; i < length; i++) target[at + i] = bytes[start + i]!;
    this.#release(flags);
  }

  /**
   * Lends the bytes of a completion, in place, until `takeBack` of the same address. Returns that address, or 0 if too
   * much is lent: then they must be copied.
   */
  lend(length: number, flags: number): number {
    const id = bufferOf(flags);
    if (this.#lent[id] === 0) {
      if (this.#lendable === 0) return 0;
      this.#lendable--;
    }
    this.#lent[id]!++;
    const address = this.#ring.address + this.#locate(length, flags);
    this.#release(flags);
    return address;
  }

  /** Also lends the bytes of a completion, if they directly follow those from `address` to `end`. */
  lendMore(address: number, end: number, length: number, flags: number): boolean {
    const id = bufferOf(flags);
    if (id !== this.#idAt(address)) return false;
    if (this.#ring.address + id * this.#size + this.#filled[id]! !== end) return false;
    this.#locate(length, flags);
    this.#release(flags);
    return true;
  }

  #idAt(address: number): number {
    return Math.floor((address - this.#ring.address) / this.#size);
  }

  /** The bytes lent at `address` are no longer used. */
  takeBack(address: number): void {
    const id = this.#idAt(address);
    assert(this.#lent[id]! > 0, 'Bytes of a buffer were given back that are not lent');
    this.#lent[id]!--;
    if (this.#lent[id] !== 0) return;
    this.#lendable++;
    if (this.#done.delete(id)) this.#spare.push(id);
  }

  /** A completion had a buffer but no bytes. */
  giveBack(flags: number): void {
    this.drop(0, flags);
  }

  /** Drops the bytes of a completion. */
  drop(length: number, flags: number): void {
    this.#locate(length, flags);
    this.#release(flags);
  }

  /** The offset of a completion's data. */
  #locate(length: number, flags: number): number {
    const id = bufferOf(flags);
    assert(id < this.#filled.length, 'A completion names a buffer that does not exist');
    const filled = this.#filled[id]!;
    assert(filled + length <= this.#size, 'A completion has more bytes than its buffer');
    this.#filled[id] = keepsBuffer(flags) ? filled + length : 0;
    return id * this.#size + filled;
  }

  /** The bytes have been copied or lent: if the kernel is done with the buffer, it may get one again. */
  #release(flags: number): void {
    if (keepsBuffer(flags)) return;
    const id = bufferOf(flags);
    if (this.#lent[id] === 0) this.#ring.recycle(id);
    else {
      assert(this.#spare.length !== 0, 'More buffers are lent than exist');
      this.#done.add(id);
      this.#ring.recycle(this.#spare.pop()!);
    }
    this.#ring.publish();
  }
}
