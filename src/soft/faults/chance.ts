/** Random numbers seeded by the environment variable UASYNC_FAULTS: see faults.ts. */
import { EAGAIN, EINTR } from '../../sys/abi/errno.js';
import { argValueError } from '../../sys/errors/errors.js';

const VARIABLE = 'UASYNC_FAULTS';
/** The probability of each fault that an operation can have. */
const RATE = 0.06;

/** Decides whether a fault happens, and which. The same seed gives the same sequence. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** This thread's generator, if the environment requests faults. @param salt makes it differ from others. */
  static asked(salt: number): Chance | null {
    const seed = process.env[VARIABLE];
    if (seed === undefined || seed === '') return null;
    if (!/^\d{1,10}$/.test(seed))
      throw argValueError(VARIABLE, 'must be a whole number of up to 10 digits', seed);
    const { threadId } = process.getBuiltinModule('node:worker_threads');
    return new Chance(Number(seed) + threadId + salt * 0x9e3779b9);
  }

  /** A number from 0 to 1. */
  random(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  happens(): boolean {
    return this.random() < RATE;
  }

  /** 0, or EINTR. */
  interruption(): number {
    return this.happens() ? EINTR : 0;
  }

  /** 0, or an error of a non-blocking call that has done nothing: EAGAIN or EINTR. */
  refusal(): number {
    if (!this.happens()) return 0;
    return this.random() < 0.5 ? EAGAIN : EINTR;
  }

  /** From 1 to `length`. */
  part(length: number): number {
    return Math.ceil(this.random() * length) || 1;
  }
}
