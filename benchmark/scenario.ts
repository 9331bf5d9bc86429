/** What is measured: a scenario is one load, and the contenders that take it in turns. */

/** How often a latency was seen, in nanoseconds. */
export type LatencyCount = [nanoseconds: number, count: number];

/** What a contender did in one round. */
export interface Sample {
  ops: number;
  seconds: number;
  /** CPU microseconds of its process, with all threads and children. */
  cpu: number;
  /** Those of them that the kernel took. */
  system: number;
  /** Its memory in RAM at the end, in bytes; 0 where it has no process of its own that lasts. */
  resident: number;
  latencies: LatencyCount[];
  /** Of the load generator, where there is one. */
  load?: LoadReport;
}

export interface LoadReport {
  /** The share of a core that it used, 1 at most. */
  share: number;
  /** Whether it was at its own limit, so that the throughput is its own and not the server's. */
  bound: boolean;
  /** Datagrams that never came back. */
  lost: number;
}

/** A contender under way. */
export interface Running {
  /** Its process, if it has one that lasts. */
  pid?: number;
  round(seconds: number): Promise<Sample>;
  /** Ends it, or leaves it to the next scenario unless it has failed. */
  stop(failed?: boolean): Promise<void>;
}

/** One that takes the load: a server under it, or a program that does the work itself. */
export interface Contender {
  /** As `--peers` names it. */
  name: string;
  /** @throws NotInstalled if this machine does not have it. */
  start(): Promise<Running>;
}

export interface Scenario {
  /** As `--filter` names it: `tcp.churn`. */
  name: string;
  /** What it is, for a reader of the table. */
  title: string;
  /** What one operation is. */
  operation: string;
  contenders: Contender[];
  /** Whether the quick run has it too. */
  quick?: boolean;
  /** What it is about, if not CPU time: `resident` is memory at the end, in bytes. */
  headline?: 'latency' | 'resident';
}

/** What is needed to run a contender is not on this machine. */
export class NotInstalled extends Error {}

/** What the others are compared with: the first of these that a scenario has. */
export const REFERENCES = ['c-uring', 'c', 'node', 'node-24'] as const;

/** What a run has unless it is told otherwise: what is ours, the reference in C, and stock Node. */
export const DEFAULT_PEERS = 'uasync,uasync-epoll,uasync-pinned,c-uring,c,node';

/**
 * Names that match one of some patterns, separated by commas, and none of those that begin with `!`. In a
 * pattern * stands for anything.
 */
export function matcher(patterns: string): (name: string) => boolean {
  const all = patterns.split(',').map(pattern => pattern.trim());
  const expression = (sources: string[]): RegExp => {
    const escaped = sources.map(source => source.replaceAll(/[^*\w-]/g, '\\$&').replaceAll('*', '.*'));
    return new RegExp(`^(${escaped.join('|')})$`);
  };
  const wanted = expression(all.filter(pattern => pattern !== '' && !pattern.startsWith('!')));
  const excluded = expression(
    all.filter(pattern => pattern.startsWith('!')).map(pattern => pattern.slice(1)),
  );
  return name => wanted.test(name) && !excluded.test(name);
}
