/** Received bytes, copied into slabs that several chunks share. */
import { allocateBuffer } from '../../loop/memory/buffer-memory.js';
import type { SocketCalls } from '../../sys/calls/socket-calls.js';
import { libc } from '../../sys/libc/libc.js';
import { addressOf } from '../../sys/memory/address.js';
import { markUntransferable } from '../../sys/memory/untransferable.js';

/** Chunks up to this size are cut from the small slab. */
const SMALL = 1024;
const SMALL_SLAB = 16 * 1024;
const LARGE_SLAB = 512 * 1024;
/** From this size on a chunk has memory of its own, which its user may transfer. */
const OWN_MIN = 128 * 1024;
/** The minimum space for bytes that the kernel writes directly to the large slab. */
const ROOM_MIN = 64 * 1024;
/** Up to this size a loop over words is faster than a call that first creates a view of the source. */
const WORDWISE_MAX = 256;

/** A garbage collection frees dozens of slabs; faulting their memory in again costs more than the copy. */
const KEPT_SLABS = 16 * 1024 * 1024;
let kept = false;

function keepFreedSlabs(): void {
  kept = true;
  libc().keepFreedMemory(KEPT_SLABS);
}

/** Bytes, and the same memory as 32-bit words. */
export interface Memory {
  readonly bytes: Buffer;
  readonly words: Int32Array | Uint32Array;
}

export function memoryOf(bytes: Buffer): Memory {
  return { bytes, words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2) };
}

/** Copies `length` bytes, by words where both sides and the length allow it. */
function copyBytes(source: Memory, from: number, target: Memory, to: number, length: number): void {
  if (length > WORDWISE_MAX || ((from | to | length) & 3) !== 0) {
    source.bytes.copy(target.bytes, to, from, from + length);
    return;
  }
  const { words } = source;
  const into = target.words;
  const end = (from + length) >> 2;
  for (let word = from >> 2, put = to >> 2; word < end; word++, put++) into[put] = words[word]!;
}

/**
 * JavaScript memory that received chunks are cut from: one allocation serves many. Small chunks have slabs of their
 * own, so that one that the user keeps does not pin a large slab. The last chunk can be extended, so that consecutive
 * chunks of one connection can be one.
 */
class Slab {
  readonly #size: number;
  #memory = memoryOf(Buffer.alloc(0));
  /** The memory of the last copy: getting it from a Buffer each time would be a call out of JavaScript. */
  buffer = this.#memory.bytes.buffer as ArrayBuffer;
  /** Its address, once that has been requested. */
  #address = 0;
  /** How many bytes of it are used. */
  #used: number;

  constructor(size: number) {
    this.#size = size;
    this.#used = size;
  }

  /** A copy of `length` bytes of `source` from `start` on. */
  copy(source: Memory, start: number, length: number): Buffer {
    const used = this.copyTo(source, start, length);
    return this.#memory.bytes.subarray(used, used + length);
  }

