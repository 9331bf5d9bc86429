/** Checks for regressions: ratios of CPU time to other peers, which are comparable across machines. */
import { peerOf, type ScenarioResult } from './results.js';
import { REFERENCES } from './scenario.js';
import { pairedRatio } from './statistics.js';

/** More than this above the stored ratio is a regression. */
export const TOLERANCE = 0.1;

export interface Comparison {
  scenario: string;
  /** Each reference that both runs have, with the ratio of uasync's CPU time to it. */
  ratios: { reference: string; stored: number; now: number }[];
}

/** The ratios of a scenario in both runs; undefined if there is nothing to compare. */
export function compare(stored: ScenarioResult, now: ScenarioResult): Comparison | undefined {
  const ratios = REFERENCES.flatMap(reference => {
    const ratioIn = (result: ScenarioResult): number | undefined => {
      const ours = peerOf(result, 'uasync');
      const theirs = peerOf(result, reference);
      return ours && theirs ? pairedRatio(ours.cpu, theirs.cpu) : undefined;
    };
    const [before, after] = [ratioIn(stored), ratioIn(now)];
    return before === undefined || after === undefined ? [] : [{ reference, stored: before, now: after }];
  });
  return ratios.length === 0 ? undefined : { scenario: now.name, ratios };
}

/**
 * Whether uasync has become slower. It must be slower relative to every reference: if only one reference differs, that
 * one has changed.
 */
export function isRegression({ ratios }: Comparison): boolean {
  return ratios.every(({ stored, now }) => now > stored * (1 + TOLERANCE));
}

export function describeComparison({ scenario, ratios }: Comparison): string {
  const parts = ratios.map(
    ({ reference, stored, now }) => `${now.toFixed(2)}x ${reference}, was ${stored.toFixed(2)}x`,
  );
  return `${scenario}: ${parts.join('; ')}`;
}

/** The result of a check. */
export interface Verdict {
  compared: number;
  /** Scenarios that are slower also when measured again, or that failed. */
  problems: string[];
}

/**
 * Compares a run with the stored results. A scenario that seems slower is measured again by `again` before it is
 * reported.
 */
export async function check(
  stored: ScenarioResult[],
  run: ScenarioResult[],
  again: (scenario: string) => Promise<ScenarioResult>,
): Promise<Verdict> {
  const problems: string[] = [];
  let compared = 0;
  const slower = (result: ScenarioResult): Comparison | undefined => {
    const before = stored.find(({ name }) => name === result.name);
    const comparison = before && compare(before, result);
    if (comparison === undefined) return undefined;
    return isRegression(comparison) ? comparison : undefined;
  };
  for (const result of run) {
    const failure = result.failed.find(({ name }) => name === 'uasync');
    if (failure !== undefined) problems.push(`${result.name}: ${failure.failed}`);
    if (stored.some(({ name }) => name === result.name)) compared++;
    if (slower(result) === undefined) continue;
    const confirmed = slower(await again(result.name));
    if (confirmed !== undefined) problems.push(describeComparison(confirmed));
  }
  return { compared, problems };
}
