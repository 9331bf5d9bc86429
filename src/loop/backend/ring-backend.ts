import * as abi from '../../ring/abi/io-uring.js';
import { BufRing } from '../../ring/registered/buf-ring.js';
import type { Ring } from '../../ring/ring.js';
import { probeOps } from '../../ring/setup/probe.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { EAGAIN, EINVAL, ENOMEM } from '../../sys/abi/errno.js';
import { UasyncError } from '../../sys/errors/errors.js';
import { isMainThread } from '../../sys/main-thread.js';
import { LooseBuffers } from '../memory/loose-buffers.js';
import type { ProvidedBuffers, ProvidedBuffersOptions } from '../memory/provided-buffers.js';
import { RegisteredBuffers } from '../memory/registered-buffers.js';
import type { Backend } from './backend.js';
import { fittingRing } from './fitting-ring.js';
import { RingWakeUp } from './ring-wake-up.js';

/** The flags requested for the ring; older kernels have fewer. */
const SETUP_FLAGS =
  // Memory that the kernel maps would keep the ring of a terminated worker, and everything in flight on it: its
  // listeners would continue to accept.
  (isMainThread ? 0 : abi.SETUP_NO_MMAP) |
  abi.SETUP_NO_SQARRAY |
  abi.SETUP_SINGLE_ISSUER |
  abi.SETUP_DEFER_TASKRUN |
  abi.SETUP_TASKRUN_FLAG |
  abi.SETUP_COOP_TASKRUN |
  abi.SETUP_SUBMIT_ALL |
  abi.SETUP_CLAMP;

const OLD_KERNEL = 'Sockets on io_uring need Linux 6.0; without UASYNC_BACKEND=io_uring they run on epoll';

/** Executes entries with the kernel's io_uring. */
export class RingBackend implements Backend {
  readonly kind = 'io_uring';
  readonly completesAtOnce = false;
  readonly queues: Ring;
  readonly wakeUp: RingWakeUp;
  readonly fixedBuffers: RegisteredBuffers;
  readonly ops: ReadonlySet<number>;
  readonly sendsToAddress: boolean;
  readonly installsFiles: boolean;

  /**
   * @param entries,cqEntries at most; see `fittingRing`.
   * @param without SETUP_ flags to omit, as on an older kernel: for tests.
   */
  constructor(entries: number, cqEntries: number, without = 0) {
    const ring = fittingRing(entries, cqEntries, SETUP_FLAGS & ~without);
    this.queues = ring;
    try {
      registerRingFd(ring);
      this.ops = probeOps(ring);
      this.wakeUp = new RingWakeUp(ring);
    } catch (error) {
      ring.close();
      throw error;
    }
    this.fixedBuffers = new RegisteredBuffers(ring);
    // 6.0 supports this without an opcode of its own; this one came with 6.1.
    this.sendsToAddress = this.ops.has(abi.OP_SENDMSG_ZC);
    const deferred = (ring.flags & abi.SETUP_DEFER_TASKRUN) !== 0;
    this.installsFiles = deferred && this.ops.has(abi.OP_FIXED_FD_INSTALL);
  }

  readonly elsewhere = 0;

  /** Memory that the kernel could not be made to release stays its own for ever. */
  whenBack(): void {}

  installFile(index: number, low: number, high: number): number {
    return this.queues.installFile(index, low, high);
  }

  closeSocket(_fd: number): number {
    return EAGAIN;
  }

  registerFiles(count: number): void {
    // Sparse tables came with 5.19, as did this operation.
    if (!this.ops.has(abi.OP_SOCKET))
      throw new UasyncError('ERR_UNSUPPORTED', 'Registered files need Linux 5.19');
    this.queues.registerFilesSparse(count);
  }

  allowWaiters(count: number): void {
    try {
      this.queues.registerIowqMaxWorkers(count, 0);
    } catch {
      // Before 5.15 the kernel's own limits apply.
    }
  }

  provideBuffers(
    group: number,
    { piecewise, ...options }: ProvidedBuffersOptions,
    entry: () => Sqe,
  ): ProvidedBuffers | undefined {
    try {
      return new BufRing(this.queues, { group, ...options, flags: piecewise ? abi.PBUF_RING_INC : 0 });
    } catch (error) {
      const { errno } = error as UasyncError;
      // Before 6.12.
      if (piecewise && (errno === EINVAL || errno === ENOMEM)) return undefined;
      if (errno === EINVAL) throw new UasyncError('ERR_UNSUPPORTED', OLD_KERNEL, { cause: error });
      if (errno !== ENOMEM) throw error;
      return new LooseBuffers(group, options, entry);
    }
  }

  close(): void {
    this.wakeUp.close();
    this.queues.close();
  }
}

/** Saves the kernel a descriptor lookup per system call, which other threads make more expensive. */
function registerRingFd(ring: Ring): void {
  try {
    ring.registerRingFd();
  } catch (error) {
    // Before 5.18, or a thread with 16 rings.
    if (!(error instanceof UasyncError)) throw error;
  }
}
