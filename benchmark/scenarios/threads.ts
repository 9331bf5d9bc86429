/**
 * Servers on several threads, and messages between two. They run on any core. On a machine with two cores the load
 * takes its share, and the CPU time of an operation says more than the throughput.
 */
import { compile } from '../compile.js';
import { ours, server, worker } from '../contenders.js';
import { stream } from '../load.js';
import { node, onBoth, type Peer } from '../peers.js';
import type { Contender, Scenario } from '../scenario.js';

/** A peer gets its port and host as arguments, and the number of threads in the environment. */
function echoOn(threads: number): Contender[] {
  const env = ['env', `GOMAXPROCS=${threads}`, `UASYNC_BENCH_THREADS=${threads}`];
  const peers: Peer[] = [
    ...onBoth(() => [...env, ...node('benchmark/peers/threads/uasync-threads.ts')]),
    { name: 'node', command: () => [...env, ...node('benchmark/peers/threads/node-cluster.ts')] },
    { name: 'go', command: () => [...env, compile('benchmark/peers/tcp/echo.go')] },
  ];
  return peers.map(peer =>
    server(peer, (target, seconds) => stream(target, { conns: 50, size: 64, depth: 1 }, seconds), {
      anyCore: true,
    }),
  );
}

function messages(name: string, title: string, value: string, direction: string): Scenario {
  const way = (how: string) => () => node('benchmark/peers/threads/messages.ts', how, value, direction);
  return {
    name,
    title,
    operation: 'message',
    contenders: [...ours(way('channel'), null), worker('node', way('port'), null)],
  };
}

export const threads: Scenario[] = [
  ...[1, 2, 4].map(count => ({
    name: `threads.echo.${count}`,
    title: `TCP echo on ${count} thread${count === 1 ? '' : 's'}, 50 connections x 64 B`,
    operation: 'round trip',
    contenders: echoOn(count),
  })),
  messages('threads.message.64', 'messages of 64 bytes, one way', '64', 'one-way'),
  messages('threads.message.4k', 'messages of 4 KiB, one way', '4096', 'one-way'),
  messages('threads.message.64k', 'messages of 64 KiB, one way', '65536', 'one-way'),
  messages('threads.message.object', 'messages of a small object, one way', 'object', 'one-way'),
  messages('threads.round-trip.64', 'messages of 64 bytes, there and back', '64', 'there-and-back'),
  messages(
    'threads.round-trip.object',
    'messages of a small object, there and back',
    'object',
    'there-and-back',
  ),
];
