import { ENOSYS } from '../../sys/abi/errno.js';
import { systemError } from '../../sys/errors/errors.js';
import { Mapping } from '../../sys/memory/mapping.js';
import * as abi from '../abi/io-uring.js';
import { CQ_OFF, PARAMS, SQ_OFF } from '../abi/structs.js';

const PAGE = 4096;
/** More than the kernel's own header of both queues. */
const HEADER_BYTES = 1024;

/** The size of an SQE, and of a CQE, in words as a shift. Rings with 128-byte SQEs or 32-byte CQEs have larger ones. */
export function sqeShift(flags: number): number {
  return flags & abi.SETUP_SQE128 ? 5 : 4;
}
export function cqeShift(flags: number): number {
  return flags & abi.SETUP_CQE32 ? 3 : 2;
}

/** The memory that a ring shares with the kernel: both queues, and the array of submission entries. */
export class RingMemory {
  /** The queues in 32-bit words. */
  readonly words: Int32Array;
  /** The submission entries in 32-bit words. */
  readonly sqes: Int32Array;
  readonly #rings: Mapping;
  readonly #entries: Mapping;

  private constructor(rings: Mapping, entries: Mapping) {
    this.#rings = rings;
    this.#entries = entries;
    this.words = new Int32Array(rings.buffer);
    this.sqes = new Int32Array(entries.buffer);
  }

  /** Maps the kernel's memory through the ring's descriptor. `params` is the result of io_uring_setup(2). */
  static mapped(fd: number, params: Buffer): RingMemory {
    const flags = params.readUInt32LE(PARAMS.flags);
    const sqEntries = params.readUInt32LE(PARAMS.sq_entries);
    const cqEntries = params.readUInt32LE(PARAMS.cq_entries);
    if (!(params.readUInt32LE(PARAMS.features) & abi.FEAT_SINGLE_MMAP)) {
      throw systemError(ENOSYS, 'io_uring_setup');
    }
    const indices = flags & abi.SETUP_NO_SQARRAY ? 0 : sqEntries * 4;
    const sqBytes = params.readUInt32LE(PARAMS.sq_off + SQ_OFF.array) + indices;
    const cqBytes = params.readUInt32LE(PARAMS.cq_off + CQ_OFF.cqes) + (cqEntries << cqeShift(flags)) * 4;
    const rings = Mapping.ofRing(fd, Math.max(sqBytes, cqBytes), abi.OFF_SQ_RING);
    try {
      return new RingMemory(rings, Mapping.ofRing(fd, (sqEntries << sqeShift(flags)) * 4, abi.OFF_SQES));
    } catch (error) {
      rings.unmap();
      throw error;
    }
  }

  /** Maps our own memory for the kernel, SETUP_NO_MMAP, and writes the addresses into `params`. */
  static lent(sqEntries: number, cqEntries: number, params: Buffer): RingMemory {
    const flags = params.readUInt32LE(PARAMS.flags);
    const ringBytes = HEADER_BYTES + (cqEntries << cqeShift(flags)) * 4 + sqEntries * 4;
    const rings = Mapping.anonymous((ringBytes + PAGE - 1) & -PAGE);
    const entries = Mapping.anonymous(((sqEntries << sqeShift(flags)) * 4 + PAGE - 1) & -PAGE);
    params.writeBigUInt64LE(BigInt(rings.address), PARAMS.cq_off + CQ_OFF.user_addr);
    params.writeBigUInt64LE(BigInt(entries.address), PARAMS.sq_off + SQ_OFF.user_addr);
    return new RingMemory(rings, entries);
  }

  /** No view of the memory may be used afterwards. */
  unmap(): void {
    this.#rings.unmap();
    this.#entries.unmap();
  }
}
