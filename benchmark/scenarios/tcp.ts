/** TCP echo: the cost of each round trip for a server. */
import { client, idleServer, server } from '../contenders.js';
import { churn, paced, type Shape, stream } from '../load.js';
import { node, TCP_BUSY, TCP_PEERS, TCP_WAYS } from '../peers.js';
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

/** Many connections that all have a message in flight: the memory that each holds and touches matters. */
function busy(conns: number): Scenario {
  const count = conns.toLocaleString('en');
  return pipelined(
    { name: `tcp.busy.${conns / 1000}k`, title: `${count} connections x 64 B` },
    { conns, size: 64, depth: 1 },
  );
}

/** A client whose answers settle promises, as in database drivers. */
function driver(protocol: 'redis' | 'pg', depth: number): Scenario {
  const title = `a client in the shape of a ${protocol} driver, ${depth === 1 ? 'one request' : `${depth} requests`} under way`;
  return {
    name: `tcp.${protocol}.${depth}`,
    title,
    operation: 'request',
    contenders: ['uasync', 'node'].map(whose =>
      client(whose, port =>
        node('benchmark/peers/tcp/driver.ts', String(port), whose, protocol, String(depth)),
      ),
    ),
  };
}

const IDLE = 10_000;

export const tcp: Scenario[] = [
  pipelined(
    { name: 'tcp.single.64', title: '1 connection x 64 B, one message at a time', quick: true },
    { conns: 1, size: 64, depth: 1 },
  ),
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
  ...[1000, 5000, 10_000].map(busy),
  driver('redis', 1),
  driver('redis', 40),
  driver('pg', 1),
  driver('pg', 40),
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