  /** As `copy`; returns the offset in `buffer`. */
  copyTo(source: Memory, start: number, length: number): number {
    if (this.#used + length > this.#size || this.#taken()) this.#renew();
    const used = this.#used;
    copyBytes(source, start, this.#memory, used, length);
    this.#used = used + length;
    return used;
  }

  /** Whether a user has taken the memory away: before Node 24, byte streams and `ArrayBuffer.prototype.transfer` do. */
  #taken(): boolean {
    return this.#memory.bytes.length === 0;
  }

  #renew(): void {
    if (this.#size === LARGE_SLAB && !kept) keepFreedSlabs();
    const bytes = allocateBuffer(this.#size);
    // Other chunks share it, so it must not be transferred to another thread.
    markUntransferable(bytes.buffer);
    this.#memory = memoryOf(bytes);
    this.buffer = bytes.buffer as ArrayBuffer;
    this.#address = 0;
    this.#used = 0;
  }

  /** Makes space for `least` bytes, which the kernel will write at `freeAddress`; returns the size of the space. */
  makeRoom(least: number): number {
    if (this.#used + least > this.#size || this.#taken()) this.#renew();
    if (this.#address === 0) this.#address = addressOf(this.#memory.bytes);
    return this.#size - this.#used;
  }

  /** The address of the space. Only valid right after `makeRoom`. */
  get freeAddress(): number {
    return this.#address + this.#used;
  }

  /** Takes `length` bytes that the kernel has written there; returns their offset in `buffer`. */
  takeRoom(length: number): number {
    const used = this.#used;
    this.#used = used + length;
    return used;
  }

  /** Aligns the next chunk to a word. */
  align(): void {
    this.#used = (this.#used + 3) & -4;
  }

  /** Whether the next chunk would directly follow `last`. */
  canExtend(last: Buffer, length: number): boolean {
    return (
      last.buffer === this.buffer &&
      !this.#taken() &&
      last.byteOffset + last.length === this.#used &&
      this.#used + length <= this.#size
    );
  }
}

const small = new Slab(SMALL_SLAB);
const large = new Slab(LARGE_SLAB);

/**
 * A Buffer with these bytes that belongs to the user. If `last` is given, and they can directly follow it, the result
 * is one Buffer with the bytes of both, and `last` is no longer needed.
 */
export function copyChunk(source: Memory, start: number, length: number, last: Buffer | undefined): Buffer {
  if (last !== undefined) {
    const slab = last.length <= SMALL ? small : large;
    if (slab.canExtend(last, length)) {
      const chunk = slab.copy(source, start, length);
      return Buffer.from(chunk.buffer as ArrayBuffer, last.byteOffset, last.length + length);
    }
  }
  if (length >= OWN_MIN) return copyWhole(source, start, length);
  const slab = length <= SMALL ? small : large;
  slab.align();
  return slab.copy(source, start, length);
}

function copyWhole({ bytes }: Memory, start: number, length: number): Buffer {
  if (!kept) keepFreedSlabs();
  const chunk = allocateBuffer(length);
  bytes.copy(chunk, 0, start, start + length);
  return chunk;
}

/**
 * Receives available data into memory that chunks are cut from. Returns the number of bytes, which `receivedChunk` or
 * `receivedPiece` then takes, or a negative errno.
 */
export function receiveInto(calls: SocketCalls, fd: number): number {
  large.align();
  const room = large.makeRoom(ROOM_MIN);
  return calls.receiveAt(fd, large.freeAddress, room);
}

/** The bytes of the last `receiveInto`, as a Buffer that belongs to the user. */
export function receivedChunk(length: number): Buffer {
  const at = large.takeRoom(length);
  return Buffer.from(large.buffer, at, length);
}

/** As `receivedChunk`, as memory that `piece` then describes. */
export function receivedPiece(length: number, piece: Piece): void {
  piece.offset = large.takeRoom(length);
  piece.buffer = large.buffer;
  piece.length = length;
}

/**
 * Receives available data, up to `max` bytes, as a Buffer with memory of its own, which its user may transfer. Returns a
 * negative errno if that fails, or 0 at the end.
 */
export function receiveWhole(calls: SocketCalls, fd: number, max: number): Buffer | number {
  if (!kept) keepFreedSlabs();
  const length = Math.min(Math.max(libc().receivable(fd), 1), max);
  const chunk = allocateBuffer(length);
  const res = calls.receiveAt(fd, addressOf(chunk), length);
  if (res <= 0) return res;
  return res === length ? chunk : chunk.subarray(0, res);
}

/** Bytes without a Buffer around them yet. */
export interface Piece {
  buffer: ArrayBuffer;
  offset: number;
  length: number;
}

/** As `copyChunk`, into memory that `piece` then describes. */
export function copyPiece(source: Memory, start: number, length: number, piece: Piece): void {
  const slab = length <= SMALL ? small : large;
  slab.align();
  piece.offset = slab.copyTo(source, start, length);
  piece.buffer = slab.buffer;
  piece.length = length;
}
