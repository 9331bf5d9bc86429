import { isInt32Array, isUint32Array } from 'node:util/types';
import { FUTEX_WAITV } from '../../sys/abi/structs.js';
import {
  checkArray,
  checkFd,
  checkInt,
  checkInt32Array,
  checkObject,
  checkU16,
  checkU32,
  checkUint8Array,
  checkUserData,
} from '../../sys/check/check.js';
import { argTypeError, rangeError } from '../../sys/errors/errors.js';
import { addressOf } from '../../sys/memory/address.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { SqeControl } from './control.js';
import { checkSlot } from './core.js';

// waitid(2)
export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;
export const WNOHANG = 1;
export const WEXITED = 4;
/** The size of siginfo_t. */
export const SIGINFO_SIZE = 128;

// futex2(2): flags of a futex
export const FUTEX2_SIZE_U32 = 2;
export const FUTEX2_PRIVATE = 128;
/** Matches every waiter. */
const FUTEX_BITSET_MATCH_ANY = 0xffffffff;
const FUTEX_WAITV_MAX = 128;

// The space for a command in an entry of 64 bytes, and of 128
const CMD_BYTES = 16;
const CMD_BYTES_WIDE = 80;
/** _IO(0x12, 0) of linux/blkdev.h */
const BLOCK_URING_CMD_DISCARD = 0x1200;

/** One futex of `futexWaitv`. */
export interface FutexWaiter {
  /** Element 0 is the futex. */
  futex: Int32Array | Uint32Array;
  /** The expected value: the wait ends at once if it differs. */
  value: number;
  /** FUTEX2_ flags; default FUTEX2_SIZE_U32 | FUTEX2_PRIVATE. */
  flags?: number | undefined;
}

/** Operations on rings, registered buffers and files, processes, futexes and drivers. */
export class SqeSystem extends SqeControl {
  // --- Messages to other rings ------------------------------------------------------------------

  /**
   * Posts a completion on another ring: `length` becomes its result, `data` its user_data.
   * @param flags MSG_RING_ flags. io_uring_prep_msg_ring(3), 5.18
   */
  msgRing(ringFd: number, length: number, data: number | bigint, flags = 0): this {
    checkU32('length', length);
    checkU32('flags', flags);
    checkUserData('data', data);
    return this.prep(abi.OP_MSG_RING, checkFd(ringFd), abi.MSG_DATA, length, 0)
      .opFlags(flags)
      .value64(SQE.off, data);
  }

  /** As `msgRing`, with flags for the completion. io_uring_prep_msg_ring_cqe_flags(3), 6.3 */
  msgRingCqeFlags(
    ringFd: number,
    length: number,
    data: number | bigint,
    flags: number,
    cqeFlags: number,
  ): this {
    checkU32('flags', flags);
    checkU32('cqeFlags', cqeFlags);
    return this.msgRing(ringFd, length, data, flags | abi.MSG_RING_FLAGS_PASS).fileIndex(cqeFlags);
  }

  /**
   * Passes a registered file to another ring, as its registered file `targetIndex` (or FILE_INDEX_ALLOC).
   * io_uring_prep_msg_ring_fd(3), 6.0
   */
  msgRingFd(
    ringFd: number,
    sourceIndex: number,
    targetIndex: number,
    data: number | bigint,
    flags = 0,
  ): this {
    checkInt('sourceIndex', sourceIndex, 0, 0x7ffffffe);
    checkUserData('data', data);
    checkU32('flags', flags);
    checkSlot('targetIndex', targetIndex);
    return this.prep(abi.OP_MSG_RING, checkFd(ringFd), abi.MSG_SEND_FD, 0, 0)
      .opFlags(flags)
      .value64(SQE.off, data)
      .addr3(sourceIndex)
      .directSlot(targetIndex);
  }

  /** As `msgRingFd`, to a slot that the kernel chooses. io_uring_prep_msg_ring_fd_alloc(3), 6.0 */
  msgRingFdAlloc(ringFd: number, sourceIndex: number, data: number | bigint, flags = 0): this {
    return this.msgRingFd(ringFd, sourceIndex, abi.FILE_INDEX_ALLOC, data, flags);
  }

