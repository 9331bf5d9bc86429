/** TCP echo: what each round trip costs a server. */
import { idleServer, server } from '../contenders.js';
import { churn, paced, type Shape, stream } from '../load.js';
import { TCP_BUSY, TCP_PEERS, TCP_WAYS } from '../peers.js';
import type { Scenario } from '../scenario.js';

type Common = Pick<Scenario, 'name' | 'title'> & Partial<Scenario>;

function pipelined(scenario: Common, shape: Shape, peers = TCP_PEERS): Scenario {
  return {
    operation: 'round trip',
    contenders: peers.map(peer => server(peer, (target, seconds) => stream(target, shape, seconds))),
    ...scenario,
  };
}

function atRate(name: string, rate: number, quick: boolean): Scenario {
  const shape = { protocol: 'tcp', conns: 50, size: 64, rate } as const;
  return {
    name,
    title: `50 connections x 64 B, ${rate.toLocaleString('en')} messages a second`,
    operation: 'round trip',
    headline: 'latency',
    quick,
    contenders: [...TCP_PEERS, TCP_BUSY].map(peer =>
      server(peer, (target, seconds) => paced(target, shape, seconds), { paced: true }),
    ),
  };
}

const IDLE = 10_000;

export const tcp: Scenario[] = [
  pipelined(
    { name: 'tcp.echo.64', title: '50 connections x 64 B', quick: true },
    { conns: 50, size: 64, depth: 1 },
  ),
  pipelined(
    { name: 'tcp.echo.512', title: '500 connections x 512 B', quick: true },
    { conns: 500, size: 512, depth: 1 },
  ),
  pipelined(
    { name: 'tcp.pipelined.512', title: '50 connections x 512 B, 16 deep', quick: true },
    { conns: 50, size: 512, depth: 16 },
  ),
  pipelined(
    { name: 'tcp.bulk.64k', title: '1 connection x 64 KiB, 4 deep', quick: true },
    { conns: 1, size: 65536, depth: 4 },
    [...TCP_PEERS, ...TCP_WAYS],
  ),
  {
    name: 'tcp.churn',
    title: 'connect, one round trip of 64 B, close; 16 at a time',
    operation: 'connection',
    quick: true,
    contenders: TCP_PEERS.map(peer => server(peer, (target, seconds) => churn(target, 16, 64, seconds))),
  },
  atRate('tcp.paced.5k', 5000, false),
  atRate('tcp.paced.20k', 20_000, true),
  {
    name: 'tcp.idle',
    title: `${IDLE.toLocaleString('en')} idle connections, after one round trip of 64 B on each`,
    operation: 'connection',
    headline: 'resident',
    contenders: TCP_PEERS.map(peer => idleServer(peer, IDLE, 64)),
  },
];
