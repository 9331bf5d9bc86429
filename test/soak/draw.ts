/** What soaked processes held, over time, as one SVG. */
import * as Plot from '@observablehq/plot';
import { svg } from '../../benchmark/chart.js';
import { MEASURES, type Measure } from './growth.js';
import type { Sample } from './report.js';

const TITLES: Record<Measure, string> = {
  memory: 'resident memory, MiB',
  heap: 'JavaScript’s heap and buffers, MiB',
  descriptors: 'descriptors',
  slots: 'operations in flight',
  blocks: 'blocks in use, bytes',
  median: 'delay of the event loop, ms: median',
  slowest: 'delay of the event loop, ms: 99 of 100',
};
const COLOURS: Record<string, string> = { io_uring: '#e8590c', epoll: '#3b82f6' };
const WIDTH = 900;
const HEIGHT = 170;

/** @param runs the samples by backend. */
export function draw(runs: Record<string, readonly Sample[]>, title: string): string {
  const points = Object.entries(runs).flatMap(([backend, samples]) =>
    samples.map(sample => ({ ...sample, backend, minutes: sample.time / 60 })),
  );
  const charts = MEASURES.map((measure, i) => {
    const chart = svg(
      {
        width: WIDTH,
        height: HEIGHT,
        marginLeft: 60,
        marginRight: 70,
        x: { label: 'minutes' },
        y: { label: TITLES[measure], grid: true, zero: true },
        color: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
        marks: [
          Plot.line(points, { x: 'minutes', y: measure, stroke: 'backend', z: 'backend' }),
          Plot.text(
            points,
            Plot.selectLast({
              ...{ x: 'minutes', y: measure, z: 'backend', text: 'backend', fill: 'backend' },
              ...{ textAnchor: 'start', dx: 6 },
            }),
          ),
        ],
      },
      TITLES[measure],
    );
    return chart.replace('<svg ', `<svg x="0" y="${i * HEIGHT}" `);
  });
  const height = MEASURES.length * HEIGHT;
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img"><title>${title}</title>\n${charts.join('')}</svg>\n`;
}
