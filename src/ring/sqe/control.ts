import * as abi from '../abi.js';
import { checkDuration, checkFd, checkInt, checkU32 } from '../check.js';
import { TIMESPEC } from '../structs.js';
import { SqeSockets } from './sockets.js';

const NS_PER_MS = 1e6;
const MS_PER_S = 1000;

/** Operations that act on time and on other operations. */
export class SqeControl extends SqeSockets {
  /**
   * Completes with -ETIME after `ms` milliseconds (fractions down to the nanosecond), or with 0 once
   * `count` other completions have been posted, if `count` is not 0.
   * @param flags TIMEOUT_ values: TIMEOUT_ABS makes `ms` a time of the clock, not a duration.
   * io_uring_prep_timeout(3), 5.4
   */
  timeout(ms: number, count = 0, flags = 0): this {
    checkInt('count', count, 0, 0x7fffffff);
    checkU32('flags', flags);
    return this.prep(abi.OP_TIMEOUT, -1, this.timespec(ms), 1, count).opFlags(flags);
  }

  /**
   * Cancels the operation it is linked behind, if that takes longer than `ms` milliseconds.
   * io_uring_prep_link_timeout(3), 5.5
   */
  linkTimeout(ms: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_LINK_TIMEOUT, -1, this.timespec(ms), 1, 0).opFlags(flags);
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
    this.prep(abi.OP_ASYNC_CANCEL, -1, 0, 0, 0).opFlags(flags);
    return this.#target(userData);
  }

  /** Cancels by descriptor. io_uring_prep_cancel_fd(3), 5.19 */
  cancelFd(fd: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_ASYNC_CANCEL, checkFd(fd), 0, 0, 0).opFlags(flags | abi.ASYNC_CANCEL_FD);
  }

  #target(userData: number | bigint): this {
    // The target's user_data travels in addr: written as our own, then moved.
    const { words, at } = this;
    const low = words[at + 8]!;
    const high = words[at + 9]!;
    this.userData(userData);
    words[at + 4] = words[at + 8]!;
    words[at + 5] = words[at + 9]!;
    return this.userDataWords(low, high);
  }
}
