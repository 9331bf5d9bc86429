import { TIMESPEC } from '../../sys/abi/structs.js';
import { checkDuration, checkFd, checkInt, checkU32, checkUserData } from '../../sys/check/check.js';
import { rangeError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { SqeMessages } from './messages.js';

const NS_PER_MS = 1e6;
const MS_PER_S = 1000;
/** The largest number below 2^63. */
const NS_MAX = 2 ** 63 - 1024;
/** The shortest period in milliseconds. With 1 us the kernel goes on posting, and the call never returns. */
const PERIOD_MIN = 0.01;

/** Operations on time and on other operations. */
export class SqeControl extends SqeMessages {
  /**
   * Completes with -ETIME after `ms` milliseconds (fractions down to the nanosecond), or with 0 once
   * `count` other completions have been posted, if `count` is not 0.
   * @param flags TIMEOUT_ values: TIMEOUT_ABS makes `ms` an absolute time. TIMEOUT_MULTISHOT (6.4) makes it a period of at
   * least 0.01, with `count` completions, or without end if that is 0.
   * io_uring_prep_timeout(3), 5.4
   */
  timeout(ms: number, count = 0, flags = 0): this {
    checkInt('count', count, 0, 0x7fffffff);
    checkU32('flags', flags);
    if (flags & abi.TIMEOUT_MULTISHOT && ms < PERIOD_MIN) throw rangeError('ms', `>= ${PERIOD_MIN}`, ms);
    return this.prep(abi.OP_TIMEOUT, -1, this.#time(ms, flags), 1, count).opFlags(flags);
  }

  /**
   * Cancels the operation before it in the link if that takes longer than `ms` milliseconds.
   * io_uring_prep_link_timeout(3), 5.5
   */
  linkTimeout(ms: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_LINK_TIMEOUT, -1, this.#time(ms, flags), 1, 0).opFlags(flags);
  }

  /** What an entry has for a time: a pointer, or with TIMEOUT_IMMEDIATE_ARG the nanoseconds. */
  #time(ms: number, flags: number): number {
    if (!(flags & abi.TIMEOUT_IMMEDIATE_ARG)) return this.timespec(ms);
    return Math.min(Math.round(checkDuration('ms', ms) * NS_PER_MS), NS_MAX);
  }

  /** @internal A struct __kernel_timespec in scratch memory. */
  timespec(ms: number): number {
    checkDuration('ms', ms);
    const scratch = this.scratch;
    const address = scratch.alloc(TIMESPEC.size);
    const seconds = Math.floor(ms / MS_PER_S);
    const at = scratch.start;
    scratch.bytes.writeUInt32LE(seconds % 2 ** 32, at);
    scratch.bytes.writeUInt32LE(Math.floor(seconds / 2 ** 32), at + 4);
    scratch.bytes.writeUInt32LE(
      Math.min(Math.round((ms - seconds * MS_PER_S) * NS_PER_MS), 999_999_999),
      at + 8,
    );
    scratch.bytes.writeUInt32LE(0, at + 12);
    return address;
  }

  /**
   * Cancels by user_data: completes with 0 (or the count, with ASYNC_CANCEL_ALL), -ENOENT when nothing
   * matched, -EALREADY when it was too far along. io_uring_prep_cancel64(3), 5.5
   */
  cancel(userData: number | bigint, flags = 0): this {
    checkU32('flags', flags);
    checkUserData('userData', userData);
    this.prep(abi.OP_ASYNC_CANCEL, -1, 0, 0, 0).opFlags(flags);
    return this.value64(SQE.addr, userData);
  }

  /** Cancels by descriptor. io_uring_prep_cancel_fd(3), 5.19 */
  cancelFd(fd: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_ASYNC_CANCEL, checkFd(fd), 0, 0, 0).opFlags(flags | abi.ASYNC_CANCEL_FD);
  }

  /** Cancels one operation with this OP_ value, or all with ASYNC_CANCEL_ALL. io_uring_prep_cancel(3), 6.6 */
  cancelOp(op: number, flags = 0): this {
    checkInt('op', op, 0, 255);
    checkU32('flags', flags);
    return this.prep(abi.OP_ASYNC_CANCEL, -1, 0, op, 0).opFlags(flags | abi.ASYNC_CANCEL_OP);
  }

  /** Cancels any one operation, or all with ASYNC_CANCEL_ALL. io_uring_prep_cancel(3), 5.19 */
  cancelAny(flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_ASYNC_CANCEL, -1, 0, 0, 0).opFlags(flags | abi.ASYNC_CANCEL_ANY);
  }

  /** Removes a timeout, which completes with -ECANCELED. io_uring_prep_timeout_remove(3), 5.5 */
  timeoutRemove(userData: number | bigint, flags = 0): this {
    checkU32('flags', flags);
    checkUserData('userData', userData);
    this.prep(abi.OP_TIMEOUT_REMOVE, -1, 0, 0, 0).opFlags(flags);
    return this.value64(SQE.addr, userData);
  }

  /**
   * Changes the time of a timeout, counted from now; LINK_TIMEOUT_UPDATE in `flags` for a linked one.
   * io_uring_prep_timeout_update(3), 5.11
   */
  timeoutUpdate(userData: number | bigint, ms: number, flags = 0): this {
    checkU32('flags', flags);
    checkUserData('userData', userData);
    const time = this.#time(ms, flags);
    this.prep(abi.OP_TIMEOUT_REMOVE, -1, 0, 0, time).opFlags(flags | abi.TIMEOUT_UPDATE);
    return this.value64(SQE.addr, userData);
  }

  /** Completes once, with the events of poll(2) in `mask` that `fd` has. io_uring_prep_poll_add(3) */
  pollAdd(fd: number, mask: number): this {
    checkU32('mask', mask);
    return this.prep(abi.OP_POLL_ADD, checkFd(fd), 0, 0, 0).opFlags(mask);
  }

  /**
   * Completes each time that `fd` becomes ready, until it is removed.
   * @param flags POLL_ADD_LEVEL: also while it stays ready. io_uring_prep_poll_multishot(3), 5.13
   */
  pollMultishot(fd: number, mask: number, flags = 0): this {
    checkU32('mask', mask);
    checkU32('flags', flags);
    return this.prep(abi.OP_POLL_ADD, checkFd(fd), 0, abi.POLL_ADD_MULTI | flags, 0).opFlags(mask);
  }

  /** Ends a poll, which completes with -ECANCELED. io_uring_prep_poll_remove(3) */
  pollRemove(userData: number | bigint): this {
    checkUserData('userData', userData);
    return this.prep(abi.OP_POLL_REMOVE, -1, 0, 0, 0).value64(SQE.addr, userData);
  }

  /**
   * Changes a poll: its events (POLL_UPDATE_EVENTS), its user_data (POLL_UPDATE_USER_DATA), or both.
   * io_uring_prep_poll_update(3), 5.13
   */
  pollUpdate(userData: number | bigint, newUserData: number | bigint, mask: number, flags: number): this {
    checkU32('mask', mask);
    checkU32('flags', flags);
    checkUserData('userData', userData);
    checkUserData('newUserData', newUserData);
    this.prep(abi.OP_POLL_REMOVE, -1, 0, flags, 0).opFlags(mask);
    return this.value64(SQE.off, newUserData).value64(SQE.addr, userData);
  }
}
