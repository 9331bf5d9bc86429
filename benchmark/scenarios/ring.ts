/** The minimum cost of the ring: operations that do nothing. */
import { compile } from '../compile.js';
import { ours, worker } from '../contenders.js';
import { node } from '../peers.js';
import type { Scenario } from '../scenario.js';

const NOP_C = (batch: number) => () => [compile('benchmark/peers/ring/nop.c', 'uring'), String(batch)];

/** The largest batch for C, which is the size of its ring. */
const BATCH_MAX = 4096;

export const ring: Scenario[] = [
  ...[1, 16, 64, 256, 1024, 4096].map(entries => ({
    name: `nop.ring.${entries}`,
    title: `bare NOPs, a ring of ${entries}`,
    operation: 'NOP',
    quick: entries === 256,
    contenders: [
      worker('c-uring', NOP_C(entries)),
      worker('uasync', () => node('benchmark/peers/ring/uasync-nop.ts', String(entries))),
    ],
  })),
  ...[1, 10, 100, 1000, 10_000, 100_000, 1_000_000].map(coroutines => ({
    name: `nop.await.${coroutines}`,
    title: `await nop(), ${coroutines.toLocaleString('en')} coroutine${coroutines === 1 ? '' : 's'}`,
    operation: 'NOP',
    quick: coroutines === 1000,
    contenders: [
      worker('c-uring', NOP_C(Math.min(coroutines, BATCH_MAX))),
      ...ours(() => node('benchmark/peers/loop/awaited.ts', 'uasync', String(coroutines))),
      worker('node', () => node('benchmark/peers/loop/awaited.ts', 'node', String(coroutines))),
    ],
  })),
];
