import { IOVEC } from '../../sys/abi/structs.js';
import {
  checkArray,
  checkBytes,
  checkInt,
  checkU16,
  checkU32,
  checkUserData,
} from '../../sys/check/check.js';
import { argTypeError, stateError } from '../../sys/errors/errors.js';
import { pinnedAddressOf } from '../../sys/memory/address.js';
import type { Scratch } from '../../sys/memory/scratch.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { putPath } from './put-path.js';

/** The cursor of a closed ring uses this: stores past the end of an array have no effect. */
const NOWHERE = new Int32Array(0);
const NO_PAIRS = new Float64Array(0);
/** An index before the start of an array, where stores have no effect either. */
const BEFORE = -64;
const TWO_32 = 2 ** 32;
const NO_EXTRA = [0, 0] as const;
/** SQE_BUFFER_SELECT, where an entry's first word has it. */
const SELECTS = abi.SQE_BUFFER_SELECT << 8;
/** An unmapped address: an operation whose buffer was not selected fails instead of using another one. */
const NOWHERE_MAPPED = -1;
/** The maximum number of buffers of one call. readv(2) */
const IOV_MAX = 1024;

/** Bytes that the kernel reads; a string stands for its UTF-8. */
export type Data = string | ArrayBufferView;

/**
 * Where the kernel writes to. With `bufferSelect(group)` no buffer is needed: a number limits how many bytes the kernel
 * fills of the buffer that it picks, and null means all of it.
 */
export type InPlace = ArrayBufferView | number | null;

/**
 * The cursor that `ring.getSqe()` returns. It fills one submission queue entry by plain stores into the mapped queue. A
 * ring has one cursor, which moves at the next `getSqe()`: do not keep it.
 *
 * An operation (`read`, `send` …) sets the entry's own fields; modifiers (`userData`, `link` …) come before or after
 * it. Paths, addresses and timespecs are copied when the method is called. Buffers are used in place, and the ring
 * keeps them alive until the operation has completed.
 */
export class SqeCore {
  /** @internal The SQE array in 32-bit words. */
  words: Int32Array = NOWHERE;
  /** @internal The entry's first word. */
  at = 0;
  /** @internal Buffers of the entry that the kernel uses in place. */
  kept: ArrayBufferView[] = [];
  /** @internal Buffers that the kernel keeps beyond their operation: they stay alive as long as the ring. */
  readonly keptForever: ArrayBufferView[] = [];
  /** @internal */
  readonly scratch: Scratch;

  /** @internal The length of the last `data` or `target`, in bytes. */
  dataLength = 0;
  /** @internal Whether the entry has 128 bytes. */
  wide = false;
  #allWide = false;
  #pairs: Float64Array = NO_PAIRS;

  /** @internal */
  constructor(scratch: Scratch) {
    this.scratch = scratch;
  }

  /** @internal Fills entries of this array from now on; writes nothing until the next `moveTo`. */
  use(words: Int32Array, shift: number): void {
    this.words = words;
    this.#pairs = new Float64Array(words.buffer);
    this.#allWide = shift === 5;
    this.wide = this.#allWide;
    this.at = BEFORE;
  }

  /** @internal Points at an entry of the queue, which becomes a NOP with user_data 0. */
  moveTo(at: number): void {
    const words = this.words;
    this.at = at;
    words[at] = 0;
    words[at + 1] = -1;
    // One store sets two words.
    const pairs = this.#pairs;
    const pair = at >> 1;
    pairs[pair + 1] = 0;
    pairs[pair + 2] = 0;
    pairs[pair + 3] = 0;
    pairs[pair + 4] = 0;
    pairs[pair + 5] = 0;
    pairs[pair + 6] = 0;
    pairs[pair + 7] = 0;
    if (this.wide) this.#settleWidth();
  }

  /** Only in a ring where all entries are wide, another wide one follows. */
  #settleWidth(): void {
    if (this.#allWide) this.widen();
    else this.wide = false;
  }

  /** @internal The entry has 128 bytes. */
  widen(): void {
    this.wide = true;
    this.words.fill(0, this.at + 16, this.at + 32);
  }

  /** @internal The cursor writes nothing from now on. */
  retire(): void {
    this.words = NOWHERE;
    this.#pairs = NO_PAIRS;
    this.at = 0;
  }

  /**
   * @internal io_uring_prep_rw(3): an operation's fields, the others cleared, modifiers kept (also the group of
   * `bufferSelect`). `addr` and `off` are up to 2^53; -1 is all bits set.
   */
  prep(op: number, fd: number, addr: number, len: number, off: number): this {
    const words = this.words;
    const at = this.at;
    const first = words[at]!;
    words[at] = (first & 0xff00) | op;
    words[at + SQE.fd] = fd;
    words[at + SQE.off] = off;
    words[at + SQE.off + 1] = Math.floor(off / TWO_32);
    words[at + SQE.addr] = addr;
    words[at + SQE.addr + 1] = Math.floor(addr / TWO_32);
    words[at + SQE.len] = len;
    words[at + SQE.opFlags] = 0;
    if (!(first & SELECTS)) words[at + SQE.buf] = words[at + SQE.buf]! & ~0xffff;
    words[at + SQE.file] = 0;
    words[at + SQE.addr3] = 0;
    words[at + SQE.addr3 + 1] = 0;
    return this;
  }

