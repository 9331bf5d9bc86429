/** The effect of the Node version: the same loads with uasync, and with Node's own modules, on each version. */
import { server, worker } from '../contenders.js';
import { http, stream } from '../load.js';
import { BODY } from '../peers/http/hello.js';
import { nodeOf } from '../peers.js';
import type { Contender, Scenario } from '../scenario.js';
import { inMemory } from './fs-files.js';

/** The newest version of each supported line. */
export const NODES = ['20', '22', '24', '26'];

/** Two contenders for each version: ours, and Node's. */
function each(contender: (name: string, version: string, isOurs: boolean) => Contender): Contender[] {
  return NODES.flatMap(version => [
    contender(`uasync-${version}`, version, true),
    contender(`node-${version}`, version, false),
  ]);
}

export const versions: Scenario[] = [
  {
    name: 'versions.tcp',
    title: 'TCP echo, 50 connections x 64 B',
    operation: 'round trip',
    contenders: each((name, version, isOurs) => {
      const source = isOurs ? 'examples/tcp-echo.ts' : 'benchmark/peers/tcp/node-callback.ts';
      return server({ name, command: () => nodeOf(version, source) }, (target, seconds) =>
        stream(target, { conns: 50, size: 64, depth: 1 }, seconds),
      );
    }),
  },
  {
    name: 'versions.http',
    title: 'HTTP, GET of 14 bytes, 50 connections',
    operation: 'request',
    contenders: each((name, version, isOurs) => {
      const source = `benchmark/peers/http/${isOurs ? 'uasync-fetch' : 'node-http'}.ts`;
      return server({ name, command: () => nodeOf(version, source) }, (target, seconds) =>
        http(target, { conns: 50, body: BODY }, seconds),
      );
    }),
  },
  {
    name: 'versions.stat',
    title: 'stat, one at a time',
    operation: 'operation',
    contenders: each((name, version, isOurs) =>
      worker(name, () =>
        nodeOf(version, 'benchmark/peers/fs/calls.ts', isOurs ? 'uasync' : 'promises', 'stat', inMemory()),
      ),
    ),
  },
];
