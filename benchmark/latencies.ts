/** How often each latency was seen: what a program in JavaScript prints of them. */
import type { LatencyCount } from './scenario.js';

export class Latencies {
  /** By microseconds. */
  readonly #counts = new Map<number, number>();

  add(milliseconds: number): void {
    // Three digits are as many as the histogram has.
    const us = Math.round(Number(Math.max(0, milliseconds * 1000).toPrecision(3)));
    this.#counts.set(us, (this.#counts.get(us) ?? 0) + 1);
  }

  toJSON(): LatencyCount[] {
    return [...this.#counts].map(([us, count]) => [us * 1000, count]);
  }
}
