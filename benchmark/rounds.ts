/** Runs the contenders of a scenario in turns, round by round. */
import { cpus } from 'node:os';
import { usage } from './processes.js';
import type { Failed, Measured, ScenarioResult } from './results.js';
import { type Contender, NotInstalled, type Running, type Sample, type Scenario } from './scenario.js';
import { latencyOf } from './statistics.js';

export interface RoundOptions {
  /** The number of counted rounds. */
  rounds: number;
  /** The length of each. */
  seconds: number;
  /** CPU seconds that a process uses before its rounds count: JavaScript is compiled while it runs. */
  warmUp?: number;
  /** Called before each round of each contender, with 0 for the first. */
  progress?: (done: number) => void;
}

/** CPU seconds after which the relevant code has been compiled, and the maximum number of rounds for that. */
const WARM_UP = 1.2;
const WARM_UP_ROUNDS = 8;
/**
 * Seconds of the same load before each counted round: during the other contenders' turns V8 discards compiled code, and
 * caches get cold.
 */
const LEAD_IN = 0.3;

type Entry = { contender: Contender; running: Running; samples: Sample[] };

function messageOf(error: unknown): string {
  return (error as Error).message.trim().split('\n')[0]!;
}

function summary({ contender, samples }: Entry): Measured {
  const sum = (key: 'cpu' | 'system'): number => samples.reduce((total, sample) => total + sample[key], 0);
  const latency = latencyOf(samples.map(({ latencies }) => latencies));
  const loads = samples.flatMap(({ load }) => load ?? []);
  return {
    name: contender.name,
    cpu: samples.map(({ cpu, ops }) => cpu / ops),
    rate: samples.map(({ ops, seconds }) => ops / seconds),
    kernel: Math.min(1, sum('system') / sum('cpu')),
    resident: samples.at(-1)!.resident,
    ...(latency === undefined ? {} : { latency }),
    ...(loads.length === 0
      ? {}
      : {
          load: {
            share: Math.max(...loads.map(({ share }) => share)),
            bound: loads.some(({ bound }) => bound),
            lost: loads.reduce((total, { lost }) => total + lost, 0),
          },
        }),
  };
}

/** Milliseconds that all cores have been busy so far, and idle. */
function coreTimes(): { busy: number; idle: number } {
  const sum = { busy: 0, idle: 0 };
  for (const { times } of cpus()) {
    sum.busy += times.user + times.nice + times.sys + times.irq;
    sum.idle += times.idle;
  }
  return sum;
}

/** The CPU time of a sample in milliseconds: of the contender, and of the load. */
function ownTime({ cpu, load, seconds }: Sample): number {
  return cpu / 1000 + (load?.share ?? 0) * seconds * 1000;
}

/** Whether a process is not warmed up yet; a short-lived one never counts as cold. */
function isCold({ running: { pid } }: Entry, warmUp: number): boolean {
  try {
    return pid !== undefined && usage(pid).cpu < warmUp * 1e6;
  } catch {
    // It has ended, which its next round reports.
    return false;
  }
}

/**
 * Measures the contenders of a scenario in turns, after warm-up rounds. One that does not start or fails under its load
 * is omitted from then on, with the reason.
 */
export async function measure(
  scenario: Scenario,
  { rounds, seconds, warmUp = WARM_UP, progress = () => {} }: RoundOptions,
): Promise<ScenarioResult> {
  const { name, title, operation, headline } = scenario;
  const failed: Failed[] = [];
  const missing: Failed[] = [];
  const fail = (contender: Contender, error: unknown): void => {
    const list = error instanceof NotInstalled ? missing : failed;
    list.push({ name: contender.name, failed: messageOf(error) });
  };
  let entries: Entry[] = [];
  /** Runs one of their rounds; undefined if it fails. */
  const take = async (entry: Entry, length = seconds): Promise<Sample | undefined> => {
    progress(done++);
    try {
      const sample = await entry.running.round(length);
      own += ownTime(sample);
      return sample;
    } catch (error) {
      fail(entry.contender, error);
      await entry.running.stop(true);
      entries = entries.filter(other => other !== entry);
      return undefined;
    }
  };
  let done = 0;
  let own = 0;
  const before = coreTimes();
  try {
    for (const contender of scenario.contenders) {
      try {
        entries.push({ contender, running: await contender.start(), samples: [] });
      } catch (error) {
        fail(contender, error);
      }
    }
    // On a busy machine seconds do not tell how much has run; CPU time does.
    for (let round = 0; round < WARM_UP_ROUNDS; round++) {
      for (const entry of entries) if (isCold(entry, warmUp)) await take(entry);
    }
    for (let round = 0; round < rounds; round++) {
      for (const entry of entries) {
        const lasts = entry.running.pid !== undefined;
        if (lasts && (await take(entry, Math.min(seconds, LEAD_IN))) === undefined) continue;
        const sample = await take(entry);
        if (sample !== undefined) entry.samples.push(sample);
      }
    }
  } finally {
    for (const { running } of entries) await running.stop();
  }
  const after = coreTimes();
  const busy = after.busy - before.busy;
  const neighbours = Math.max(0, busy - own) / (busy + after.idle - before.idle);
  const common = { name, title, operation, ...(headline === undefined ? {} : { headline }) };
  return { ...common, neighbours, peers: entries.map(summary), failed, missing };
}