  /** @internal rw_flags, msg_flags, open_flags and similar. */
  opFlags(flags: number): this {
    this.words[this.at + SQE.opFlags] = flags;
    return this;
  }

  /** @internal The ioprio field, where several ops keep flags of their own. */
  ioprio(flags: number): this {
    const words = this.words;
    words[this.at] = (words[this.at]! & 0xffff) | (flags << 16);
    return this;
  }

  /** @internal More flags in the ioprio field. */
  addIoprio(flags: number): this {
    const words = this.words;
    words[this.at] = words[this.at]! | (flags << 16);
    return this;
  }

  /** @internal Changes the opcode and keeps the fields. */
  opcode(op: number): this {
    const words = this.words;
    words[this.at] = (words[this.at]! & ~0xff) | op;
    return this;
  }

  /** @internal Whether the entry is an accept, whose ioprio flags have other meanings. */
  get isAccept(): boolean {
    return (this.words[this.at]! & 0xff) === abi.OP_ACCEPT;
  }

  /** @internal off, addr2. */
  off(value: number): this {
    const words = this.words;
    words[this.at + SQE.off] = value;
    words[this.at + SQE.off + 1] = Math.floor(value / TWO_32);
    return this;
  }

  /** @internal buf_index or buf_group. */
  bufIndex(index: number): this {
    const words = this.words;
    words[this.at + SQE.buf] = (words[this.at + SQE.buf]! & ~0xffff) | index;
    return this;
  }

  /** @internal splice_fd_in, file_index, addr_len. */
  fileIndex(index: number): this {
    this.words[this.at + SQE.file] = index;
    return this;
  }

  /** @internal user_data by its halves. */
  userDataWords(low: number, high: number): this {
    const words = this.words;
    words[this.at + SQE.userData] = low;
    words[this.at + SQE.userData + 1] = high;
    return this;
  }

  /** @internal The address of a caller's buffer, which is kept until the operation has completed. */
  bytes(name: string, view: ArrayBufferView): number {
    checkBytes(name, view);
    if (view.byteLength > 0x7fffffff) checkInt(`${name}.byteLength`, view.byteLength, 0, 0x7fffffff);
    const address = pinnedAddressOf(view);
    this.kept.push(view);
    return address;
  }

  /** @internal As `bytes`, for data that may be a string. Sets `dataLength`. */
  data(name: string, data: Data): number {
    const view = typeof data === 'string' ? Buffer.from(data) : data;
    if (!ArrayBuffer.isView(view)) {
      throw argTypeError(name, 'of type string or an instance of Buffer, TypedArray, or DataView', data);
    }
    this.dataLength = view.byteLength;
    return this.bytes(name, view);
  }

  /** @internal As `bytes`, or for a buffer that the kernel selects. Sets `dataLength` to the available space. */
  target(name: string, buffer: InPlace): number {
    if (typeof buffer === 'number' || buffer === null) {
      this.dataLength = buffer === null ? 0 : checkInt(name, buffer, 0, 0x7fffffff);
      return NOWHERE_MAPPED;
    }
    const address = this.bytes(name, buffer);
    this.dataLength = buffer.byteLength;
    return address;
  }

  /** @internal A NUL-terminated path in scratch memory. */
  path(name: string, path: string | Uint8Array): number {
    return putPath(this.scratch, name, path);
  }

  /** @internal addr3, optval. */
  addr3(address: number): this {
    const words = this.words;
    words[this.at + SQE.addr3] = address;
    words[this.at + SQE.addr3 + 1] = Math.floor(address / TWO_32);
    return this;
  }

  /** @internal The slot of the registered files for the result; the value is checked before. */
  directSlot(index: number): this {
    // The field holds the index plus one; all ones let the kernel choose.
    return this.fileIndex(index === abi.FILE_INDEX_ALLOC ? -1 : index + 1);
  }

  /** @internal A 64-bit user value, checked before, in two words of the entry, split as `userData` splits its own. */
  value64(word: number, value: number | bigint): this {
    const { words, at } = this;
    const low = words[at + SQE.userData]!;
    const high = words[at + SQE.userData + 1]!;
    this.userData(value);
    words[at + word] = words[at + SQE.userData]!;
    words[at + word + 1] = words[at + SQE.userData + 1]!;
    return this.userDataWords(low, high);
  }

  /** @internal struct iovec[] in scratch memory, for buffers that are kept. */
  iovecs(name: string, buffers: readonly Data[]): number {
    checkArray(name, buffers, 'Buffers');
    checkInt(`${name}.length`, buffers.length, 0, IOV_MAX);
    const address = this.scratch.alloc(buffers.length * IOVEC.size);
    const { bytes, start } = this.scratch;
    for (const [i, buffer] of buffers.entries()) {
      const at = start + i * IOVEC.size;
      bytes.writeBigUInt64LE(BigInt(this.data(`${name}[${i}]`, buffer)), at + IOVEC.iov_base);
      bytes.writeBigUInt64LE(BigInt(this.dataLength), at + IOVEC.iov_len);
    }
    return address;
  }

