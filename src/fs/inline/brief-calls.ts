/** The budget of a turn for plain calls on names and directories, before they would delay everything else. */
import type { Loop } from '../../loop/loop.js';
import { perLoop } from '../../loop/per-loop.js';
import { now } from '../../loop/real-timers.js';
import type { FileCalls } from '../../sys/calls/file-calls.js';
import type { Device } from './devices.js';
import { WritePressure } from './write-pressure.js';

/** What a change of names makes dirty, in bytes: journal blocks, the inode and the directory. */
export const DIRTIED = 16384;

/** A call that took longer than this was slow, in milliseconds. */
const SLOW_MS = 1;

/**
 * Plain calls that hardly ever wait but may: decides whether one is made at once, and measures it. A call that has
 * waited opens the breaker of its device.
 *
 * On a busy machine most calls that take long have only lost the CPU. So the calls after a long one are watched: the
 * thread's wait count tells whether they wait.
 */
class BriefCalls {
  readonly #loop: Loop;
  readonly #calls: FileCalls;
  readonly #pressure = new WritePressure();
  #began = 0;
  /** The thread's wait count before the call; -1 if it was not read. */
  #waits = -1;

  constructor(loop: Loop) {
    this.#loop = loop;
    this.#calls = loop.calls;
  }

  /**
   * Whether to make a call on a device at once. If so, `end` must follow right after it.
   * @param dirty bytes that it makes dirty.
   * @param bytes that could be copied in the same time, in addition to `calls` short calls.
   */
  begin(device: Device, dirty: number, bytes: number, calls = 1): boolean {
    const { inline } = this.#loop;
    if (!inline.writes || !device.defers) return false;
    const time = now();
    if (device.breaker.isOpen(time)) return false;
    if (!device.inMemory && !this.#pressure.allows(dirty, time)) return false;
    return this.#take(device, bytes, calls);
  }

  /** Whether a device has been slow recently. */
  isSlow(device: Device): boolean {
    return device.breaker.isOpen(now());
  }

  /** As `begin`, for a call that only reads. */
  beginReading(device: Device, calls: number): boolean {
    return !this.isSlow(device) && this.#take(device, 0, calls);
  }

  #take(device: Device, bytes: number, calls: number): boolean {
    if (!this.#loop.inline.take(bytes, calls)) return false;
    this.#waits = device.breaker.watches ? this.#calls.timesWaited() : -1;
    this.#began = now();
    return true;
  }

  end(device: Device): void {
    const time = now();
    const elapsed = time - this.#began;
    if (elapsed <= SLOW_MS) return;
    if (this.#waits === -1) device.breaker.suspect();
    else if (this.#calls.timesWaited() !== this.#waits) device.breaker.open(time, elapsed);
  }
}

/** A loop's calls that hardly ever wait. */
export const briefCalls = perLoop(loop => new BriefCalls(loop));
