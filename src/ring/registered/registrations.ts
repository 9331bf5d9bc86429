import { IOVEC } from '../../sys/abi/structs.js';
import {
  checkArray,
  checkBytes,
  checkFd,
  checkInt,
  checkObject,
  checkU32,
  checkU64,
} from '../../sys/check/check.js';
import { argTypeError, closedError, stateError, systemError } from '../../sys/errors/errors.js';
import { pinnedAddressOf } from '../../sys/memory/address.js';
import * as abi from '../abi/io-uring.js';
import * as structs from '../abi/structs.js';
import type { Pins } from '../queue/pins.js';
import { type SyncCancelTarget, syncCancelReg } from './sync-cancel.js';

const FILES_MAX = 1 << 20;
const BUFFERS_MAX = 1 << 14;

/** A rule of `registerRestrictions`. */
export interface Restriction {
  /** A RESTRICTION_ value. */
  kind: number;
  /** A REGISTER_ value, an OP_ value or SQE_ flags, depending on the kind. */
  value: number;
}

/**
 * The registrations of a ring, io_uring_register(2), with a method for each. Every method throws the kernel's error,
 * with syscall 'io_uring_register'.
 */
export abstract class Registrations {
  /** Registered buffers by index. The kernel uses their pages, so they stay alive. */
  readonly #buffers: (ArrayBufferView | null)[] = [];

  /** @internal Counts completions to come. */
  abstract readonly pins: Pins | null;

  /** Whether it cannot be used any more. */
  abstract readonly closed: boolean;

  /** The descriptor, -1 if there is none. */
  abstract readonly fd: number;

  /** @internal io_uring_register(2); the result, or a negative errno. */
  abstract register(opcode: number, arg: Uint8Array | null, count: number): number;

  /** Views that an argument points to: an address alone does not protect them from being collected. */
  protected pointedTo: unknown = null;

