/** Results as SVG, legible on light and dark backgrounds. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { titleOf } from './peers.js';
import { type Measured, referenceOf, type ScenarioResult } from './results.js';
import { median, pairedRatio } from './statistics.js';

/** The colours of uasync's own bars. */
const OURS = { kernel: '#d9480f', own: '#ff922b' };
const OTHERS = { kernel: '#748091', own: '#a9b4c2' };
/** The peers that have lines: more could not be told apart. */
const LINES: Record<string, string> = {
  'c-uring': '#868e96',
  'c-epoll': '#495057',
  node: '#2f9e44',
  bun: '#d6336c',
  deno: '#3b82f6',
  go: '#1098ad',
  'uasync-many': '#f08c00',
  'uasync-epoll': '#fab005',
  uasync: '#e8590c',
};

/** Text without a background: a grey that is legible on both, and better if the viewer states its colour scheme. */
const STYLE = `
  svg { color: #6b7280; background: transparent; font: 12px system-ui, sans-serif; }
  @media (prefers-color-scheme: light) { svg { color: #24292f; } }
  @media (prefers-color-scheme: dark) { svg { color: #d0d7de; } }`;

const isOurs = (peer: string): boolean => peer.startsWith('uasync');

export function svg(options: Plot.PlotOptions, title: string): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const plot = Plot.plot({ ...options, document: document as never });
  plot.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  plot.setAttribute('role', 'img');
  const label = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  label.textContent = title;
  const style = document.createElementNS('http://www.w3.org/2000/svg', 'style');
  style.textContent = STYLE;
  plot.prepend(label as never);
  plot.append(style as never);
  return `${plot.outerHTML}\n`;
}

/** The place of each scenario in a grid with this number of columns. */
function cell(index: number, columns: number): { fx: number; fy: number } {
  return { fx: index % columns, fy: Math.floor(index / columns) };
}

/** Longer bars are cut here, and labelled with their length. */
const LONGEST = 4;

/**
 * CPU time of every peer as a multiple of the reference's, with a small chart for each scenario. The darker part of a
 * bar is the kernel's.
 */
export function barChart(results: ScenarioResult[], title: string, columns = 3): string {
  const names = [...new Set(results.flatMap(({ peers }) => peers.map(({ name }) => name)))];
  const bars: { peer: string; fx: number; fy: number; from: number; to: number; fill: string }[] = [];
  const labels: { peer: string; fx: number; fy: number; at: number; text: string }[] = [];
  const heads: { fx: number; fy: number; text: string }[] = [];
  for (const [index, result] of results.entries()) {
    const reference = referenceOf(result);
    if (reference === undefined) continue;
    const at = cell(index, columns);
    heads.push({ ...at, text: `${result.name}, ${titleOf(reference.name)} = 1` });
    for (const { name, cpu, kernel } of result.peers) {
      const ratio = pairedRatio(cpu, reference.cpu);
      const shown = Math.min(ratio, LONGEST);
      const colours = isOurs(name) ? OURS : OTHERS;
      const peer = titleOf(name);
      bars.push({ ...at, peer, from: 0, to: shown * kernel, fill: colours.kernel });
      bars.push({ ...at, peer, from: shown * kernel, to: shown, fill: colours.own });
      labels.push({ ...at, peer, at: shown, text: ratio.toFixed(ratio < 9.95 ? 2 : 0) });
    }
  }
  const rows = Math.ceil(results.length / columns);
  return svg(
    {
      width: columns * 262 + 174,
      height: rows * (names.length * 15 + 34) + 40,
      marginLeft: 140,
      marginRight: 34,
      marginTop: 20,
      x: { domain: [0, LONGEST], ticks: 4, label: null, grid: true },
      y: { domain: names.map(titleOf), label: null, padding: 0.2 },
      fx: { axis: null, padding: 0.14 },
      fy: { axis: null, padding: 0.16 },
      marks: [
        Plot.barX(bars, { x1: 'from', x2: 'to', y: 'peer', fx: 'fx', fy: 'fy', fill: 'fill' }),
        Plot.ruleX([1], { stroke: 'currentColor', strokeDasharray: '2,3', strokeOpacity: 0.7 }),
        Plot.text(labels, {
          ...{ x: 'at', y: 'peer', fx: 'fx', fy: 'fy', text: 'text' },
          ...{ textAnchor: 'start', dx: 3, fontSize: 10, fill: 'currentColor' },
        }),
        Plot.text(heads, {
          ...{ fx: 'fx', fy: 'fy', text: 'text', frameAnchor: 'top-left' },
          ...{ dy: -14, fontWeight: 'bold', fill: 'currentColor' },
        }),
      ],
    },
    title,
  );
}