  // --- Buffers and files --------------------------------------------------------------------------

  /**
   * Provides `count` buffers of `length` bytes each, contiguous in `buffers`, to the kernel as group `group`, with ids
   * from `id` on. They stay alive as long as the ring.
   * io_uring_prep_provide_buffers(3), 5.7; buffer rings are faster.
   */
  provideBuffers(buffers: ArrayBufferView, length: number, count: number, group: number, id = 0): this {
    checkInt('length', length, 1, 0x7fffffff);
    checkInt('count', count, 1, 65536);
    checkU16('group', group);
    checkU16('id', id);
    const address = this.bytes('buffers', buffers);
    if (length * count > buffers.byteLength) {
      throw rangeError('buffers.byteLength', `>= ${length * count}`, buffers.byteLength);
    }
    this.keptForever.push(buffers);
    return this.prep(abi.OP_PROVIDE_BUFFERS, count, address, length, id).bufIndex(group);
  }

  /** Removes up to `count` buffers from a group; the result is their number. io_uring_prep_remove_buffers(3) */
  removeBuffers(count: number, group: number): this {
    checkInt('count', count, 1, 65536);
    checkU16('group', group);
    return this.prep(abi.OP_REMOVE_BUFFERS, count, 0, 0, 0).bufIndex(group);
  }

  /**
   * Updates the registered files, starting at `offset`; -1 empties a slot. io_uring_prep_files_update(3), 5.6
   */
  filesUpdate(fds: Int32Array, offset: number): this {
    checkInt32Array('fds', fds);
    if (offset !== abi.FILE_INDEX_ALLOC) checkInt('offset', offset, 0, 0x7ffffffe);
    const address = this.bytes('fds', fds);
    return this.prep(abi.OP_FILES_UPDATE, -1, address, fds.length, offset === -1 ? 0xffffffff : offset);
  }

  // --- Commands of drivers ------------------------------------------------------------------------

  /**
   * A command for the file's own driver: an ioctl(2) that may complete later. `command` is copied into the entry: up to
   * 16 bytes, or 80 in an entry of 128.
   * @param flags URING_CMD_FIXED. io_uring_prep_uring_cmd(3), 5.19
   */
  uringCmd(fd: number, cmdOp: number, command?: Uint8Array, flags = 0): this {
    checkU32('cmdOp', cmdOp);
    checkU32('flags', flags);
    checkFd(fd);
    if (command !== undefined) this.#checkCommand(command);
    this.prep(abi.OP_URING_CMD, fd, 0, 0, cmdOp >>> 0).opFlags(flags);
    if (command === undefined) return this;
    const bytes = new Uint8Array(this.words.buffer);
    const at = (this.at + SQE.addr3) * 4;
    // Not if the cursor points nowhere, after the ring was closed or resized.
    for (let i = 0; i < command.length && at >= 0; i++) bytes[at + i] = command[i]!;
    return this;
  }

