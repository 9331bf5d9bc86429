/** Scenarios: one load, and the contenders that take it in turns. */

/** The number of occurrences of a latency in nanoseconds. */
export type LatencyCount = [nanoseconds: number, count: number];

/** The result of a contender in one round. */
export interface Sample {
  ops: number;
  seconds: number;
  /** CPU microseconds of its process, with all threads and children. */
  cpu: number;
  /** The kernel's part of it. */
  system: number;
  /** Its resident memory at the end, in bytes; 0 if it has no long-running process of its own. */
  resident: number;
  latencies: LatencyCount[];
  /** Set if there is a load generator. */
  load?: LoadReport;
}

export interface LoadReport {
  /** The share of a core that it used, at most 1. */
  share: number;
  /** Whether it was at its own limit, so that it limits the throughput instead of the server. */
  bound: boolean;
  /** Datagrams that never came back. */
  lost: number;
}

/** A running contender. */
export interface Running {
  /** Its process, if it has a long-running one. */
  pid?: number;
  round(seconds: number): Promise<Sample>;
  /** Stops it, or leaves it to the next scenario unless it has failed. */
  stop(failed?: boolean): Promise<void>;
}

/** A contender: a server under load, or a program that does the work itself. */
export interface Contender {
  /** Its name for `--peers`. */
  name: string;
  /** @throws NotInstalled if this machine does not have it. */
  start(): Promise<Running>;
}

export interface Scenario {
  /** Its name for `--filter`: `tcp.churn`. */
  name: string;
  /** Its title in tables. */
  title: string;
  /** The meaning of one operation. */
  operation: string;
  contenders: Contender[];
  /** Whether it belongs to the quick run. */
  quick?: boolean;
  /** The main result, if it is not CPU time: `resident` is memory at the end, in bytes. */
  headline?: 'latency' | 'resident';
}

/** A component of a contender is not installed on this machine. */
export class NotInstalled extends Error {}

/** The references for comparison: the first of these that a scenario has. */
export const REFERENCES = ['c-uring', 'c', 'node', 'node-24'] as const;

/** The default peers of a run: ours, the reference in C, and stock Node. */
export const DEFAULT_PEERS = 'uasync,uasync-epoll,uasync-pinned,c-uring,c,node';

/**
 * Matches names with one of several patterns, separated by commas, and with none of those that start with `!`. In a
 * pattern * stands for any text.
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
