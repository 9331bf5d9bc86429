/**
 * `benchmark/profile.sh SCENARIO [PEER]`: profiles the CPU time of a contender. The kernel's share and symbols come
 * from perf(1), JavaScript from V8's sampling profiler, each in a round of its own.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { script, sourceFile } from './compile.js';
import type { Contender, Running, Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';
import { percent } from './table.js';

const SECONDS = 2;
const WARM_UP = 1;
/** The number of symbols and frames to show. */
const SHOWN = 15;

/** The used part of a .cpuprofile. https://chromedevtools.github.io/devtools-protocol/v8/Profiler */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

/** Frames by their self time, as shares of the time that was not idle. */
export function topFrames({ nodes, samples, timeDeltas }: CpuProfile): [frame: string, share: number][] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const file = url.startsWith('file:') ? fileURLToPath(url).replace(sourceFile(''), '') : url;
      const where = file === '' ? '' : ` ${file}:${lineNumber + 1}`;
      return [id, `${functionName || '(anonymous)'}${where}`];
    }),
  );
  const times = new Map<string, number>();
  let busy = 0;
  for (const [i, sample] of samples.entries()) {
    const name = names.get(sample)!;
    if (name === '(idle)') continue;
    const time = timeDeltas[i] ?? 0;
    busy += time;
    times.set(name, (times.get(name) ?? 0) + time);
  }
  return [...times]
    .map(([name, time]): [string, number] => [name, time / busy])
    .sort(([, a], [, b]) => b - a);
}

/** Symbols of `perf report` with their shares, and the total of the kernel's. */
export function readPerf(text: string): { kernel: number; symbols: [symbol: string, share: number][] } {
  const symbols: [string, number][] = [];
  let kernel = 0;
  for (const [, share, where, symbol] of text.matchAll(/^\s*([\d.]+)%\s+\[(\S)\]\s+(.+?)\s*$/gm)) {
    if (where === 'k') kernel += Number(share) / 100;
    symbols.push([where === 'k' ? `${symbol} (kernel)` : symbol!, Number(share) / 100]);
  }
  return { kernel, symbols };
}

function print(head: string, rows: [string, number][]): void {
  console.log(`\n${head}`);
  for (const [name, share] of rows.slice(0, SHOWN)) {
    console.log(`${(share * 100).toFixed(1).padStart(6)}%  ${name}`);
  }
}

function find(name: string, peer: string): { scenario: Scenario; contender: Contender } {
  const scenario = SCENARIOS.find(scenario => scenario.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}: npm run bench -- --full --list`);
  const contender = scenario.contenders.find(({ name }) => name === peer);
  if (contender !== undefined) return { scenario, contender };
  throw new Error(`${name} has ${scenario.contenders.map(({ name }) => name).join(', ')}, but no ${peer}`);
}

/** Starts a contender and lets it warm up. */
async function warm(contender: Contender): Promise<Running & { pid: number }> {
  const running = await contender.start();
  const { pid } = running;
  if (pid === undefined) {
    await running.stop();
    throw new Error(`${contender.name} is no process that lasts in this scenario: it cannot be profiled`);
  }
  await running.round(WARM_UP);
  return { ...running, pid };
}

/** The kernel's share by its own accounting and, if perf is installed and allowed, by perf. */
async function profileKernel(contender: Contender, file: string): Promise<void> {
  const running = await warm(contender);
  try {
    const record = ['record', '-q', '-F', '1999', '-g', '-p', String(running.pid), '-o', file];
    const perf = spawn('perf', [...record, '--', 'sleep', String(SECONDS)], { stdio: 'ignore' });
    const ended = once(perf, 'exit').then(
      ([code]) => code === 0,
      () => false,
    );
    const { cpu, system } = await running.round(SECONDS);
    console.log(
      `\nIn the kernel, by its own accounts: ${percent(Math.min(1, system / cpu))} of the CPU time`,
    );
    if (!(await ended)) {
      console.log('By perf: it is not installed, or not allowed here (sysctl kernel.perf_event_paranoid)');
      return;
    }
    const report = [
      'report',
      '-i',
      file,
      '--stdio',
      '-q',
      '--no-children',
      '-g',
      'none',
      '-F',
      'overhead,sym',
    ];
    const { stdout } = spawnSync('perf', report, { encoding: 'utf8', maxBuffer: 64 << 20 });
    const { kernel, symbols } = readPerf(stdout);
    console.log(`By perf: ${percent(kernel)} (perf report -i ${file} shows the callers)`);
    print('Symbols, by perf', symbols);
  } finally {
    await running.stop();
  }
}

/** JavaScript frames by V8's profiler, which is loaded into the process. */
async function profileJavaScript(contender: Contender, file: string): Promise<void> {
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `${before ?? ''} --import=${pathToFileURL(script('benchmark/v8-profile.ts'))}`;
  process.env.UASYNC_BENCH_PROFILE = file;
  const running = await warm(contender);
  try {
    process.kill(running.pid, 'SIGUSR2');
    await running.round(SECONDS);
    process.kill(running.pid, 'SIGUSR2');
    await setTimeout(1000);
    const frames = topFrames(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
    print('Frames, by V8; what is not JavaScript, as system calls, is (program)', frames);
    console.log(`\n${file} opens in Chrome's DevTools`);
  } catch (error) {
    console.log(`\nNo frames of JavaScript: ${(error as Error).message}`);
  } finally {
    await running.stop();
  }
}

async function profile(name: string, peer: string): Promise<void> {
  const { scenario, contender } = find(name, peer);
  const folder = sourceFile('dist/profiles');
  mkdirSync(folder, { recursive: true });
  console.log(`${peer}: ${scenario.title}, ${SECONDS} s each`);
  await profileKernel(contender, `${folder}/${name}.${peer}.perf`);
  if (/^(uasync|node)/.test(peer)) await profileJavaScript(contender, `${folder}/${name}.${peer}.cpuprofile`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, peer = 'uasync'] = process.argv.slice(2);
  if (name === undefined) {
    console.error('usage: benchmark/profile.sh SCENARIO [PEER]');
    process.exit(2);
  }
  await profile(name, peer).catch(error => {
    console.error(error.message);
    process.exitCode = 1;
  });
  process.exit();
}
