/** What this machine offers, as facts: the first half of `uasync doctor`. */

import { createRequire } from 'node:module';
import { release } from 'node:os';
import * as abi from '../ring/abi.js';
import { kernelVersion, type Refusal, readProc, refusalOf, seccompActive } from '../ring/availability.js';
import { BufRing } from '../ring/buf-ring.js';
import { UasyncError } from '../ring/errors.js';
import { probe } from '../ring/probe.js';
import { Ring } from '../ring/ring.js';
import type { RingOptions } from '../ring/setup.js';

/** A resource limit, getrlimit(2); null is no limit. */
export interface Limit {
  soft: number | null;
  hard: number | null;
}

/** The facts. */
export interface Facts {
  uasync: string;
  node: string;
  platform: string;
  kernel: { release: string; major: number; minor: number };
  /** Whether a ring can be made, and why not. */
  available: boolean;
  reason: ({ code: string; message: string } & Partial<Refusal>) | null;
  /** Opcodes, features, setup flags and kinds of buffers by name, and whether the kernel has them. */
  opcodes: Record<string, boolean>;
  features: Record<string, boolean>;
  setupFlags: Record<string, boolean>;
  bufferRings: { plain: boolean; incremental: boolean };
  limits: {
    /** Bytes that the process may lock. */
    memlock: Limit;
    nofile: Limit;
    /** The sysctl kernel.io_uring_disabled; null where the kernel has none (before 6.6). */
    ioUringDisabled: number | null;
    /** The sysctl kernel.io_uring_group. */
    ioUringGroup: number | null;
    seccomp: boolean;
  };
}

/** Flags that the kernel takes with others only, or with a parameter. */
const COMPANIONS: Record<string, RingOptions> = {
  SQ_AFF: { flags: abi.SETUP_SQPOLL, sqThreadCpu: 0 },
  CQSIZE: { cqEntries: 4 },
  TASKRUN_FLAG: { flags: abi.SETUP_COOP_TASKRUN },
  DEFER_TASKRUN: { flags: abi.SETUP_SINGLE_ISSUER },
  REGISTERED_FD_ONLY: { flags: abi.SETUP_NO_MMAP },
  HYBRID_IOPOLL: { flags: abi.SETUP_IOPOLL },
};
/** SQ_REWIND is not for a queue that is a ring. */
const NOT_TRIED = new Set(['SQ_REWIND']);

/** Looks at the machine. It never throws, and leaves nothing open. */
export function examine(): Facts {
  const found = probe();
  const [major, minor] = kernelVersion();
  return {
    uasync: (createRequire(import.meta.url)('uasync/package.json') as { version: string }).version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    kernel: { release: release(), major, minor },
    available: found.available,
    reason: found.reason === undefined ? null : reasonOf(found.reason),
    opcodes: byName('OP_', op => found.supports(op)),
    features: byName('FEAT_', flag => (found.features & flag) !== 0),
    setupFlags: byName('SETUP_', (flag, name) => found.available && ringTakes(flag, name)),
    bufferRings: found.available ? bufferRings() : { plain: false, incremental: false },
    limits: {
      memlock: limit('Max locked memory'),
      nofile: limit('Max open files'),
      ioUringDisabled: sysctl('io_uring_disabled'),
      ioUringGroup: sysctl('io_uring_group'),
      seccomp: seccompActive(),
    },
  };
}

function reasonOf({ code, message, errno }: UasyncError): Facts['reason'] {
  return { code, message, ...(errno === undefined ? undefined : refusalOf(errno)) };
}

function byName(prefix: string, has: (value: number, name: string) => boolean): Record<string, boolean> {
  const found: Record<string, boolean> = {};
  for (const [constant, value] of Object.entries(abi)) {
    if (!constant.startsWith(prefix)) continue;
    const name = constant.slice(prefix.length);
    if (prefix === 'OP_' && (name === 'SUPPORTED' || name === 'LAST')) continue;
    found[name] = has(value, name);
  }
  return found;
}

/** What a call answers, or undefined where the kernel refuses. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof UasyncError) return undefined;
    throw error;
  }
}

function ringTakes(flag: number, name: string): boolean {
  if (NOT_TRIED.has(name)) return false;
  const companion = COMPANIONS[name] ?? {};
  // The worker threads to share are those of a ring that there is.
  const other = name === 'ATTACH_WQ' ? new Ring(2) : undefined;
  const options: RingOptions = {
    ...companion,
    flags: (companion.flags ?? 0) | (name === 'CQSIZE' ? 0 : flag),
  };
  if (other !== undefined) options.wqFd = other.fd;
  const ring = attempt(() => new Ring(2, options));
  ring?.close();
  other?.close();
  return ring !== undefined;
}

function bufferRings(): { plain: boolean; incremental: boolean } {
  const ring = new Ring(2);
  const has = (flags: number): boolean => {
    const group = attempt(() => new BufRing(ring, { group: 0, entries: 2, bufferSize: 64, flags }));
    group?.close();
    return group !== undefined;
  };
  const found = { plain: has(0), incremental: has(abi.PBUF_RING_INC) };
  ring.close();
  return found;
}

function limit(name: string): Limit {
  const line = readProc('/proc/self/limits')
    .split('\n')
    .find(line => line.startsWith(name));
  const [soft, hard] = (line?.slice(name.length).trim().split(/\s+/) ?? []).map(value =>
    value === 'unlimited' ? null : Number(value),
  );
  return { soft: soft ?? null, hard: hard ?? null };
}

function sysctl(name: string): number | null {
  const value = readProc(`/proc/sys/kernel/${name}`);
  return value === '' ? null : Number(value);
}
