/** struct io_uring_sync_cancel_reg, and its options. */

import { checkDuration, checkFd, checkInt, checkU32, checkU64 } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import * as abi from '../abi/io-uring.js';
import { SYNC_CANCEL_REG } from '../abi/structs.js';

/** The operations that `syncCancel` cancels: those that match all that is given, together since 6.6. */
export interface SyncCancelTarget {
  /** The user_data of the operation. */
  userData?: number | bigint | undefined;
  /** The descriptor that the operations use. */
  fd?: number | undefined;
  /** An OP_ value, 6.6. */
  op?: number | undefined;
  /** More ASYNC_CANCEL_ flags, for instance ASYNC_CANCEL_ALL. */
  flags?: number | undefined;
  /** Milliseconds to wait for operations that cannot be cancelled at once. Without it there is no limit. */
  timeout?: number | undefined;
}

const CANCEL_TARGET = optionNames<SyncCancelTarget>({
  userData: true,
  fd: true,
  op: true,
  flags: true,
  timeout: true,
});

/** Checks `target` and converts it to the kernel's struct. */
export function syncCancelReg(target: SyncCancelTarget): Buffer {
  checkOptions(target, CANCEL_TARGET, 'target');
  const { userData, fd, op, timeout } = target;
  let flags = checkU32('target.flags', target.flags ?? 0);
  const reg = Buffer.alloc(SYNC_CANCEL_REG.size);
  reg.writeBigUInt64LE(checkU64('target.userData', userData ?? 0), SYNC_CANCEL_REG.addr);
  reg.writeInt32LE(fd === undefined ? -1 : checkFd(fd), SYNC_CANCEL_REG.fd);
  if (fd !== undefined) flags |= abi.ASYNC_CANCEL_FD;
  if (op !== undefined) {
    flags |= abi.ASYNC_CANCEL_OP;
    reg.writeUInt8(checkInt('target.op', op, 0, 255), SYNC_CANCEL_REG.opcode);
  }
  // Without this flag the kernel ignores the user_data of operations on a descriptor or of a kind.
  if (userData !== undefined && (fd ?? op) !== undefined) flags |= abi.ASYNC_CANCEL_USERDATA;
  reg.writeUInt32LE(flags >>> 0, SYNC_CANCEL_REG.flags);
  const ms = timeout === undefined ? undefined : checkDuration('target.timeout', timeout);
  const seconds = ms === undefined ? -1 : Math.floor(ms / 1000);
  const nanoseconds = ms === undefined ? -1 : Math.floor((ms - seconds * 1000) * 1e6);
  reg.writeBigInt64LE(BigInt(seconds), SYNC_CANCEL_REG.timeout);
  reg.writeBigInt64LE(BigInt(nanoseconds), SYNC_CANCEL_REG.timeout + 8);
  return reg;
}
