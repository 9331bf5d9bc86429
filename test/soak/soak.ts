/** One soaked process, watched from outside. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { built, ROOT } from '../programs.js';
import { type Trend, trendsOf } from './growth.js';
import { randomFrom } from './random.js';
import type { Report, Sample } from './report.js';
import { descriptorsOf, Weather } from './weather.js';

/** How long a process may take to stop, in milliseconds: connections to peers that were cut off end in that time. */
const PATIENCE = 120_000;
const PAGE = 4096;
const MIB = 2 ** 20;

/** What has come of it. */
export interface Soak {
  backend: string;
  samples: Sample[];
  trends: Trend[];
  /** How many rounds of each activity there were, and of each thing in the weather. */
  rounds: Record<string, number>;
  weather: Record<string, number>;
  missing: string[];
  failures: string[];
}

function residentOf(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE) / MIB;
}

/** Soaks a process that has this backend for a number of seconds. @param only activities, separated by commas; '' for all. */
export async function soak(backend: string, seconds: number, seed: number, only = ''): Promise<Soak> {
  const folder = mkdtempSync(join(tmpdir(), 'uasync-soak-'));
  const random = randomFrom(seed);
  const weather = new Weather(`soak-${process.pid}-${backend}`, folder, random);
  const interval = Math.min(Math.max((seconds * 1000) / 500, 500), 10_000);
  const args = [seed, interval, seconds, only, folder].map(String).concat(weather.small);
  const node = [process.execPath, '--expose-gc', built('test/soak/soaked.js'), ...args];
  const [program, ...rest] = [...weather.prefix, ...node];
  const env = { ...process.env, UASYNC_BACKEND: backend, UASYNC_FAULTS: String(seed) };
  const child = spawn(program!, rest, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  const pid = child.pid!;
  // Also where this process is told to end.
  const clear = (): void => {
    child.kill('SIGKILL');
    weather.remove();
    rmSync(folder, { recursive: true });
  };
  process.once('exit', clear);
  const samples: Sample[] = [];
  const failures: string[] = [];
  let rounds: Record<string, number> = {};
  let told = '';
  child.stderr!.setEncoding('utf8').on('data', text => {
    told = (told + text).slice(-4000);
  });
  let isOver = (): void => {};
  const over = new Promise<void>(resolve => {
    isOver = resolve;
  });
  let isReady = (): void => {};
  const ready = new Promise<void>(resolve => {
    isReady = resolve;
  });
  let start = 0;
  let descriptors = 0;
  let ended = false;
  let storm: Promise<void> | undefined;
  child.on('message', (report: Report) => {
    switch (report.what) {
      case 'ready':
        isReady();
        weather.confine(pid);
        start = performance.now();
        descriptors = descriptorsOf(pid);
        storm = weather.begin(report.port).catch(error => {
          failures.push(`the weather failed: ${inspect(error)}`);
        });
        break;
      case 'sample': {
        const { slots, blocks, heap, workers, median, slowest } = report;
        const time = (performance.now() - start) / 1000;
        const held = { memory: residentOf(pid), descriptors: descriptorsOf(pid) };
        samples.push({ time, ...held, slots, blocks, heap, workers, median, slowest });
        break;
      }
      case 'end': {
        ended = true;
        rounds = report.rounds;
        rounds['ended for want of descriptors'] = report.refused;
        rounds.operations = report.completed;
        const left = descriptorsOf(pid);
        for (const what of ['stale', 'overflow', 'blocks'] as const) {
          if (report[what] !== 0) failures.push(`${what} is ${report[what]} at the end`);
        }
        // The listener, the HTTP server and the worker with its loop are gone.
        if (left >= descriptors)
          failures.push(`${left} descriptors at the end, ${descriptors} at the beginning`);
        child.send('go');
      }
    }
  });
  child.once('exit', (code, signal) => {
    if (code !== 0 || !ended) failures.push(`it ended with ${signal ?? code}:\n${told}`);
    isOver();
  });
  const early = new AbortController();
  const { signal } = early;
  await Promise.race([over, ready]);
  await Promise.race([over, sleep(seconds * 1000, undefined, { signal }).catch(() => {})]);
  early.abort();
  await weather.end();
  await storm;
  if (child.connected) child.send('stop');
  const late = new AbortController();
  const patience = sleep(PATIENCE, undefined, { signal: late.signal }).then(
    () => {
      failures.push(`it does not stop:\n${told}`);
      child.kill('SIGKILL');
    },
    () => {},
  );
  await over;
  late.abort();
  await patience;
  if (weather.failure !== undefined) failures.push(weather.failure);
  process.off('exit', clear);
  clear();
  const trends = trendsOf(samples);
  for (const { measure, before, after, grows } of trends) {
    if (grows) failures.push(`${measure} grows: ${before.toFixed(1)} -> ${after.toFixed(1)}`);
  }
  const { counts, missing } = weather;
  return { backend, samples, trends, rounds, weather: counts, missing, failures };
}
