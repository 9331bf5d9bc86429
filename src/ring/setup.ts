/** io_uring_setup(2): making a ring, and making do with what an older kernel knows. */

import * as abi from './abi.js';
import { setupError } from './availability.js';
import { checkInt, checkU32 } from './check.js';
import { EINVAL } from './errno.js';
import { argValueError } from './errors.js';
import { libc } from './libc.js';
import { PARAMS } from './structs.js';

/** How a ring is set up, io_uring_setup(2). */
export interface RingOptions {
  /** SETUP_ flags that must hold: the kernel's refusal is an error. */
  flags?: number;
  /** SETUP_ flags that are left out, newest first, until the kernel agrees. Default SETUP_NO_SQARRAY. */
  optionalFlags?: number;
  /** The size of the completion queue; the kernel's default is twice the submission queue's. */
  cqEntries?: number;
  /** The CPU of the SQPOLL thread. */
  sqThreadCpu?: number;
  /** Milliseconds without work after which the SQPOLL thread sleeps; the kernel's default is 1000. */
  sqThreadIdle?: number;
  /** The fd of a ring whose worker threads this one shares. SETUP_ATTACH_WQ */
  wqFd?: number;
}

/** Flags that may be peeled off, the newest first. */
const PEEL = [
  abi.SETUP_SQ_REWIND,
  abi.SETUP_SQE_MIXED,
  abi.SETUP_CQE_MIXED,
  abi.SETUP_HYBRID_IOPOLL,
  abi.SETUP_NO_SQARRAY,
  abi.SETUP_DEFER_TASKRUN,
  abi.SETUP_SINGLE_ISSUER,
  abi.SETUP_TASKRUN_FLAG,
  abi.SETUP_COOP_TASKRUN,
  abi.SETUP_SUBMIT_ALL,
  abi.SETUP_ATTACH_WQ,
  abi.SETUP_CLAMP,
];

/** What a ring cannot be had with here: its memory is mapped from its fd, and its fd must be real. */
const UNSUPPORTED = abi.SETUP_NO_MMAP | abi.SETUP_REGISTERED_FD_ONLY | abi.SETUP_SQ_REWIND;

/** Makes a ring; the kernel's answer is in the returned struct io_uring_params. */
export function setupRing(entries: number, options: RingOptions): { fd: number; params: Buffer } {
  checkInt('entries', entries, 1, 0x7fffffff);
  const params = Buffer.alloc(PARAMS.size);
  let required = checkU32('options.flags', options.flags ?? 0);
  let optional = checkU32('options.optionalFlags', options.optionalFlags ?? abi.SETUP_NO_SQARRAY);
  if ((required | optional) & UNSUPPORTED) {
    throw argValueError(
      'options.flags',
      'must not have NO_MMAP, REGISTERED_FD_ONLY or SQ_REWIND',
      options.flags,
    );
  }
  if (options.cqEntries !== undefined) {
    required |= abi.SETUP_CQSIZE;
    params.writeUInt32LE(checkInt('options.cqEntries', options.cqEntries, 1, 0x7fffffff), PARAMS.cq_entries);
  }
  if (options.sqThreadCpu !== undefined) {
    required |= abi.SETUP_SQ_AFF;
    params.writeUInt32LE(
      checkInt('options.sqThreadCpu', options.sqThreadCpu, 0, 0xffff),
      PARAMS.sq_thread_cpu,
    );
  }
  if (options.sqThreadIdle !== undefined) {
    const idle = checkInt('options.sqThreadIdle', options.sqThreadIdle, 0, 0x7fffffff);
    params.writeUInt32LE(idle, PARAMS.sq_thread_idle);
  }
  if (options.wqFd !== undefined) {
    required |= abi.SETUP_ATTACH_WQ;
    params.writeUInt32LE(checkInt('options.wqFd', options.wqFd, 0, 0x7fffffff), PARAMS.wq_fd);
  }
  for (;;) {
    params.writeInt32LE(required | optional, PARAMS.flags);
    const fd = libc().ioUringSetup(entries, params);
    if (fd >= 0) return { fd, params };
    const peel = PEEL.find(flag => (optional & ~required & flag) !== 0);
    if (fd !== EINVAL || peel === undefined) throw setupError(fd);
    optional &= ~peel;
  }
}
