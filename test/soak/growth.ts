/** Whether what a soaked process holds has grown. */
import { median } from '../../benchmark/statistics.js';
import type { Sample } from './report.js';

/** What must not grow: by which part of what it was after the warm-up, and beside that by how much. */
const BOUNDS = {
  memory: { part: 0.05, plus: 0 },
  heap: { part: 0.1, plus: 8 },
  // What is under way comes and goes: a leak of one in a hundred rounds is more after an hour.
  descriptors: { part: 0.1, plus: 24 },
  slots: { part: 0.1, plus: 24 },
  blocks: { part: 0.1, plus: 2 ** 20 },
  // The machine's own load comes and goes.
  median: { part: 1, plus: 10 },
  slowest: { part: 1, plus: 50 },
} as const;

/** What a terminated worker leaves in Node without this package, in MiB: 27 to 58 KiB on Node 20, as the C library has it. */
const WORKER = 40 / 1024;

export type Measure = keyof typeof BOUNDS;
export const MEASURES = Object.keys(BOUNDS) as Measure[];

/** The part of the time in which caches fill, pools grow and code is compiled. */
const WARM_UP = 0.25;
/** With fewer samples chance decides. */
const SAMPLES_MIN = 60;

/** How a measure went: its medians in the first third after the warm-up and in the last one. */
export interface Trend {
  readonly measure: Measure;
  readonly before: number;
  readonly after: number;
  readonly grows: boolean;
}

/** The trends of all measures; none of too few samples. */
export function trendsOf(samples: readonly Sample[]): Trend[] {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  if (warm.length < SAMPLES_MIN) return [];
  const third = Math.floor(warm.length / 3);
  const both = (measure: Measure | 'workers'): [before: number, after: number] => {
    const of = (part: readonly Sample[]): number => median(part.map(sample => sample[measure]));
    return [of(warm.slice(0, third)), of(warm.slice(-third))];
  };
  const [workersBefore, workersAfter] = both('workers');
  return MEASURES.map(measure => {
    const [before, after] = both(measure);
    const { part, plus } = BOUNDS[measure];
    const nodes = measure === 'memory' ? (workersAfter - workersBefore) * WORKER : 0;
    return { measure, before, after, grows: after > before * (1 + part) + plus + nodes };
  });
}
