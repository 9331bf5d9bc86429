/** What a run has found, as it is kept in benchmark/results/. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import { type LoadReport, REFERENCES } from './scenario.js';
import type { Latency } from './statistics.js';

/** What a peer took, round by round. */
export interface Measured {
  name: string;
  /** CPU microseconds for each operation. */
  cpu: number[];
  /** Operations a second. */
  rate: number[];
  /** The share of the CPU time that the kernel took, over all rounds. */
  kernel: number;
  /** Memory after the last round, in bytes. */
  resident: number;
  latency?: Latency;
  /** Of the load generator: its greatest share of a core, whether it was ever bound, all that was lost. */
  load?: LoadReport;
}

/** A peer that failed, and why. */
export interface Failed {
  name: string;
  failed: string;
}

export interface ScenarioResult {
  name: string;
  title: string;
  operation: string;
  headline?: 'latency' | 'resident';
  /** The share of all cores that was used by what was neither measured nor the load. */
  neighbours: number;
  peers: Measured[];
  failed: Failed[];
  /** Names of those that are not installed. */
  missing: Failed[];
}

export interface Results {
  machine: Machine;
  scenarios: ScenarioResult[];
}

/** Where the project's own are, from its folder. */
export const RESULTS = 'benchmark/results';

/** `tcp`, `tcp-seeds`, `fs`: what is stored together. */
export function familyOf(name: string): string {
  const [first, second] = name.split('.');
  return second === 'seeds' ? `${first}-${second}` : first!;
}

export function peerOf(result: ScenarioResult, name: string): Measured | undefined {
  return result.peers.find(peer => peer.name === name);
}

/** What the other peers of a scenario are compared with. */
export function referenceOf(result: ScenarioResult): Measured | undefined {
  for (const name of REFERENCES) {
    const peer = peerOf(result, name);
    if (peer !== undefined) return peer;
  }
  return undefined;
}

/** Four digits are more than there is to know. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

/** One line for each peer, so that a change shows as such. */
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
