/** TCP echo by the rate of messages, and by the number of connections: a line for each peer. */
import { server } from '../contenders.js';
import { paced, stream } from '../load.js';
import { TCP_PEERS } from '../peers.js';
import type { Scenario } from '../scenario.js';

/** Messages a second; the latency of a peer that cannot keep up grows to the length of the round. */
export const RATES = [10_000, 20_000, 40_000, 60_000, 80_000, 100_000];
/** Most systems allow a process 20,000 descriptors or more. */
export const CONNECTIONS = [1, 10, 100, 1000, 5000, 10_000, 19_000];

const SHOWN = ['c-epoll', 'uasync', 'uasync-epoll', 'node', 'bun', 'deno', 'go'];
const PEERS = TCP_PEERS.filter(({ name }) => SHOWN.includes(name));

export const curves: Scenario[] = [
  ...RATES.map(
    (rate): Scenario => ({
      name: `rates.${rate}`,
      title: `50 connections x 64 B, ${rate.toLocaleString('en')} messages a second`,
      operation: 'round trip',
      headline: 'latency',
      contenders: PEERS.map(peer =>
        server(
          peer,
          (target, seconds) => paced(target, { protocol: 'tcp', conns: 50, size: 64, rate }, seconds),
          { paced: true },
        ),
      ),
    }),
  ),
  ...CONNECTIONS.map(
    (conns): Scenario => ({
      name: `connections.${conns}`,
      title: `${conns.toLocaleString('en')} connection${conns === 1 ? '' : 's'} x 64 B`,
      operation: 'round trip',
      contenders: PEERS.map(peer =>
        server(peer, (target, seconds) => stream(target, { conns, size: 64, depth: 1 }, seconds)),
      ),
    }),
  ),
];
