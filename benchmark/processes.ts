/** Measured processes: pinned to a core, with the kernel's accounting. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants, cpus } from 'node:os';
import { createInterface } from 'node:readline';

const hasTaskset = cpus().length > 1 && spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;

/** Measured processes run on the first core and the load on the second, if there are two cores and taskset(1). */
export const pinned = hasTaskset;
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** A command line that runs on one core only, or (null) on any. */
export function onCore(core: number | null, command: string[]): string[] {
  return pinned && core !== null ? ['taskset', '-c', String(core), ...command] : command;
}

/** Running programs: none outlives this process, unless it is killed. */
const running = new Set<ChildProcess>();
let watching = false;

function endWithUs(child: ChildProcess): void {
  running.add(child);
  child.once('close', () => running.delete(child));
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

/** A program in its own process, with its standard error. */
export interface Program {
  child: ChildProcess;
  errors(): string;
  /** When it has ended. */
  exited: Promise<void>;
  stop(): Promise<void>;
  /** It no longer keeps this process alive, whose end ends it too. */
  unref(): void;
}

/** Starts a program, with more in its environment; the caller reads its output. */
export function startProgram(command: string[], core: number | null, more: NodeJS.ProcessEnv = {}): Program {
  const [program, ...args] = onCore(core, command);
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...more } });
  endWithUs(child);
  let errors = '';
  child.stderr.on('data', data => {
    errors += data;
  });
  child.once('error', error => {
    errors += error.message;
  });
  // Writing to a program that has ended has no effect.
  child.stdin.on('error', () => {});
  const exited = new Promise<void>(resolve => child.once('close', () => resolve()));
  const handles = [child, ...([child.stdin, child.stdout, child.stderr] as Socket[])];
  return {
    child,
    errors: () => errors.trim(),
    exited,
    async stop() {
      for (const handle of handles) handle.ref();
      // A process that waits in the kernel's ring may not react to other signals.
      child.kill('SIGKILL');
      await exited;
    },
    unref() {
      for (const handle of handles) handle.unref();
    },
  };
}

/** A server in its own process, once it has printed `listening on HOST:PORT`. */
export interface ServerProcess {
  pid: number;
  port: number;
  stop(): Promise<void>;
  unref(): void;
}

/** Starts a server; rejects with its output if it ends before it listens. */
export async function startServer(
  command: string[],
  core: number | null = SERVER_CORE,
): Promise<ServerProcess> {
  const { child, errors, exited, stop, unref } = startProgram(command, core);
  const port = await new Promise<number>((resolve, reject) => {
    void exited.then(() => reject(new Error(`the server ended with ${child.exitCode}: ${errors()}`)));
    createInterface(child.stdout!).on('line', line => {
      const match = /^listening on .*:(\d+)$/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    });
  });
  return { pid: child.pid!, port, stop, unref };
}

/** CPU time in microseconds: the total, and the kernel's part. */
export interface Usage {
  cpu: number;
  system: number;
}

/** The length of a clock tick of proc(5) in microseconds: USER_HZ is 100 on all of Linux. */
const TICK = 10_000;

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // A thread that has just ended.
    return '';
  }
}

/** Its threads, by number. */
function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    throw new Error(`process ${pid} has ended`);
  }
}

/** The children of all threads of a process. proc(5), children */
function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap(thread =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

/**
 * CPU time that a process has used so far, with all its threads and children. The sum is exact; the kernel's share is
 * in ticks of 10 ms. proc(5), schedstat and stat
 */
export function usage(pid: number): Usage {
  // The program's name, which may have spaces, ends with the last parenthesis.
  const stat = read(`/proc/${pid}/stat`).split(') ').at(-1)!.split(' ');
  const sum = { cpu: 0, system: Number(stat[12] ?? 0) * TICK };
  for (const thread of threadsOf(pid)) {
    sum.cpu += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1000;
  }
  for (const child of childrenOf(pid)) {
    const { cpu, system } = usage(child);
    sum.cpu += cpu;
    sum.system += system;
  }
  return sum;
}

/** Resident memory of a process and its children, in bytes. proc(5), VmRSS */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`));
  if (match === null) throw new Error(`process ${pid} has ended`);
  return childrenOf(pid).reduce((sum, child) => sum + residentBytes(child), Number(match[1]) * 1024);
}
