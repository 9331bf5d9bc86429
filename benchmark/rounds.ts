/** Peers under one load, in turns, round by round. */
import type { Peer } from './peers.js';
import { cpuMicroseconds, residentBytes, type ServerProcess, startServer } from './processes.js';

/** What a load has done to a server in one round. */
export interface Done {
  ops: number;
  seconds: number;
}

/** What a server took under a load, round by round. */
export interface Measured<R extends Done> {
  /** CPU microseconds of the server for each operation. */
  cpu: number[];
  /** Operations a second. */
  rate: number[];
  results: R[];
  /** Resident memory after the last round, in bytes. */
  resident: number;
}

/** What came of each peer: figures, or why there are none. */
export type Outcome<T> = { name: string; measured: T } | { name: string; failed: string };

/** A server that runs, or why it does not. */
export type Started = { name: string; server: ServerProcess } | { name: string; failed: string };

function messageOf(error: unknown): string {
  return (error as Error).message.trim().split('\n')[0]!;
}

/** Starts every peer; one that does not start is reported and left out. */
export async function startPeers(peers: Peer[]): Promise<Started[]> {
  const started: Started[] = [];
  for (const { name, command } of peers) {
    try {
      started.push({ name, server: await startServer([...command(), '0', '127.0.0.1']) });
    } catch (error) {
      started.push({ name, failed: messageOf(error) });
    }
  }
  return started;
}

export async function stopPeers(started: Started[]): Promise<void> {
  for (const peer of started) if ('server' in peer) await peer.server.stop();
}

/**
 * Puts `load` on every server in turns, `rounds` times after one round that only warms up. A server that
 * fails under it is left out from there on, with the reason.
 */
export async function measureInTurns<R extends Done>(
  started: Started[],
  rounds: number,
  load: (port: number) => Promise<R>,
): Promise<Outcome<Measured<R>>[]> {
  const outcomes: Outcome<Measured<R>>[] = started.map(peer =>
    'server' in peer ? { name: peer.name, measured: { cpu: [], rate: [], results: [], resident: 0 } } : peer,
  );
  for (let round = 0; round <= rounds; round++) {
    for (const [i, peer] of started.entries()) {
      const outcome = outcomes[i]!;
      if (!('server' in peer) || !('measured' in outcome)) continue;
      try {
        await measure(peer.server, load, round === 0 ? undefined : outcome.measured);
      } catch (error) {
        outcomes[i] = { name: peer.name, failed: messageOf(error) };
      }
    }
  }
  return outcomes;
}

async function measure<R extends Done>(
  server: ServerProcess,
  load: (port: number) => Promise<R>,
  into: Measured<R> | undefined,
): Promise<void> {
  const before = cpuMicroseconds(server.pid);
  const result = await load(server.port);
  const cpu = cpuMicroseconds(server.pid) - before;
  if (into === undefined) return;
  into.cpu.push(cpu / result.ops);
  into.rate.push(result.ops / result.seconds);
  into.results.push(result);
  into.resident = residentBytes(server.pid);
}
