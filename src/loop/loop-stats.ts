import type { BlockStats } from './memory/blocks.js';

/** Counters of a loop. All except the totals return to zero when nothing is in flight. */
export interface LoopStats {
  /** Operations in flight. */
  inFlight: number;
  /** Operations in flight that keep the process alive. */
  referenced: number;
  /** Operations started, in total. */
  submitted: number;
  /** Completions delivered, in total. */
  completed: number;
  /** Completions whose operation no longer existed, in total: 0 unless something is wrong. */
  stale: number;
  /** io_uring_enter(2) calls, in total. */
  enters: number;
  /** Turns of the loop, in total. */
  turns: number;
  /** Completions that the kernel lost, in total: 0 on every supported kernel. */
  overflow: number;
  /** Memory for bytes in flight. */
  blocks: BlockStats;
}
