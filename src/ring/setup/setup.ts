/** io_uring_setup(2): creating a ring, with fallbacks for older kernels. */

import { EINVAL } from '../../sys/abi/errno.js';
import { checkInt, checkU32 } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argValueError, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import * as abi from '../abi/io-uring.js';
import { PARAMS } from '../abi/structs.js';
import { setupError } from './availability.js';
import { RingMemory } from './ring-memory.js';

/** How a ring is set up, io_uring_setup(2). */
export interface RingOptions {
  /** Required SETUP_ flags: it is an error if the kernel refuses them. */
  flags?: number | undefined;
  /** Optional SETUP_ flags: they are removed, newest first, until the kernel accepts. Default SETUP_NO_SQARRAY. */
  optionalFlags?: number | undefined;
  /** The size of the completion queue; the kernel's default is twice the submission queue's. */
  cqEntries?: number | undefined;
  /** The CPU of the SQPOLL thread. */
  sqThreadCpu?: number | undefined;
  /** Milliseconds without work after which the SQPOLL thread sleeps; the kernel's default is 1000. */
  sqThreadIdle?: number | undefined;
  /** The fd of a ring whose worker threads this one shares. SETUP_ATTACH_WQ */
  wqFd?: number | undefined;
}

const OPTIONS = optionNames<RingOptions>({
  flags: true,
  optionalFlags: true,
  cqEntries: true,
  sqThreadCpu: true,
  sqThreadIdle: true,
  wqFd: true,
});

/** Optional flags in the order of removal, newest first. With NO_MMAP older kernels take at most a huge page. */
const PEEL = [
  abi.SETUP_NO_MMAP,
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

const SQ_ENTRIES_MAX = 32768;
const CQ_ENTRIES_MAX = 65536;

/** A new ring from the kernel. */
interface NewRing {
  /** Its descriptor, or with SETUP_REGISTERED_FD_ONLY its index among the registered ones. */
  fd: number;
  /** The kernel's answer, struct io_uring_params. */
  params: Buffer;
  memory: RingMemory;
}

/** The parts of a ring that resizing needs. */
interface Resizable {
  readonly fd: number;
  readonly features: number;
  register(opcode: number, arg: Uint8Array | null, count: number): number;
  close(): void;
}

/** Makes a ring. */
export function setupRing(entries: number, options: RingOptions): NewRing {
  checkInt('entries', entries, 1, 0x7fffffff);
  checkOptions(options, OPTIONS);
  const params = Buffer.alloc(PARAMS.size);
  let required = checkU32('options.flags', options.flags ?? 0);
  let optional = checkU32('options.optionalFlags', options.optionalFlags ?? abi.SETUP_NO_SQARRAY);
  if ((required | optional) & abi.SETUP_SQ_REWIND) {
    throw argValueError('options.flags', 'must not have SQ_REWIND: the queue is a ring here', options.flags);
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
    const lent = (required | optional) & abi.SETUP_NO_MMAP ? lend(entries, params) : undefined;
    const fd = libc().ioUringSetup(entries, params, !((required | optional) & abi.SETUP_REGISTERED_FD_ONLY));
    if (fd >= 0) return { fd, params, memory: lent ?? map(fd, params) };
    lent?.unmap();
    const peel = PEEL.find(flag => (optional & ~required & flag) !== 0);
    if (peel === undefined || fd !== EINVAL) throw setupError(fd);
    optional &= ~peel;
  }
}

/** `value` rounded as the kernel does. */
function powerOfTwo(value: number, max: number): number {
  return value >= max ? max : 2 ** Math.ceil(Math.log2(value));
}

function lend(entries: number, params: Buffer): RingMemory {
  const sqEntries = powerOfTwo(entries, SQ_ENTRIES_MAX);
  const cqEntries = params.readUInt32LE(PARAMS.cq_entries);
  return RingMemory.lent(
    sqEntries,
    cqEntries === 0 ? sqEntries * 2 : powerOfTwo(cqEntries, CQ_ENTRIES_MAX),
    params,
  );
}

function map(fd: number, params: Buffer): RingMemory {
  try {
    return RingMemory.mapped(fd, params);
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/**
 * Makes the kernel create queues of these sizes with the old contents. Returns their memory; if that fails, the ring is
 * lost.
 */
export function resizedMemory(ring: Resizable, params: Buffer): RingMemory {
  const failed = ring.register(abi.REGISTER_RESIZE_RINGS, params, 1);
  if (failed < 0) throw systemError(failed, 'io_uring_register');
  params.writeUInt32LE(ring.features, PARAMS.features);
  try {
    return RingMemory.mapped(ring.fd, params);
  } catch (error) {
    ring.close();
    throw error;
  }
}

/** The new sizes of a ring, as struct io_uring_params. */
export function resizeParams(entries: number, cqEntries: number | undefined): Buffer {
  const params = Buffer.alloc(PARAMS.size);
  params.writeUInt32LE(checkInt('entries', entries, 1, 0x7fffffff), PARAMS.sq_entries);
  if (cqEntries !== undefined) {
    params.writeUInt32LE(checkInt('cqEntries', cqEntries, 1, 0x7fffffff), PARAMS.cq_entries);
    params.writeUInt32LE(abi.SETUP_CQSIZE, PARAMS.flags);
  }
  return params;
}
