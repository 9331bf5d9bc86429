/** Where a run was made: figures of different machines are not comparable, ratios nearly so. */
import { spawnSync } from 'node:child_process';
import { arch, cpus, release, totalmem } from 'node:os';
import { generatorLanguage } from './load.js';
import { bun, deno } from './peers.js';
import { pinned } from './processes.js';

export interface Machine {
  /** When the run began, ISO 8601. */
  date: string;
  /** The command that made it. */
  command: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  arch: string;
  kernel: string;
  /** Whether the measured processes and the load had a core each. */
  pinned: boolean;
  /** What the load generators are written in. */
  load: string;
  /** Rounds that count, and the length of each in seconds. */
  rounds: number;
  seconds: number;
  versions: Record<string, string>;
}

/** The version that a program prints, or undefined if it is not there. */
function version(command: () => string[], ...args: string[]): string | undefined {
  try {
    const [program, ...before] = command();
    const { status, stdout } = spawnSync(program!, [...before, ...args], { encoding: 'utf8' });
    return status === 0 ? /\d+\.\d+[\w.-]*/.exec(stdout)?.[0] : undefined;
  } catch {
    return undefined;
  }
}

function versions(): Record<string, string> {
  const found: Record<string, string | undefined> = {
    node: process.versions.node,
    uv: process.versions.uv,
    bun: version(() => [bun('')[0]!], '--version'),
    deno: version(() => [deno('')[0]!], '--version'),
    go: version(() => ['go'], 'version'),
    cc: version(() => ['cc'], '-dumpfullversion'),
    liburing: version(() => ['pkg-config'], '--modversion', 'liburing'),
    libuv: version(() => ['pkg-config'], '--modversion', 'libuv'),
    fio: version(() => ['fio'], '--version'),
  };
  return Object.fromEntries(
    Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

export function describeMachine(command: string, rounds: number, seconds: number): Machine {
  return {
    date: new Date().toISOString(),
    command,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    arch: arch(),
    kernel: release().split('-')[0]!,
    pinned,
    load: generatorLanguage(),
    rounds,
    seconds,
    versions: versions(),
  };
}

/** The same in a line. */
export function machineLine({ cpu, cores, memoryGiB, arch, kernel, versions }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel} ${arch}; ${programs.join(', ')}`;
}