/** A point of a peer's line in the small chart that is named `facet`. */
export interface Point {
  x: number;
  facet: string;
  y: number;
}

export interface LineOptions {
  /** The label of the x axis. */
  label: string;
  unit: string;
  /** What a peer's result in the scenario of this name adds to its lines. */
  points: (name: string, peer: Measured) => Point[];
}

interface End {
  y: number;
  peer: string;
}

/** Spreads the labels of lines that end close to each other by a line of text, on a logarithmic axis. */
function spreadLabels(ends: End[], range: number[], height: number): (End & { at: number })[] {
  const factor = (Math.max(...range) / Math.min(...range)) ** (13 / height);
  let least = 0;
  return ends
    .sort((a, b) => a.y - b.y)
    .map(end => {
      const at = Math.max(end.y, least);
      least = at * factor;
      return { ...end, at };
    });
}

/** A line for each chosen peer over scenarios that differ in one number, with a small chart for each facet. */
export function lineChart(results: ScenarioResult[], title: string, options: LineOptions): string {
  const points = results.flatMap(result =>
    result.peers
      .filter(({ name }) => name in LINES)
      .flatMap(peer => options.points(result.name, peer).map(point => ({ ...point, peer: peer.name }))),
  );
  const facets = [...new Set(points.map(({ facet }) => facet))];
  const last = { x: Math.max(...points.map(({ x }) => x)), facet: facets.at(-1)! };
  const ends = points.filter(({ x, facet }) => x === last.x && facet === last.facet);
  const height = 300;
  const labels = spreadLabels(
    ends.map(({ peer, y }) => ({ peer, y })),
    points.map(({ y }) => y),
    height,
  );
  // Ours are drawn last, on top.
  points.sort((a, b) => Number(isOurs(a.peer)) - Number(isOurs(b.peer)));
  return svg(
    {
      width: 960,
      height: height + 80,
      marginLeft: 50,
      marginRight: 112,
      marginTop: 34,
      marginBottom: 46,
      x: { type: 'point', label: options.label, labelAnchor: 'center', labelOffset: 38 },
      y: { type: 'log', label: options.unit, grid: true, tickFormat: '~g', ticks: 6 },
      fx: { domain: facets, label: null, padding: 0.08 },
      color: { domain: Object.keys(LINES), range: Object.values(LINES) },
      marks: [
        Plot.line(points, {
          ...{ x: 'x', y: 'y', fx: 'facet', stroke: 'peer', z: 'peer' },
          strokeWidth: (point: { peer: string }) => (isOurs(point.peer) ? 2.5 : 1.25),
        }),
        Plot.dot(points, { x: 'x', y: 'y', fx: 'facet', fill: 'peer', r: 2 }),
        Plot.text(labels, {
          ...{ x: () => last.x, fx: () => last.facet, y: 'at', fill: 'peer' },
          ...{ text: ({ peer }: End) => titleOf(peer), textAnchor: 'start', dx: 8, fontSize: 11 },
        }),
      ],
    },
    title,
  );
}

/** The median of the rounds, in microseconds. */
export function cpuOf({ cpu }: Measured): number {
  return median(cpu);
}
