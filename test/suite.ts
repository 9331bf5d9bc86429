/**
 * Runs test files, each in a plain process of its own. tap's command gives a loader to every process that a test
 * starts: most of these tests start processes, and took more than twice the CPU time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeVersion } from '../benchmark/node-versions.js';
import { built, ROOT } from './programs.js';

const { tap } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  tap: { 'node-arg': string[]; jobs: number; timeout: number };
};
/** Seconds that a file may take. */
const TIMEOUT = Number(process.env.TAP_TIMEOUT ?? tap.timeout);
const LOGS = join(ROOT, '.tap', 'failed');

/** The assertions of a file or of several. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** A file that failed. */
export interface Failure {
  /** As `net/tcp`. */
  name: string;
  /** The assertions that failed, or the end of what was printed. */
  told: string;
}

/** What a run of several files came to. */
export interface Results extends Counts {
  failures: Failure[];
  /** Why tests were skipped, and how many for this reason. */
  reasons: Map<string, number>;
}

/** Marks a run of a file whose loops run on epoll: the backend that they have where io_uring is denied. */
const ON_EPOLL = ' on epoll';

/** Marks a run of a fuzzer on epoll with faults injected. */
const UNDER_FAULT = ' under fault';
/** What runs so too: fuzzers, and comparisons of trees with Node's. */
const FAULTED = /^(?:(?:net|fs|http)\/.*fuzz|fs\/(?:rm|cp|differential))$/;

/** Tests of what both backends do, but for those of the ring's own limits and system calls. */
const OF_BOTH = /^(?:soak$|(?:loop|net|fs|threads)\/(?!.*(?:locked-memory|failing-calls|no-threads|fuzz)))/;

/**
 * The names of the test files, such as `net/tcp`: all, or those with one of these parts in them. Tests of what both
 * backends do are there twice, the second time as `net/tcp on epoll`, or once, on the one that is named. Fuzzers and
 * some others are there as `net/fuzz under fault` too, and a few as `net/tcp on Linux 5.15` and `net/tcp on one core`.
 */
export function testFiles(parts: string[], backend?: string): string[] {
  const runs = (name: string): string[] => {
    const more = FAULTED.test(name) ? [name + UNDER_FAULT] : [];
    if (ON_KERNELS.test(name) && backend !== 'epoll')
      more.push(...(parts.length === 0 ? FEATURELESS : KERNELS).map(kernel => name + ON_LINUX + kernel));
    if (SINGLE_CORE.test(name) && backend !== 'epoll') more.push(name + ON_ONE_CORE);
    if (!OF_BOTH.test(name)) return [name, ...more];
    if (backend === undefined) return [name, name + ON_EPOLL, ...more];
    return [backend === 'epoll' ? name + ON_EPOLL : name, ...more];
  };
  // Not of what is built: Node 20 follows the links there, into the project again.
  return (readdirSync(join(ROOT, 'test'), { recursive: true }) as string[])
    .filter(file => file.endsWith('.test.ts'))
    .map(file => file.slice(0, -'.test.ts'.length))
    .flatMap(runs)
    .filter(name => parts.length === 0 || parts.some(part => name.includes(part)))
    .sort();
}

/** Marks a run of a file whose io_uring is that of an older kernel: see test/fixtures/old-kernel.ts. */
const ON_LINUX = ' on Linux ';
/** Long-term kernels, each of which lacks more. */
const KERNELS = ['6.12', '6.6', '6.1', '5.15'];
/** Those that lack the most, in a run of the whole suite. */
const FEATURELESS = ['6.1', '5.15'];
const ON_KERNELS = /^(?:loop\/loop|net\/tcp|net\/datagram|fs\/files)$/;
/** Before 6.0 a loop runs on epoll of itself, and only files can run on the ring. */
const OF_RING = /^(?:loop|fs)\//;

/** Marks a run on one core of the machine. taskset(1) */
const ON_ONE_CORE = ' on one core';
const SINGLE_CORE = /^(?:loop\/loop|net\/tcp|threads\/threads)$/;

const running = new Set<ChildProcess>();

/** Ends this process and those of tests with it when it is interrupted. */
export function endWithTests(): void {
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
}

