/** What is said of a handful of measurements. */

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median, and how far the others lie from it. */
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
 * How much more one takes than another: the median over the rounds of their ratio in each. What slows a
 * whole round down, as a busy neighbour does, falls out.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length || ours.length === 0) throw new RangeError('not the same rounds');
  return median(ours.map((value, round) => value / theirs[round]!));
}
