import { constants } from 'node:buffer';
import type { InspectOptionsStylized } from 'node:util';
import { ENOMEM } from '../../sys/abi/errno.js';
import { checkInt, checkU16, checkU32 } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError, closedError, rangeError, systemError } from '../../sys/errors/errors.js';
import { custom, shown } from '../../sys/inspect.js';
import { Mapping } from '../../sys/memory/mapping.js';
import * as abi from '../abi/io-uring.js';
import { BUF, BUF_REG, BUF_STATUS } from '../abi/structs.js';
import { Ring } from '../ring.js';
import { registerError } from '../setup/availability.js';

const PAGE = 4096;

/** Options of a ring of provided buffers. */
export interface BufRingOptions {
  /** The group id for `bufferSelect` and `recvMultishot`. A group has one buffer ring. */
  group: number;
  /** The number of buffers: a power of two, at most 32768. */
  entries: number;
  /** The size of each buffer, in bytes. */
  bufferSize: number;
  /** How many of them the kernel gets at the start; default all. `recycle` hands it the others. */
  provided?: number | undefined;
  /** PBUF_RING_INC (6.12): the kernel fills a buffer incrementally. */
  flags?: number | undefined;
}

const OPTIONS = optionNames<BufRingOptions>({
  group: true,
  entries: true,
  bufferSize: true,
  provided: true,
  flags: true,
});

/**
 * Buffers in runtime memory from which the kernel picks one when data arrives, io_uring_setup_buf_ring(3), 5.19. A
 * completion with CQE_F_BUFFER names the buffer it used. That buffer belongs to the caller until `recycle()`.
 */
export class BufRing {
  /** The group id that operations name. */
  readonly group: number;
  /** The number of buffers. */
  readonly entries: number;
  /** The size of each buffer, in bytes. */
  readonly bufferSize: number;
  /** How many of them the kernel had at the start. */
  readonly provided: number;
  /** All buffers, contiguous: buffer `id` starts at `id * bufferSize`. */
  readonly bytes: Buffer;
  readonly #ring: Ring;
  readonly #mapping: Mapping;
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  readonly #buffers: number;
  readonly #mask: number;
  #tail = 0;
  #open = true;

  /**
   * Maps the buffers and registers the group with the ring. io_uring_setup_buf_ring(3), 5.19
   * @throws UasyncError EEXIST when the group exists, EINVAL on a kernel without buffer rings, ERR_IO_URING_UNAVAILABLE
   * when the user may not lock more memory (a page, from Linux 6.14 on).
   */
  constructor(ring: Ring, options: BufRingOptions) {
    if (!(ring instanceof Ring)) throw argTypeError('ring', 'an instance of Ring', ring);
    if (ring.closed) throw closedError('The ring');
    checkOptions(options, OPTIONS);
    this.group = checkU16('options.group', options.group);
    this.entries = checkInt('options.entries', options.entries, 1, 32768);
    if (this.entries & (this.entries - 1))
      throw rangeError('options.entries', 'a power of two', this.entries);
    this.bufferSize = checkInt('options.bufferSize', options.bufferSize, 1, 0x7fffffff);
    this.provided = checkInt('options.provided', options.provided ?? this.entries, 0, this.entries);
    const flags = checkU16('options.flags', options.flags ?? 0);
    this.#ring = ring;
    this.#mask = this.entries - 1;
    const ringBytes = (this.entries * BUF.size + PAGE - 1) & -PAGE;
    const length = ringBytes + this.entries * this.bufferSize;
    if (length > constants.MAX_LENGTH) throw systemError(ENOMEM, 'mmap');
    this.#mapping = Mapping.anonymous(length);
    this.#halves = new Uint16Array(this.#mapping.buffer, 0, ringBytes / 2);
    this.#words = new Int32Array(this.#mapping.buffer, 0, ringBytes / 4);
    this.#buffers = this.#mapping.address + ringBytes;
    this.bytes = Buffer.from(this.#mapping.buffer, ringBytes);

    const failed = ring.register(abi.REGISTER_PBUF_RING, this.#registration(flags), 1);
    if (failed < 0) {
      this.#mapping.unmap();
      throw registerError(failed);
    }
    for (let id = 0; id < this.provided; id++) this.recycle(id);
    this.publish();
  }

  #registration(flags: number): Buffer {
    const reg = Buffer.alloc(BUF_REG.size);
    reg.writeBigUInt64LE(BigInt(this.#mapping.address), BUF_REG.ring_addr);
    reg.writeUInt32LE(this.entries, BUF_REG.ring_entries);
    reg.writeUInt16LE(this.group, BUF_REG.bgid);
    reg.writeUInt16LE(flags, BUF_REG.flags);
    return reg;
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.#open ? 'open' : 'closed', '', [
      `group ${this.group}`,
      `${this.entries} buffers of ${this.bufferSize} bytes`,
    ]);
  }

  /** The address of `bytes`. */
  get address(): number {
    return this.#buffers;
  }

  /** Returns a buffer; the kernel sees it after `publish()`. io_uring_buf_ring_add(3) */
  recycle(id: number): void {
    if (!this.#open) throw closedError('The buffer ring');
    if (typeof id !== 'number' || (id & this.#mask) !== id) checkInt('id', id, 0, this.entries - 1);
    const at = (this.#tail & this.#mask) << 2;
    const address = this.#buffers + id * this.bufferSize;
    const words = this.#words;
    words[at] = address;
    words[at + 1] = Math.floor(address / 2 ** 32);
    words[at + 2] = this.bufferSize;
    // Not the whole word: in entry 0 its upper half is the ring's tail, which the kernel reads.
    this.#halves[(at << 1) + (BUF.bid >> 1)] = id;
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  /** Makes the recycled buffers visible to the kernel. io_uring_buf_ring_advance(3) */
  publish(): void {
    if (!this.#open) throw closedError('The buffer ring');
    Atomics.store(this.#halves, BUF.resv >> 1, this.#tail);
  }

  /** The number of buffers that the kernel can still use. io_uring_buf_ring_available(3), 6.8 */
  get available(): number {
    if (!this.#open) throw closedError('The buffer ring');
    const status = Buffer.alloc(BUF_STATUS.size);
    status.writeUInt32LE(this.group, BUF_STATUS.buf_group);
    const failed = this.#ring.register(abi.REGISTER_PBUF_STATUS, status, 1);
    if (failed < 0) throw systemError(failed, 'io_uring_register');
    return (this.#tail - status.readUInt32LE(BUF_STATUS.head)) & 0xffff;
  }

  /** The buffer id in a completion's flags. */
  static idOf(flags: number): number {
    return checkU32('flags', flags) >>> abi.CQE_BUFFER_SHIFT;
  }

  /**
   * Unregisters the group. No operation that uses it may be in flight. From now on `bytes` reads as zeros, and its
   * pages return to the system. io_uring_free_buf_ring(3)
   */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (!this.#ring.closed) {
      const failed = this.#ring.register(abi.UNREGISTER_PBUF_RING, this.#registration(0), 1);
      if (failed < 0) throw systemError(failed, 'io_uring_register');
      this.#mapping.discard();
    }
  }
}
