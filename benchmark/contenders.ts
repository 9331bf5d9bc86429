/** The kinds of contenders: servers under a load, programs that do the work themselves, and fio. */
import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { compile } from './compile.js';
import { type LoadResult, type Target, whileIdle } from './load.js';
import { onEpoll, type Peer } from './peers.js';
import {
  LOAD_CORE,
  onCore,
  residentBytes,
  SERVER_CORE,
  type ServerProcess,
  startProgram,
  startServer,
  type Usage,
  usage,
} from './processes.js';
import { type Contender, type LoadReport, NotInstalled, type Running, type Sample } from './scenario.js';

const HOST = '127.0.0.1';
/** A generator that uses more of its core than this may limit a faster server. */
const BUSY = 0.95;
/** The share of messages that a generator may send late. */
const TARDY = 0.01;

/** Applies a load to a server for `seconds`. */
export type Load = (target: Target, seconds: number) => Promise<LoadResult>;

export interface ServerOptions {
  /** Whether it sends at fixed times, and so never sleeps. */
  paced?: boolean;
  /** Whether server and load may run on any core. */
  anyCore?: boolean;
  /** Whether the server is kept for later scenarios, so that it warms up only once. */
  kept?: boolean;
}

/** Servers that are kept to the end of the run, by their command lines. */
const kept = new Map<string, ServerProcess>();

async function keptServer(command: string[]): Promise<ServerProcess> {
  const key = command.join(' ');
  let server = kept.get(key);
  if (server === undefined) {
    const started = await startServer(command);
    started.unref();
    const stop = async (): Promise<void> => {
      kept.delete(key);
      await started.stop();
    };
    server = { ...started, stop };
    kept.set(key, server);
  }
  return server;
}

/** The report about a load. */
function report({ cpu, seconds, lost, tardy, ops }: LoadResult, isPaced: boolean): LoadReport {
  const share = cpu / seconds;
  return { share, lost, bound: isPaced ? tardy / ops > TARDY : share > BUSY };
}

/** Where connections stay, what they cost to establish and to close does not count. */
async function account(
  { pid }: ServerProcess,
  isPaced: boolean,
  load: (steps: Pick<Target, 'onEstablished' | 'onCounted'>) => Promise<LoadResult>,
): Promise<Sample> {
  let before = usage(pid);
  let after: Usage | undefined;
  let resident = 0;
  const result = await load({
    onEstablished: () => {
      before = usage(pid);
    },
    onCounted: () => {
      after = usage(pid);
      resident = residentBytes(pid);
    },
  });
  after ??= usage(pid);
  resident ||= residentBytes(pid);
  return {
    ops: result.ops,
    seconds: result.seconds,
    cpu: after.cpu - before.cpu,
    system: after.system - before.system,
    resident,
    latencies: result.latencies,
    load: report(result, isPaced),
  };
}

/** A server in its own process, with a load on another core. */
export function server({ name, command }: Peer, load: Load, options: ServerOptions = {}): Contender {
  const core = options.anyCore ? { core: null } : {};
  return {
    name,
    async start(): Promise<Running> {
      const args = [...command(), '0', HOST];
      const process = options.kept
        ? await keptServer(args)
        : await startServer(args, options.anyCore ? null : SERVER_CORE);
      return {
        pid: process.pid,
        round: seconds =>
          account(process, options.paced === true, steps =>
            load({ port: process.port, ...core, ...steps }, seconds),
          ),
        async stop(failed) {
          if (failed || !options.kept) await process.stop();
        },
      };
    },
  };
}

/** How long a server may settle before its memory is read, in milliseconds. */
const SETTLE_MS = 500;

/**
 * A server with many idle connections. Its memory is compared with that of the same process before. With a request they
 * are of HTTP, and `size` is the maximum of the answer.
 */
export function idleServer(
  { name, command }: Peer,
  conns: number,
  size: number,
  request?: string,
): Contender {
  return {
    name,
    async start(): Promise<Running> {
      // Each round has a new one: garbage of earlier connections does not count.
      let current: ServerProcess | undefined;
      const round = async (): Promise<Sample> => {
        current = await startServer([...command(), '0', HOST]);
        const { pid, port } = current;
        const settled = async (): Promise<number> => {
          await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
          return residentBytes(pid);
        };
        const before = await settled();
        let during = 0;
        const sample = await account(current, false, () =>
          whileIdle({ port }, { conns, size, request }, async opened => {
            during = await settled();
            return opened;
          }),
        );
        await current.stop();
        return { ...sample, resident: during - before };
      };
      // A missing installation is reported at once.
      command();
      return { round, stop: async () => current?.stop() };
    },
  };
}

