/** UDP echo: the cost of each datagram for a server. */
import { server } from '../contenders.js';
import { datagrams, paced, type Shape } from '../load.js';
import { UDP_PEERS } from '../peers.js';
import type { Scenario } from '../scenario.js';

function echo(name: string, title: string, shape: Shape, quick = false): Scenario {
  return {
    name,
    title,
    operation: 'datagram',
    quick,
    contenders: UDP_PEERS.map(peer => server(peer, (target, seconds) => datagrams(target, shape, seconds))),
  };
}

const RATE = { protocol: 'udp', conns: 50, size: 64, rate: 20_000 } as const;

export const udp: Scenario[] = [
  echo('udp.single.64', '1 socket x 64 B, one datagram at a time', { conns: 1, size: 64, depth: 1 }, true),
  echo('udp.echo.64', '16 sockets x 64 B, 32 deep', { conns: 16, size: 64, depth: 32 }, true),
  echo('udp.echo.1400', '16 sockets x 1400 B, 32 deep', { conns: 16, size: 1400, depth: 32 }),
  // Nothing can be sent together: each peer has one datagram in flight.
  echo('udp.peers.256', '256 sockets x 64 B, one each', { conns: 256, size: 64, depth: 1 }, true),
  {
    name: 'udp.paced.20k',
    title: '50 sockets x 64 B, 20,000 datagrams a second',
    operation: 'datagram',
    headline: 'latency',
    contenders: UDP_PEERS.map(peer =>
      server(peer, (target, seconds) => paced(target, RATE, seconds), { paced: true }),
    ),
  },
];
