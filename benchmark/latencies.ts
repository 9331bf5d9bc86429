/** Counts latencies, for the output of programs in JavaScript. */
import type { LatencyCount } from './scenario.js';

export class Latencies {
  /** Counts by microseconds. */
  readonly #counts = new Map<number, number>();

  add(milliseconds: number): void {
    // The histogram has no more than three digits.
    const us = Math.round(Number(Math.max(0, milliseconds * 1000).toPrecision(3)));
    this.#counts.set(us, (this.#counts.get(us) ?? 0) + 1);
  }

  toJSON(): LatencyCount[] {
    return [...this.#counts].map(([us, count]) => [us * 1000, count]);
  }
}