/** A process that ends with this one. */
export function start(program: string, args: string[], env = process.env): ChildProcess {
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** What tap prints last: how many assertions passed, failed and were skipped. */
function countsIn(printed: string): Counts | null {
  const line = /^# \{ total: .*\}$/m.exec(printed)?.[0];
  if (line === undefined) return null;
  const count = (what: string): number => Number(new RegExp(`\\b${what}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
}

/** The assertions that failed, each with its diagnosis, and the names of the tests that they are in. */
function failuresIn(printed: string): string {
  const test = /^ *not ok .* # time=[\d.]+m?s$/;
  const assertion = /^( *)not ok .*(\n\1 {2}---\n(\1 .*\n)*?\1 {2}\.\.\.$)?/;
  const failed = printed.match(new RegExp(`${test.source}|${assertion.source}`, 'gm'));
  if (failed === null) return printed.slice(-4000);
  const more = failed.length > 20 ? [`and ${failed.length - 20} more`] : [];
  return [...failed.slice(0, 20), ...more].join('\n');
}

/** A core that this process may use. proc(5) */
function firstCore(): string {
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
}

interface Ended {
  counts: Counts;
  failure?: Failure;
  printed: string;
}

async function runFile({ program, env }: NodeVersion, name: string): Promise<Ended> {
  const [file] = name.split(' ') as [string];
  const variant = name.slice(file.length);
  const args = [...tap['node-arg'], built(`test/${file}.test.js`)];
  // Node 26 reads these in a thread, so that a descriptor of its own opens and closes while tests count theirs.
  const own: NodeJS.ProcessEnv = { TAP_TIMEOUT: String(TIMEOUT), NODE_EXTRA_CA_CERTS: undefined };
  if (variant === ON_EPOLL || variant === UNDER_FAULT) own.UASYNC_BACKEND = 'epoll';
  if (variant === UNDER_FAULT) {
    const any = process.env.UASYNC_SEED === 'random';
    own.UASYNC_FAULTS = any ? `${Math.floor(Math.random() * 1e9)}` : '1';
  }
  if (variant.startsWith(ON_LINUX)) {
    own.UASYNC_KERNEL = variant.slice(ON_LINUX.length);
    args.unshift('--import', built('test/fixtures/old-kernel.js'));
    if (OF_RING.test(file)) own.UASYNC_BACKEND = 'io_uring';
  }
  const command = variant === ON_ONE_CORE ? ['taskset', '-c', firstCore(), program] : [program];
  const child = start(command[0]!, [...command.slice(1), ...args], { ...env, ...own });
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', text => {
      printed += text;
    });
  }
  // tap ends what takes longer by itself, unless it hangs in one turn of its loop.
  const timer = setTimeout(() => child.kill('SIGKILL'), (TIMEOUT + 20) * 1000);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  const counts = countsIn(printed);
  if (code === 0 && counts?.failed === 0) return { counts, printed };
  mkdirSync(LOGS, { recursive: true });
  const log = join(LOGS, `${name.replaceAll(/[/ ]/g, '-')}-${process.pid}-${child.pid}.log`);
  writeFileSync(log, printed);
  const how = signal ?? `exit code ${code}`;
  const failure = { name, told: `${failuresIn(printed)}\n${name}: ${how}, all that it printed is in ${log}` };
  return { counts: { passed: 0, skipped: 0, ...counts, failed: counts?.failed || 1 }, failure, printed };
}

/**
 * Runs these files in this order, several at a time; `onFile` is called when one has ended, with the number of those
 * that have.
 */
export async function runFiles(
  node: NodeVersion,
  names: string[],
  onFile: (ended: number, failure: Failure | undefined) => void,
): Promise<Results> {
  const results: Results = { passed: 0, failed: 0, skipped: 0, failures: [], reasons: new Map() };
  const rest = [...names];
  let ended = 0;
  const jobs = Array.from({ length: tap.jobs }, async () => {
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      const { counts, failure, printed } = await runFile(node, name);
      results.passed += counts.passed;
      results.failed += counts.failed;
      results.skipped += counts.skipped;
      for (const [, reason] of printed.matchAll(/^ *ok .* # SKIP (.*)$/gm)) {
        results.reasons.set(reason!, (results.reasons.get(reason!) ?? 0) + 1);
      }
      if (failure !== undefined) results.failures.push(failure);
      onFile(++ended, failure);
    }
  });
  await Promise.all(jobs);
  return results;
}
