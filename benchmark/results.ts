/** The results of a run, as stored in benchmark/results/. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import { type LoadReport, REFERENCES } from './scenario.js';
import type { Latency } from './statistics.js';

/** The measurements of a peer, by round. */
export interface Measured {
  name: string;
  /** CPU microseconds per operation. */
  cpu: number[];
  /** Operations per second. */
  rate: number[];
  /** The kernel's share of the CPU time, over all rounds. */
  kernel: number;
  /** Memory after the last round, in bytes. */
  resident: number;
  latency?: Latency;
  /** The load generator's highest share of a core, whether it was ever bound, and the total of lost messages. */
  load?: LoadReport;
}

/** A peer that failed, and the reason. */
export interface Failed {
  name: string;
  failed: string;
}

export interface ScenarioResult {
  name: string;
  title: string;
  operation: string;
  headline?: 'latency' | 'resident';
  /** The share of all cores that other processes used. */
  neighbours: number;
  peers: Measured[];
  failed: Failed[];
  /** Peers that are not installed. */
  missing: Failed[];
}

export interface Results {
  machine: Machine;
  scenarios: ScenarioResult[];
}

/** The folder of the project's own results. */
export const RESULTS = 'benchmark/results';

/** `tcp`, `tcp-seeds`, `fs`: results that are stored together. */
export function familyOf(name: string): string {
  const [first, second] = name.split('.');
  return second === 'seeds' ? `${first}-${second}` : first!;
}

export function peerOf(result: ScenarioResult, name: string): Measured | undefined {
  return result.peers.find(peer => peer.name === name);
}

/** The reference that a scenario's peers are compared with. */
export function referenceOf(result: ScenarioResult): Measured | undefined {
  for (const name of REFERENCES) {
    const peer = peerOf(result, name);
    if (peer !== undefined) return peer;
  }
  return undefined;
}

/** More than four digits would be meaningless. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

/** One line per peer, for readable diffs. */
export function writeResults(path: string, results: Results): void {
  const scenarios = results.scenarios.map(({ peers, ...rest }) => {
    const lines = peers.map(peer => `    ${JSON.stringify(peer, rounded)}`);
    return `  ${JSON.stringify(rest, rounded).slice(0, -1)},"peers":[\n${lines.join(',\n')}\n  ]}`;
  });
  const machine = JSON.stringify(results.machine, null, 2);
  writeFileSync(path, `{"machine":${machine},"scenarios":[\n${scenarios.join(',\n')}\n]}\n`);
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results;
}

/** Every file of results in a folder, by name. */
export function storedResults(folder: string): Results[] {
  const names = readdirSync(folder).filter(name => name.endsWith('.json'));
  return names.sort().map(name => readResults(join(folder, name)));
}
