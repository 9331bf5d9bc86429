/** Processes under measurement: pinned to a core, and accounted for by the kernel. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';

const hasTaskset = cpus().length > 1 && spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;

/** The servers run on the first core and the load on the second, if there are two and taskset(1) is here. */
export const pinned = hasTaskset;

/** A command line that runs on one core only, or (null) on any. */
export function onCore(core: number | null, command: string[]): string[] {
  return pinned && core !== null ? ['taskset', '-c', String(core), ...command] : command;
}

/** A server in a process of its own, once it has said `listening on HOST:PORT`. */
export interface ServerProcess {
  pid: number;
  port: number;
  stop(): Promise<void>;
}

/** Starts a server; rejects with what it printed if it ends before it listens. */
export async function startServer(command: string[], core: number | null = 0): Promise<ServerProcess> {
  const [program, ...args] = onCore(core, command);
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()));
  const port = await listeningPort(child);
  return {
    pid: child.pid!,
    port,
    async stop() {
      // A process that waits in the kernel's ring may be deaf to anything less.
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function listeningPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let errors = '';
    child.stderr!.on('data', data => {
      errors += data;
    });
    child.once('error', reject);
    child.once('exit', code => reject(new Error(`the server ended with ${code}: ${errors}`)));
    createInterface(child.stdout!).on('line', line => {
      const match = /^listening on .*:(\d+)$/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    });
  });
}

/** CPU time that a process has used so far, all its threads, in microseconds. proc(5), schedstat */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // A thread that has just ended.
    }
  }
  return nanoseconds / 1000;
}

/** Memory of a process that is in RAM, in bytes. proc(5), VmRSS */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (match === null) throw new Error(`process ${pid} has ended`);
  return Number(match[1]) * 1024;
}
