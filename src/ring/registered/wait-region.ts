import { checkInt, microseconds } from '../../sys/check/check.js';
import { argTypeError, closedError, systemError } from '../../sys/errors/errors.js';
import { Mapping } from '../../sys/memory/mapping.js';
import * as abi from '../abi/io-uring.js';
import { MEM_REGION_REG, REG_WAIT, REGION_DESC } from '../abi/structs.js';
import { Ring } from '../ring.js';

const PAGE = 4096;
const ENTRIES_MAX = 4096;

/**
 * Memory shared with the kernel that holds wait terms, one entry per set, so that `ring.submitAndWaitReg(waitNr,
 * index)` need not copy them. The ring was created with SETUP_R_DISABLED and is not enabled yet.
 * io_uring_register_region(3), io_uring_register_wait_reg(3), 6.13
 */
export class WaitRegion {
  /** The number of entries, rounded up to whole pages. */
  readonly entries: number;
  readonly #ring: Ring;
  readonly #mapping: Mapping;
  readonly #bytes: Buffer;

  /**
   * Registers memory for `entries` sets of wait terms. io_uring_register_region(3), 6.13
   * @throws UasyncError EINVAL on an older kernel or an enabled ring, EBUSY if the ring has a region already.
   */
  constructor(ring: Ring, entries: number) {
    if (!(ring instanceof Ring)) throw argTypeError('ring', 'an instance of Ring', ring);
    if (ring.closed) throw closedError('The ring');
    checkInt('entries', entries, 1, ENTRIES_MAX);
    const length = (entries * REG_WAIT.size + PAGE - 1) & -PAGE;
    this.entries = length / REG_WAIT.size;
    this.#ring = ring;
    this.#mapping = Mapping.anonymous(length);
    this.#bytes = Buffer.from(this.#mapping.buffer);
    // The kernel reads the descriptor through the registration, and both only during the call.
    const both = Mapping.anonymous(PAGE);
    const bytes = Buffer.from(both.buffer);
    bytes.writeBigUInt64LE(BigInt(this.#mapping.address), REGION_DESC.user_addr);
    bytes.writeBigUInt64LE(BigInt(length), REGION_DESC.size_);
    bytes.writeUInt32LE(abi.MEM_REGION_TYPE_USER, REGION_DESC.flags);
    const registration = bytes.subarray(REGION_DESC.size, REGION_DESC.size + MEM_REGION_REG.size);
    registration.writeBigUInt64LE(BigInt(both.address), MEM_REGION_REG.region_uptr);
    registration.writeBigUInt64LE(BigInt(abi.MEM_REGION_REG_WAIT_ARG), MEM_REGION_REG.flags);
    const copy = Buffer.from(registration);
    const failed = ring.register(abi.REGISTER_MEM_REGION, copy, 1);
    both.unmap();
    if (failed < 0) {
      this.#mapping.unmap();
      throw systemError(failed, 'io_uring_register');
    }
    ring.owned.push(this.#mapping);
  }

  /**
   * Sets the terms of entry `index`: wait at most `timeoutMs` milliseconds (without it there is no limit); after
   * `minWaitMs` a single completion is enough.
   */
  set(index: number, timeoutMs: number | undefined, minWaitMs = 0): void {
    if (this.#ring.closed) throw closedError('The ring');
    checkInt('index', index, 0, this.entries - 1);
    const timeout = timeoutMs === undefined ? 0 : microseconds('timeoutMs', timeoutMs);
    const minWait = microseconds('minWaitMs', minWaitMs);
    const entry = this.#bytes.subarray(index * REG_WAIT.size, (index + 1) * REG_WAIT.size);
    const seconds = Math.floor(timeout / 1e6);
    entry.writeBigUInt64LE(BigInt(seconds), REG_WAIT.ts);
    entry.writeBigUInt64LE(BigInt((timeout - seconds * 1e6) * 1000), REG_WAIT.ts + 8);
    entry.writeUInt32LE(minWait, REG_WAIT.min_wait_usec);
    entry.writeUInt32LE(timeoutMs === undefined ? 0 : abi.REG_WAIT_TS, REG_WAIT.flags);
  }
}
