/** The event loop: callbacks and timers. */
import { compile } from '../compile.js';
import { ours, worker } from '../contenders.js';
import { node } from '../peers.js';
import type { Scenario } from '../scenario.js';

const callbacks = (way: string) => () => node('benchmark/peers/loop/callbacks.ts', way);
const timers = (whose: string) => () => node('benchmark/peers/loop/timers.ts', whose, '100', '1');

export const loop: Scenario[] = [
  {
    name: 'loop.callsoon',
    title: 'callSoon, 1000 callbacks at a time; of Node setImmediate and nextTick',
    operation: 'callback',
    quick: true,
    contenders: [
      ...ours(callbacks('uasync')),
      worker('node', callbacks('immediate')),
      worker('node-tick', callbacks('tick')),
    ],
  },
  {
    name: 'loop.timers',
    title: 'timers of 1 ms, 100 at a time: the latency is how late they are',
    operation: 'timer',
    headline: 'latency',
    quick: true,
    contenders: [
      worker('c-uring', () => [compile('benchmark/peers/loop/timers.c', 'uring'), '100', '1']),
      ...ours(timers('uasync')),
      worker('node', timers('node')),
    ],
  },
];