  #flag(flag: number): this {
    const words = this.words;
    words[this.at] = words[this.at]! | (flag << 8);
    return this;
  }

  /**
   * The value that the completion returns: a number from 0 to 2^53 - 1 or a bigint below 2^64.
   * io_uring_sqe_set_data64(3)
   */
  userData(value: number | bigint): this {
    if (typeof value === 'number') {
      if ((value | 0) === value && value >= 0) return this.userDataWords(value, 0);
      checkUserData('userData', value);
      return this.userDataWords(value, Math.floor(value / TWO_32));
    }
    checkUserData('userData', value);
    return this.userDataWords(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  }

  /** The next entry starts when this one has succeeded. IOSQE_IO_LINK, io_uring_linked_requests(7) */
  link(): this {
    return this.#flag(abi.SQE_IO_LINK);
  }

  /** The next entry starts when this one has ended, with any result. IOSQE_IO_HARDLINK */
  hardlink(): this {
    return this.#flag(abi.SQE_IO_HARDLINK);
  }

  /** Starts when all entries before it have completed, and delays those after it. IOSQE_IO_DRAIN */
  drain(): this {
    return this.#flag(abi.SQE_IO_DRAIN);
  }

  /** Runs in a worker thread, without a non-blocking attempt first. IOSQE_ASYNC */
  async(): this {
    return this.#flag(abi.SQE_ASYNC);
  }

  /** `fd` is an index into the registered files. IOSQE_FIXED_FILE */
  fixedFile(): this {
    return this.#flag(abi.SQE_FIXED_FILE);
  }

  /** The kernel picks a buffer of this group when data arrives. IOSQE_BUFFER_SELECT */
  bufferSelect(group: number): this {
    this.bufIndex(checkU16('group', group));
    return this.#flag(abi.SQE_BUFFER_SELECT);
  }

  /** Posts a completion only on failure. IOSQE_CQE_SKIP_SUCCESS, 5.17 */
  skipSuccess(): this {
    return this.#flag(abi.SQE_CQE_SKIP_SUCCESS);
  }

  /** Runs with the credentials that were registered under this id. io_uring_register(2) */
  personality(id: number): this {
    const words = this.words;
    const at = this.at + SQE.buf;
    words[at] = (words[at]! & 0xffff) | (checkU16('id', id) << 16);
    return this;
  }

  /** Sets all flags of the entry at once: SQE_ values, or-ed. io_uring_sqe_set_flags(3) */
  setFlags(flags: number): this {
    const words = this.words;
    words[this.at] = (words[this.at]! & ~0xff00) | (checkInt('flags', flags, 0, 0xff) << 8);
    return this;
  }

  /**
   * Does nothing, and completes with 0.
   * @param flags NOP_ values (6.10): NOP_INJECT_RESULT completes with `result`, NOP_CQE32 with `extra` as
   * the completion's `bigCqe`. io_uring_prep_nop(3)
   */
  nop(flags = 0, result = 0, extra: readonly [number, number] = NO_EXTRA): this {
    const { words, at } = this;
    // A new entry already is one.
    if (flags === 0 && result === 0 && extra === NO_EXTRA && isPlainNop(words, at)) return this;
    checkU32('flags', flags);
    checkU32('result', result);
    checkArray('extra', extra, 'two numbers');
    checkInt('extra[0]', extra[0], 0, Number.MAX_SAFE_INTEGER);
    checkInt('extra[1]', extra[1], 0, Number.MAX_SAFE_INTEGER);
    return this.prep(abi.OP_NOP, -1, extra[1], result, extra[0]).opFlags(flags);
  }

  /** As `nop`, in an entry of 128 bytes. io_uring_prep_nop128(3), 6.19 */
  nop128(): this {
    this.assertWide();
    return this.prep(abi.OP_NOP128, -1, 0, 0, 0);
  }

  /** @internal */
  assertWide(): void {
    if (!this.wide && this.words !== NOWHERE) {
      throw stateError('The entry has 64 bytes: one of 128 comes from getSqe128()');
    }
  }
}

/** A slot of the registered files for a result: an index, or FILE_INDEX_ALLOC. */
export function checkSlot(name: string, index: number): void {
  if (index !== abi.FILE_INDEX_ALLOC) checkInt(name, index, 0, 0x7ffffffe);
}

function isPlainNop(words: Int32Array, at: number): boolean {
  return (words[at]! & 0xff) === abi.OP_NOP && words[at + SQE.opFlags] === 0;
}

/** Whether an operation takes an entry of 128 bytes. */
export function isWide(opcode: number): boolean {
  return opcode === abi.OP_NOP128 || opcode === abi.OP_URING_CMD128;
}
