import * as abi from './abi.js';
import { EAGAIN, EBUSY, EINTR, EOPNOTSUPP, ETIME } from './errno.js';
import { systemError } from './errors.js';
import type { RingHandle } from './ring-handle.js';
import type { Scratch } from './scratch.js';
import { GETEVENTS_ARG, REG_WAIT } from './structs.js';
import type { SubmissionQueue } from './submission-queue.js';

/**
 * io_uring_enter(2): submitting, waiting, and the meaning of its errors. Once the kernel has consumed all entries, it
 * has copied what they pointed at in scratch memory, and the memory is reused.
 */
export class KernelEntry {
  readonly #handle: RingHandle;
  readonly #flags: number;
  readonly #scratch: Scratch;
  readonly #arg = Buffer.alloc(GETEVENTS_ARG.size);

  /** @param flags the ring's SETUP_ flags. */
  constructor(handle: RingHandle, flags: number, scratch: Scratch) {
    this.#handle = handle;
    this.#flags = flags;
    this.#scratch = scratch;
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
      if (taken >= 0) return this.#taken(sq, taken);
      if (taken === EINTR && waitNr > 0) continue;
      if (taken === EINTR || taken === EAGAIN || taken === EBUSY) return this.#taken(sq, 0);
      throw systemError(taken, 'io_uring_enter');
    }
  }

  /** As `enter`, without waiting. One of the entries closes a descriptor that this worker would close when it ends. */
  enterClosing(sq: SubmissionQueue, toSubmit: number, fd: number): number {
    return this.#limited(sq, this.#handle.enterClosing(toSubmit, abi.ENTER_GETEVENTS, fd));
  }

  /** As `enter`, with a limit. `timespec` is an address, `minWait` is in microseconds. */
  enterUntil(
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
    const failed = this.#handle.enter(0, 0, abi.ENTER_SQ_WAIT);
    if (failed < 0 && failed !== EINTR) throw systemError(failed, 'io_uring_enter');
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