  /** @param pointedTo views whose addresses are in `arg`. */
  #do(opcode: number, arg: Uint8Array | null, count: number, ...pointedTo: unknown[]): number {
    this.pointedTo = pointedTo;
    const result = this.register(opcode, arg, count);
    this.pointedTo = null;
    if (result < 0) throw systemError(result, 'io_uring_register');
    return result;
  }

  // --- Buffers ------------------------------------------------------------------------------------

  #iovecs(buffers: readonly (ArrayBufferView | null)[]): Buffer {
    checkArray('buffers', buffers, 'Buffers');
    checkInt('buffers.length', buffers.length, 1, BUFFERS_MAX);
    const iovecs = Buffer.alloc(buffers.length * IOVEC.size);
    for (const [i, buffer] of buffers.entries()) {
      if (buffer === null) continue;
      checkBytes(`buffers[${i}]`, buffer);
      const at = i * IOVEC.size;
      iovecs.writeBigUInt64LE(BigInt(pinnedAddressOf(buffer)), at + IOVEC.iov_base);
      iovecs.writeBigUInt64LE(BigInt(buffer.byteLength), at + IOVEC.iov_len);
    }
    return iovecs;
  }

  /**
   * Registers buffers for `readFixed` and similar: the kernel maps their pages once. `null` leaves a slot empty. With
   * `tags`, one for each, the kernel posts a completion with that user_data when it is done with a buffer that was
   * replaced or unregistered; 0 is no tag.
   * io_uring_register_buffers(3), io_uring_register_buffers_tags(3), 5.13
   */
  registerBuffers(buffers: readonly (ArrayBufferView | null)[], tags?: readonly (number | bigint)[]): void {
    const iovecs = this.#iovecs(buffers);
    if (tags === undefined) this.#do(abi.REGISTER_BUFFERS, iovecs, buffers.length);
    else this.#registerTagged(abi.REGISTER_BUFFERS2, iovecs, buffers.length, tags);
    this.#buffers.splice(0, this.#buffers.length, ...buffers);
  }

  /** Creates a table of `count` empty buffer slots. io_uring_register_buffers_sparse(3), 5.19 */
  registerBuffersSparse(count: number): void {
    checkInt('count', count, 1, BUFFERS_MAX);
    this.#do(abi.REGISTER_BUFFERS2, this.#sparse(count), structs.RSRC_REGISTER.size);
    this.#buffers.splice(0, this.#buffers.length, ...Array<null>(count).fill(null));
  }

  /**
   * Replaces registered buffers, starting at `offset`; operations in flight finish with the old ones. Returns the number
   * of updates: the kernel stops at the first one that fails, and throws if that is the first of all.
   * io_uring_register_buffers_update_tag(3), 5.13
   */
  updateBuffers(
    offset: number,
    buffers: readonly (ArrayBufferView | null)[],
    tags?: readonly (number | bigint)[],
  ): number {
    checkInt('offset', offset, 0, BUFFERS_MAX);
    const iovecs = this.#iovecs(buffers);
    const updated = this.#updateTagged(abi.REGISTER_BUFFERS_UPDATE, offset, iovecs, buffers.length, tags);
    // The kernel still has the buffers of the other slots.
    this.#buffers.splice(offset, updated, ...buffers.slice(0, updated));
    return updated;
  }

  /** io_uring_unregister_buffers(3) */
  unregisterBuffers(): void {
    this.#do(abi.UNREGISTER_BUFFERS, null, 0);
    this.#buffers.length = 0;
  }

  /**
   * Shares the registered buffers of another ring of this process, or copies `count` of them from index `from` to its own
   * index `to` (6.13, with REGISTER_DST_REPLACE if this ring has buffers).
   * io_uring_clone_buffers(3), io_uring_clone_buffers_offset(3), 6.12
   */
  cloneBuffers(source: Registrations, flags = 0, from = 0, to = 0, count = 0): void {
    if (!(source instanceof Registrations)) throw argTypeError('source', 'an instance of Ring', source);
    if (source.closed) throw closedError('The source');
    if (source.fd < 0) throw stateError('The source has no descriptor');
    const clone = Buffer.alloc(structs.CLONE_BUFFERS.size);
    clone.writeUInt32LE(checkFd(source.fd), structs.CLONE_BUFFERS.src_fd);
    clone.writeUInt32LE(checkU32('flags', flags) >>> 0, structs.CLONE_BUFFERS.flags);
    clone.writeUInt32LE(checkInt('from', from, 0, BUFFERS_MAX), structs.CLONE_BUFFERS.src_off);
    clone.writeUInt32LE(checkInt('to', to, 0, BUFFERS_MAX), structs.CLONE_BUFFERS.dst_off);
    clone.writeUInt32LE(checkInt('count', count, 0, BUFFERS_MAX), structs.CLONE_BUFFERS.nr);
    this.#do(abi.REGISTER_CLONE_BUFFERS, clone, 1);
    const cloned = source.#buffers.slice(from, count === 0 ? undefined : from + count);
    while (this.#buffers.length < to) this.#buffers.push(null);
    this.#buffers.splice(to, cloned.length, ...cloned);
  }

  // --- Tags -----------------------------------------------------------------------------------------

  #tags(tags: readonly (number | bigint)[], count: number): BigUint64Array {
    checkArray('tags', tags, 'numbers or bigints');
    checkInt('tags.length', tags.length, count, count);
    return BigUint64Array.from(tags, (tag, i) => checkU64(`tags[${i}]`, tag));
  }

  /** Each tag is the user_data of a future completion. */
  #expect(tags: BigUint64Array): void {
    const words = new Int32Array(tags.buffer);
    for (let i = 0; i < words.length; i += 2) {
      if (words[i] !== 0 || words[i + 1] !== 0) this.pins?.expect(words[i]!, words[i + 1]!);
    }
  }

  #registerTagged(
    opcode: number,
    data: ArrayBufferView,
    count: number,
    tags: readonly (number | bigint)[],
  ): void {
    const values = this.#tags(tags, count);
    const register = Buffer.alloc(structs.RSRC_REGISTER.size);
    register.writeUInt32LE(count, structs.RSRC_REGISTER.nr);
    register.writeBigUInt64LE(BigInt(pinnedAddressOf(data)), structs.RSRC_REGISTER.data);
    register.writeBigUInt64LE(BigInt(pinnedAddressOf(values)), structs.RSRC_REGISTER.tags);
    this.#do(opcode, register, structs.RSRC_REGISTER.size, data, values);
    this.#expect(values);
  }

  #updateTagged(
    opcode: number,
    offset: number,
    data: ArrayBufferView,
    count: number,
    tags: readonly (number | bigint)[] | undefined,
  ): number {
    const values = tags === undefined ? undefined : this.#tags(tags, count);
    const update = Buffer.alloc(structs.RSRC_UPDATE2.size);
    update.writeUInt32LE(offset, structs.RSRC_UPDATE2.offset);
    update.writeBigUInt64LE(BigInt(pinnedAddressOf(data)), structs.RSRC_UPDATE2.data);
    update.writeUInt32LE(count, structs.RSRC_UPDATE2.nr);
    if (values !== undefined) {
      update.writeBigUInt64LE(BigInt(pinnedAddressOf(values)), structs.RSRC_UPDATE2.tags);
    }
    const updated = this.#do(opcode, update, structs.RSRC_UPDATE2.size, data, values);
    if (values !== undefined) this.#expect(values.subarray(0, updated));
    return updated;
  }

  #sparse(count: number): Buffer {
    const register = Buffer.alloc(structs.RSRC_REGISTER.size);
    register.writeUInt32LE(count, structs.RSRC_REGISTER.nr);
    register.writeUInt32LE(abi.RSRC_REGISTER_SPARSE, structs.RSRC_REGISTER.flags);
    return register;
  }

  // --- Files --------------------------------------------------------------------------------------

  #fds(fds: readonly number[]): Int32Array {
    checkArray('fds', fds, 'numbers');
    checkInt('fds.length', fds.length, 1, FILES_MAX);
    return Int32Array.from(fds, (fd, i) => checkInt(`fds[${i}]`, fd, -2, 0x7fffffff));
  }

  /**
   * Registers descriptors for `fixedFile()`; -1 leaves a slot empty. With `tags`, one for each, the kernel posts a
   * completion with that user_data when it is done with a file that was replaced or unregistered.
   * io_uring_register_files(3), io_uring_register_files_tags(3), 5.13
   */
  registerFiles(fds: readonly number[], tags?: readonly (number | bigint)[]): void {
    const table = this.#fds(fds);
    if (tags === undefined) this.#do(abi.REGISTER_FILES, new Uint8Array(table.buffer), fds.length);
    else this.#registerTagged(abi.REGISTER_FILES2, table, fds.length, tags);
  }

  /** Creates a table of `count` empty file slots. io_uring_register_files_sparse(3), 5.19 */
  registerFilesSparse(count: number): void {
    checkInt('count', count, 1, FILES_MAX);
    this.#do(abi.REGISTER_FILES2, this.#sparse(count), structs.RSRC_REGISTER.size);
  }

  /**
   * Replaces registered files, starting at `offset`: -1 empties a slot, -2 keeps it. Returns the number of updates.
   * io_uring_register_files_update(3), io_uring_register_files_update_tag(3), 5.13
   */
  updateFiles(offset: number, fds: readonly number[], tags?: readonly (number | bigint)[]): number {
    checkInt('offset', offset, 0, FILES_MAX);
    const table = this.#fds(fds);
    if (tags !== undefined) {
      return this.#updateTagged(abi.REGISTER_FILES_UPDATE2, offset, table, fds.length, tags);
    }
    const update = Buffer.alloc(structs.RSRC_UPDATE2.size / 2);
    update.writeUInt32LE(offset, structs.RSRC_UPDATE2.offset);
    update.writeBigUInt64LE(BigInt(pinnedAddressOf(table)), structs.RSRC_UPDATE2.data);
    return this.#do(abi.REGISTER_FILES_UPDATE, update, fds.length, table);
  }

  /** io_uring_unregister_files(3) */
  unregisterFiles(): void {
    this.#do(abi.UNREGISTER_FILES, null, 0);
  }

  /** Sets the slots that the kernel may choose for FILE_INDEX_ALLOC. io_uring_register_file_alloc_range(3), 6.0 */
  registerFileAllocRange(offset: number, length: number): void {
    const range = Buffer.alloc(structs.FILE_INDEX_RANGE.size);
    range.writeUInt32LE(checkInt('offset', offset, 0, FILES_MAX), structs.FILE_INDEX_RANGE.off);
    range.writeUInt32LE(checkInt('length', length, 0, FILES_MAX), structs.FILE_INDEX_RANGE.len);
    this.#do(abi.REGISTER_FILE_ALLOC_RANGE, range, 0);
  }

  // --- Notification, credentials, rules -------------------------------------------------------------

  /** Signals completions on an eventfd(2), which wakes its pollers. io_uring_register_eventfd(3) */
  registerEventfd(fd: number): void {
    this.#do(abi.REGISTER_EVENTFD, this.#int(checkFd(fd)), 1);
  }

  /** As `registerEventfd`, except for operations that complete inline. io_uring_register_eventfd_async(3) */
  registerEventfdAsync(fd: number): void {
    this.#do(abi.REGISTER_EVENTFD_ASYNC, this.#int(checkFd(fd)), 1);
  }

  /** io_uring_unregister_eventfd(3) */
  unregisterEventfd(): void {
    this.#do(abi.UNREGISTER_EVENTFD, null, 0);
  }

  #int(...values: number[]): Buffer {
    const bytes = Buffer.alloc(values.length * 4);
    for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4);
    return bytes;
  }

  /** Registers this thread's credentials; returns the id for `personality()`. io_uring_register_personality(3) */
  registerPersonality(): number {
    return this.#do(abi.REGISTER_PERSONALITY, null, 0);
  }

  /** io_uring_unregister_personality(3) */
  unregisterPersonality(id: number): void {
    this.#do(abi.UNREGISTER_PERSONALITY, null, checkInt('id', id, 1, 0xffff));
  }

  /**
   * Restricts the ring to what the rules allow, from `enableRings()` on. The ring must have SETUP_R_DISABLED.
   * io_uring_register_restrictions(3), 5.10
   */
  registerRestrictions(rules: readonly Restriction[]): void {
    checkArray('rules', rules, 'Restrictions');
    const bytes = Buffer.alloc(rules.length * structs.RESTRICTION.size);
    for (const [i, rule] of rules.entries()) {
      const name = `rules[${i}]`;
      const { kind, value } = checkObject(name, rule);
      const at = i * structs.RESTRICTION.size;
      bytes.writeUInt16LE(checkInt(`${name}.kind`, kind, 0, 3), at + structs.RESTRICTION.opcode);
      bytes.writeUInt8(checkInt(`${name}.value`, value, 0, 255), at + structs.RESTRICTION.register_op);
    }
    this.#do(abi.REGISTER_RESTRICTIONS, bytes, rules.length);
  }

  /** Enables a ring that was created with SETUP_R_DISABLED. io_uring_enable_rings(3), 5.10 */
  enableRings(): void {
    this.#do(abi.REGISTER_ENABLE_RINGS, null, 0);
  }

  // --- Workers, cancellation, time ------------------------------------------------------------------

  /** Sets the CPUs that worker threads run on. io_uring_register_iowq_aff(3), 5.14 */
  registerIowqAffinity(cpus: readonly number[]): void {
    checkArray('cpus', cpus, 'numbers');
    const mask = Buffer.alloc(128);
    for (const [i, cpu] of cpus.entries()) {
      checkInt(`cpus[${i}]`, cpu, 0, mask.length * 8 - 1);
      mask[cpu >> 3] = mask[cpu >> 3]! | (1 << (cpu & 7));
    }
    this.#do(abi.REGISTER_IOWQ_AFF, mask, mask.length);
  }

  /** io_uring_unregister_iowq_aff(3), 5.14 */
  unregisterIowqAffinity(): void {
    this.#do(abi.UNREGISTER_IOWQ_AFF, null, 0);
  }

  /**
   * Sets the maximum number of worker threads for files and similar (bounded) and for the rest (unbounded); 0 keeps a
   * value. Returns the previous values. io_uring_register_iowq_max_workers(3), 5.15
   */
  registerIowqMaxWorkers(bounded: number, unbounded: number): [bounded: number, unbounded: number] {
    const max = 0x7fffffff;
    const values = this.#int(checkInt('bounded', bounded, 0, max), checkInt('unbounded', unbounded, 0, max));
    this.#do(abi.REGISTER_IOWQ_MAX_WORKERS, values, 2);
    return [values.readUInt32LE(0), values.readUInt32LE(4)];
  }

  /**
   * Cancels operations, and waits until that is done. Returns their number with ASYNC_CANCEL_ALL, else 0; throws ENOENT
   * if nothing matches, ETIME on timeout. io_uring_register_sync_cancel(3), 6.0
   */
  syncCancel(target: SyncCancelTarget): number {
    const reg = syncCancelReg(target);
    const result = this.register(abi.REGISTER_SYNC_CANCEL, reg, 1);
    if (result < 0) throw systemError(result, 'io_uring_register');
    return result;
  }

  /** Busy-polls network devices for up to this many microseconds. io_uring_register_napi(3), 6.9 */
  registerNapi(busyPollMicroseconds: number, preferBusyPoll = false): void {
    const napi = Buffer.alloc(structs.NAPI.size);
    const us = checkInt('busyPollMicroseconds', busyPollMicroseconds, 0, 0xffffffff);
    napi.writeUInt32LE(us, structs.NAPI.busy_poll_to);
    napi.writeUInt8(preferBusyPoll ? 1 : 0, structs.NAPI.prefer_busy_poll);
    this.#do(abi.REGISTER_NAPI, napi, 1);
  }

  /** io_uring_unregister_napi(3), 6.9 */
  unregisterNapi(): void {
    this.#do(abi.UNREGISTER_NAPI, Buffer.alloc(structs.NAPI.size), 1);
  }

  /** Sets the clock of waits with a timeout: 1 CLOCK_MONOTONIC, 7 CLOCK_BOOTTIME. io_uring_register_clock(3), 6.12 */
  registerClock(clockId: number): void {
    const clock = Buffer.alloc(structs.CLOCK_REGISTER.size);
    clock.writeUInt32LE(checkInt('clockId', clockId, 0, 255), structs.CLOCK_REGISTER.clockid);
    this.#do(abi.REGISTER_CLOCK, clock, 0);
  }
}
