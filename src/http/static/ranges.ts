/** A part of a file, both ends included. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** If more ranges are requested, the whole file is sent. */
const RANGES_MAX = 16;
const ONE = /^(\d*)-(\d*)$/;

/**
 * The parts that a `Range` header requests: null if it does not apply, and the whole file is sent; an empty list if
 * none of them is in the file. RFC 9110, 14.2
 */
export function rangesOf(header: string, size: number): Range[] | null {
  const [unit, list, more] = header.split('=');
  if (unit!.trim().toLowerCase() !== 'bytes' || list === undefined || more !== undefined) return null;
  // A list may have empty elements. RFC 9110, 5.6.1
  const specs = list
    .split(',')
    .map(spec => spec.trim())
    .filter(spec => spec !== '');
  if (specs.length === 0 || specs.length > RANGES_MAX) return null;
  const ranges: Range[] = [];
  for (const spec of specs) {
    const [, first, last] = ONE.exec(spec) ?? [];
    if (first === undefined || last === undefined || (first === '' && last === '')) return null;
    if (first === '') {
      const length = Math.min(Number(last), size);
      // All of an empty file, which no Content-Range can name.
      if (size === 0 && Number(last) > 0) return null;
      if (length > 0) ranges.push({ start: size - length, end: size - 1 });
      continue;
    }
    const start = Number(first);
    if (last !== '' && Number(last) < start) return null;
    if (start < size) ranges.push({ start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) });
  }
  return overlap(ranges) ? null : ranges;
}

/** Whether ranges overlap, which a peer can request to cause much traffic. RFC 9110, 14.2 */
function overlap(ranges: readonly Range[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  return sorted.some((range, i) => i !== 0 && range.start <= sorted[i - 1]!.end);
}
