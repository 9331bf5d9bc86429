import { EAGAIN, EBUSY, EINTR, EOPNOTSUPP, ETIME } from '../../sys/abi/errno.js';
import { systemError } from '../../sys/errors/errors.js';
import type { Scratch } from '../../sys/memory/scratch.js';
import * as abi from '../abi/io-uring.js';
import { GETEVENTS_ARG, REG_WAIT } from '../abi/structs.js';
import type { RingHandle } from '../setup/ring-handle.js';
import type { SubmissionQueue } from './submission-queue.js';

/** A ring's current completion queue, which a resize replaces. */
interface Completing {
  readonly cq: { readonly ready: number };
}

/** Writes a struct __kernel_timespec; returns its address. */
interface Timespecs {
  timespec(ms: number): number;
}

/**
 * io_uring_enter(2): submitting, waiting, and the meaning of its errors. Once the kernel has consumed all entries, it
 * has copied what they pointed at in scratch memory, and the memory is reused.
 */
export class KernelEntry {
  readonly #handle: RingHandle;
  readonly #flags: number;
  readonly #scratch: Scratch;
  readonly #ring: Completing;
  readonly #arg = Buffer.alloc(GETEVENTS_ARG.size);

  /** @param flags the ring's SETUP_ flags. */
  constructor(handle: RingHandle, flags: number, scratch: Scratch, ring: Completing) {
    this.#handle = handle;
    this.#flags = flags;
    this.#scratch = scratch;
    this.#ring = ring;
  }

  /** Submits published entries, and may wait. Returns how many the kernel took. */
  enter(sq: SubmissionQueue, toSubmit: number, waitNr: number, getEvents: boolean): number {
    let flags = getEvents ? abi.ENTER_GETEVENTS : 0;
    if (this.#flags & abi.SETUP_SQPOLL) {
      // The SQPOLL thread takes the entries. It only has to be awake.
      flags |= this.#wakeFlag(sq, toSubmit);
      if (flags === 0) return this.#taken(sq, toSubmit);
    } else if (toSubmit === 0 && !getEvents) {
      return this.#taken(sq, 0);
    }
    for (;;) {
      const taken = this.#handle.enter(toSubmit, waitNr, flags);
      if (taken >= 0) {
        if (waitNr !== 0 && taken === toSubmit) this.#waitOn(sq, waitNr);
        return this.#taken(sq, taken);
      }
      if (taken === EINTR && waitNr > 0) continue;
      if (taken === EINTR || taken === EAGAIN || taken === EBUSY) return this.#taken(sq, 0);
      throw systemError(taken, 'io_uring_enter');
    }
  }

  /** A signal ends the wait too, and the kernel reports that only if it took no entries. */
  #waitOn(sq: SubmissionQueue, waitNr: number): void {
    while (this.#isInterrupted(sq)) {
      const failed = this.#handle.enter(0, waitNr, abi.ENTER_GETEVENTS);
      if (failed < 0 && failed !== EINTR) throw systemError(failed, 'io_uring_enter');
    }
  }

  /**
   * Whether a signal has ended a wait. With too few completions that may have been a timeout that passed. With
   * SETUP_IOPOLL the kernel does not wait if there is nothing to poll.
   */
  #isInterrupted(sq: SubmissionQueue): boolean {
    if (this.#flags & abi.SETUP_IOPOLL || sq.flags & abi.SQ_CQ_OVERFLOW) return false;
    return this.#ring.cq.ready === 0;
  }

  /** As `enter`, without waiting. One of the entries closes a descriptor that this worker would close when it ends. */
  enterClosing(sq: SubmissionQueue, toSubmit: number, fd: number): number {
    return this.#limited(sq, this.#handle.enterClosing(toSubmit, abi.ENTER_GETEVENTS, fd));
  }

  /** As `enter`, with a limit in milliseconds. After `minWait` microseconds a single completion is enough. */
  enterUntil(
    sq: SubmissionQueue,
    toSubmit: number,
    waitNr: number,
    timeout: number,
    minWait: number,
    times: Timespecs,
  ): number {
    const start = waitNr === 0 ? 0 : process.uptime();
    const taken = this.#enterUntil(sq, toSubmit, waitNr, times.timespec(timeout), minWait);
    if (waitNr === 0 || taken !== toSubmit) return taken;
    for (;;) {
      const passed = (process.uptime() - start) * 1000;
      const minLeft = Math.max(Math.ceil(minWait - passed * 1000), 0);
      if (passed >= timeout || !this.#isInterrupted(sq)) return taken;
      const enough = minWait !== 0 && minLeft === 0 ? 1 : waitNr;
      this.#enterUntil(sq, 0, enough, times.timespec(timeout - passed), minLeft);
    }
  }

  #enterUntil(
    sq: SubmissionQueue,
    toSubmit: number,
    waitNr: number,
    timespec: number,
    minWait: number,
  ): number {
    const arg = this.#arg;
    arg.writeUInt32LE(minWait, GETEVENTS_ARG.min_wait_usec);
    arg.writeBigUInt64LE(BigInt(timespec), GETEVENTS_ARG.ts);
    const flags = abi.ENTER_GETEVENTS | abi.ENTER_EXT_ARG | this.#wakeFlag(sq, toSubmit);
    return this.#limited(sq, this.#handle.enterArg(toSubmit, waitNr, flags, arg));
  }

  /** As `enter`, with the terms of entry `index` of the wait region. */
  enterByRegion(sq: SubmissionQueue, toSubmit: number, waitNr: number, index: number): number {
    const wait = abi.ENTER_GETEVENTS | abi.ENTER_EXT_ARG | abi.ENTER_EXT_ARG_REG;
    const flags = wait | this.#wakeFlag(sq, toSubmit);
    return this.#limited(
      sq,
      this.#handle.enter(toSubmit, waitNr, flags, index * REG_WAIT.size, REG_WAIT.size),
    );
  }

  #wakeFlag(sq: SubmissionQueue, toSubmit: number): number {
    if (!(this.#flags & abi.SETUP_SQPOLL) || toSubmit === 0) return 0;
    return sq.flags & abi.SQ_NEED_WAKEUP ? abi.ENTER_SQ_WAKEUP : 0;
  }

  /** Waits until the SQPOLL thread has made room. */
  waitForRoom(sq: SubmissionQueue): void {
    do {
      const failed = this.#handle.enter(0, 0, abi.ENTER_SQ_WAIT);
      if (failed < 0 && failed !== EINTR) throw systemError(failed, 'io_uring_enter');
    } while (sq.look() === sq.entries);
    this.#taken(sq, 0);
  }

  /** The result of a wait that may time out. */
  #limited(sq: SubmissionQueue, result: number): number {
    if (result >= 0) return this.#taken(sq, result);
    if (result === ETIME || result === EINTR || result === EAGAIN || result === EBUSY)
      return this.#taken(sq, 0);
    throw systemError(result, 'io_uring_enter');
  }

  #taken(sq: SubmissionQueue, count: number): number {
    if (sq.look() === 0) this.#scratch.reset();
    return count;
  }

  /** Whether every wait counts as iowait from now on. @param features the kernel's FEAT_ flags. */
  setIowait(enabled: boolean, features: number): void {
    if (!(features & abi.FEAT_NO_IOWAIT)) throw systemError(EOPNOTSUPP, 'io_uring_set_iowait');
    this.#handle.setIowait(enabled);
  }
}