/** A program on uasync that does the work itself, and the same on epoll. */
export function ours(command: () => string[], core: number | null = SERVER_CORE): Contender[] {
  return [worker('uasync', command, core), worker('uasync-epoll', () => onEpoll(command()), core)];
}

/** A program that works for the number of seconds in each line of its input. */
export function worker(name: string, command: () => string[], core: number | null = SERVER_CORE): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const { child, errors, exited, stop } = startProgram(command(), core);
      const lines = createInterface({ input: child.stdout! });
      const ended = exited.then(() =>
        Promise.reject(new Error(`it ended with ${child.exitCode}: ${errors()}`)),
      );
      ended.catch(() => {});
      return {
        pid: child.pid!,
        async round(seconds) {
          const answer = new Promise<string>(resolve => lines.once('line', resolve));
          child.stdin!.write(`${seconds}\n`);
          const sample = JSON.parse(await Promise.race([answer, ended])) as Sample;
          return { ...sample, resident: residentBytes(child.pid!) };
        },
        stop,
      };
    },
  };
}

/**
 * A contender that needs another server, whose port it gets. That runs on the load's core, and for as long as it does.
 */
export function behind(
  upstream: () => string[],
  name: string,
  contender: (port: number) => Contender,
): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const other = await startServer([...upstream(), '0', HOST], LOAD_CORE);
      try {
        const running = await contender(other.port).start();
        const stop = async (failed?: boolean): Promise<void> => {
          await running.stop(failed);
          await other.stop();
        };
        return { ...running, stop };
      } catch (error) {
        await other.stop();
        throw error;
      }
    },
  };
}

/** A client of an echo server in C: it takes the port, and works like a `worker`. */
export function client(name: string, command: (port: number) => string[]): Contender {
  const echo = (): string[] => [compile('benchmark/peers/tcp/epoll.c')];
  return behind(echo, name, port => worker(name, () => command(port)));
}

interface FioJob {
  job_runtime: number;
  usr_cpu: number;
  sys_cpu: number;
  read: { total_ios: number };
}

/** Runs a program on the server's core; returns its output. */
async function output(command: string[]): Promise<string> {
  const [program, ...args] = onCore(SERVER_CORE, command);
  return (await promisify(execFile)(program!, args, { maxBuffer: 16 << 20 })).stdout;
}

/** A program that is started again for each round, and prints its sample. The time of `before` does not count. */
export function program(
  name: string,
  command: (seconds: number) => string[],
  before?: () => Promise<void>,
): Contender {
  return {
    name,
    async start(): Promise<Running> {
      // A missing installation is reported at once.
      command(1);
      const round = async (seconds: number): Promise<Sample> => {
        await before?.();
        return JSON.parse(await output(command(seconds))) as Sample;
      };
      return { round, stop: async () => {} };
    },
  };
}

/** The options of fio(1). */
export interface FioJobOptions {
  path: () => string;
  /** `io_uring`, `psync` and so on. */
  engine: string;
  depth: number;
  /** The size of a read in bytes; default 4096. */
  block?: number;
  order?: 'random' | 'sequential';
  /** Whether it ends with the file, if that is before the time limit. */
  once?: boolean;
  /** Further arguments. */
  extra?: string[];
  before?: (() => Promise<void>) | undefined;
}

/** Reads by fio(1), by default at random and from the page cache. */
export function fio(name: string, options: FioJobOptions): Contender {
  const { path, engine, depth, block = 4096, order = 'random', once = false, extra = [], before } = options;
  const run = async (seconds: number): Promise<Sample> => {
    await before?.();
    const stdout = await output([
      ...['fio', '--name=read', `--filename=${path()}`, '--readonly', `--bs=${block}`, '--invalidate=0'],
      ...[`--rw=${order === 'random' ? 'randread' : 'read'}`, '--norandommap', `--ioengine=${engine}`],
      ...[`--iodepth=${depth}`, `--iodepth_batch_submit=${depth}`, '--gtod_reduce=1', ...extra],
      ...(once ? [] : ['--time_based']),
      ...[`--runtime=${Math.round(seconds * 1000)}ms`, '--thread', '--output-format=json'],
    ]);
    const job = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: FioJob[] }).jobs[0]!;
    const microseconds = job.job_runtime * 1000;
    const system = (job.sys_cpu / 100) * microseconds;
    const cpu = (job.usr_cpu / 100) * microseconds + system;
    const ops = job.read.total_ios;
    return { ops, seconds: microseconds / 1e6, cpu, system, resident: 0, latencies: [] };
  };
  return {
    name,
    async start(): Promise<Running> {
      await promisify(execFile)('fio', ['--version']).catch(() => {
        throw new NotInstalled('fio is not installed: npm run bench:setup');
      });
      return { round: run, stop: async () => {} };
    },
  };
}