  #checkCommand(command: Uint8Array): void {
    checkUint8Array('command', command);
    checkInt('command.length', command.length, 0, this.wide ? CMD_BYTES_WIDE : CMD_BYTES);
    // Throws for a detached one.
    addressOf(command);
  }

  /** As `uringCmd`, in an entry of 128 bytes of a mixed ring. io_uring_prep_uring_cmd128(3), 6.19 */
  uringCmd128(fd: number, cmdOp: number, command?: Uint8Array, flags = 0): this {
    this.assertWide();
    return this.uringCmd(fd, cmdOp, command, flags).opcode(abi.OP_URING_CMD128);
  }

  /** Discards bytes of a block device. io_uring_prep_cmd_discard(3), 6.12 */
  cmdDiscard(fd: number, offset: number, length: number): this {
    checkInt('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInt('length', length, 0, Number.MAX_SAFE_INTEGER);
    return this.prep(abi.OP_URING_CMD, checkFd(fd), offset, 0, BLOCK_URING_CMD_DISCARD).addr3(length);
  }

  // --- Processes and futexes ------------------------------------------------------------------------

  /**
   * Waits for a child process to change state.
   * @param info receives the siginfo_t, 128 bytes. @param options WEXITED and similar.
   * io_uring_prep_waitid(3), waitid(2), 6.7
   */
  waitid(idType: number, id: number, info: ArrayBufferView, options: number, flags = 0): this {
    checkInt('idType', idType, P_ALL, P_PIDFD);
    checkInt('id', id, 0, 0x7fffffff);
    checkU32('options', options);
    checkU32('flags', flags);
    const address = this.bytes('info', info);
    if (info.byteLength < SIGINFO_SIZE)
      throw rangeError('info.byteLength', `>= ${SIGINFO_SIZE}`, info.byteLength);
    return this.prep(abi.OP_WAITID, id, 0, idType, address).opFlags(flags).fileIndex(options);
  }

  /**
   * Waits while `futex[0]` equals `value`, until a wake-up.
   * @param futexFlags FUTEX2_ flags. io_uring_prep_futex_wait(3), 6.7
   */
  futexWait(
    futex: Int32Array | Uint32Array,
    value: number,
    mask = FUTEX_BITSET_MATCH_ANY,
    futexFlags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE,
  ): this {
    return this.#futex(abi.OP_FUTEX_WAIT, futex, checkU32('value', value) >>> 0, mask, futexFlags);
  }

  /** Wakes up to `count` waiters; the result is their number. io_uring_prep_futex_wake(3), 6.7 */
  futexWake(
    futex: Int32Array | Uint32Array,
    count: number,
    mask = FUTEX_BITSET_MATCH_ANY,
    futexFlags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE,
  ): this {
    return this.#futex(abi.OP_FUTEX_WAKE, futex, checkInt('count', count, 0, 0x7fffffff), mask, futexFlags);
  }

  #futex(op: number, futex: Int32Array | Uint32Array, value: number, mask: number, flags: number): this {
    checkInt('mask', mask, 1, 0xffffffff);
    checkU32('futexFlags', flags);
    return this.prep(op, flags, this.#futexAddress('futex', futex), 0, value).addr3(mask);
  }

  #futexAddress(name: string, futex: Int32Array | Uint32Array): number {
    if (!isInt32Array(futex) && !isUint32Array(futex)) {
      throw argTypeError(name, 'an instance of Int32Array or Uint32Array', futex);
    }
    if (futex.length === 0) throw rangeError(`${name}.length`, '>= 1', 0);
    return this.bytes(name, futex);
  }

  /** Waits on several futexes; the result is the index of a woken one. io_uring_prep_futex_waitv(3), 6.7 */
  futexWaitv(waiters: readonly FutexWaiter[]): this {
    checkArray('waiters', waiters, 'FutexWaiters');
    checkInt('waiters.length', waiters.length, 1, FUTEX_WAITV_MAX);
    const address = this.scratch.alloc(waiters.length * FUTEX_WAITV.size);
    const { bytes, start } = this.scratch;
    for (const [i, waiter] of waiters.entries()) {
      const name = `waiters[${i}]`;
      const { futex, value, flags } = checkObject(name, waiter);
      const at = start + i * FUTEX_WAITV.size;
      bytes.writeBigUInt64LE(BigInt(checkU32(`${name}.value`, value) >>> 0), at + FUTEX_WAITV.val);
      bytes.writeBigUInt64LE(BigInt(this.#futexAddress(`${name}.futex`, futex)), at + FUTEX_WAITV.uaddr);
      const waiterFlags = checkU32(`${name}.flags`, flags ?? FUTEX2_SIZE_U32 | FUTEX2_PRIVATE);
      bytes.writeBigUInt64LE(BigInt(waiterFlags >>> 0), at + FUTEX_WAITV.flags);
    }
    return this.prep(abi.OP_FUTEX_WAITV, 0, address, waiters.length, 0);
  }
}
