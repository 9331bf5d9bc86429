/** Statistics of a few measurements. */
import * as hdr from 'hdr-histogram-js';
import type { LatencyCount } from './scenario.js';

/** The middle value, or the mean of the two in the middle; NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median, and the spread around it. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** @throws RangeError if there is no value. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The ratio of two series: the median over the rounds of the ratio in each round. A cause that slows a whole round
 * down, such as a busy neighbour, cancels out.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length || ours.length === 0) throw new RangeError('not the same rounds');
  return median(ours.map((value, round) => value / theirs[round]!));
}

/** Microseconds. */
export interface Latency {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** Latencies of all rounds; undefined without any. */
export function latencyOf(rounds: readonly LatencyCount[][]): Latency | undefined {
  const histogram = hdr.build({
    bitBucketSize: 64,
    highestTrackableValue: 2 ** 40,
    numberOfSignificantValueDigits: 3,
  });
  for (const counts of rounds) {
    for (const [nanoseconds, count] of counts) histogram.recordValueWithCount(nanoseconds, count);
  }
  if (histogram.totalCount === 0) return undefined;
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.maxValue / 1000 };
}
