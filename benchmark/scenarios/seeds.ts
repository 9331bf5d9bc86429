/** A grid of connections and sizes, over TCP and UDP, with one message in flight on each. The servers are kept. */
import { server } from '../contenders.js';
import { datagrams, stream } from '../load.js';
import { TCP_PEERS, UDP_PEERS } from '../peers.js';
import type { Scenario } from '../scenario.js';

export const CONNECTIONS = [1, 50, 150, 300, 500, 1000];
export const SIZES = [1, 128, 512, 1000];

function grid(protocol: 'tcp' | 'udp'): Scenario[] {
  const load = protocol === 'tcp' ? stream : datagrams;
  const peers = protocol === 'tcp' ? TCP_PEERS : UDP_PEERS;
  const what = protocol === 'tcp' ? 'connection' : 'socket';
  return CONNECTIONS.flatMap(conns =>
    SIZES.map(size => ({
      name: `${protocol}.seeds.${conns}x${size}`,
      title: `${conns} ${what}${conns === 1 ? '' : 's'} x ${size} B`,
      operation: 'round trip',
      contenders: peers.map(peer =>
        server(peer, (target, seconds) => load(target, { conns, size, depth: 1 }, seconds), { kept: true }),
      ),
    })),
  );
}

export const seeds: Scenario[] = [...grid('tcp'), ...grid('udp')];
