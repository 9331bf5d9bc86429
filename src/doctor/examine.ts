/** Collects facts about this machine: the first half of `uasync doctor`. */

import { createRequire } from 'node:module';
import { release } from 'node:os';
import { type BackendKind, servesSockets } from '../loop/backend/choose-backend.js';
import { RingBackend } from '../loop/backend/ring-backend.js';
import { EventLoop } from '../loop/event-loop.js';
import type { Loop } from '../loop/loop.js';
import { type BackendChoice, withDefaults } from '../loop/loop-options.js';
import * as abi from '../ring/abi/io-uring.js';
import { BufRing } from '../ring/registered/buf-ring.js';
import { Ring } from '../ring/ring.js';
import { type Refusal, refusalOf, seccompActive } from '../ring/setup/availability.js';
import { lockedMemory, patiently, ringsAreCounted } from '../ring/setup/locked-memory.js';
import { probeOps, query } from '../ring/setup/probe.js';
import type { RingOptions } from '../ring/setup/setup.js';
import { ENOMEM } from '../sys/abi/errno.js';
import type { UasyncError } from '../sys/errors/errors.js';
import { kernelVersion, type Limit, limitOf, readProc } from '../sys/proc.js';
import { type Registered, registered } from './registered.js';

/** Why a feature is not available, and the fix if one is known. */
export type Reason = { code: string; message: string } & Partial<Refusal>;

/** The facts. */
export interface Facts {
  uasync: string;
  node: string;
  platform: string;
  kernel: { release: string; major: number; minor: number };
  /** Whether a ring can be created, and why not. */
  available: boolean;
  reason: Reason | null;
  /** The queue sizes of a loop on io_uring, in entries; null if that fails. */
  loop: { entries: number; cqEntries: number } | null;
  /** Why it fails. */
  loopReason: Reason | null;
  /** The backend of loops, null if there can be none; and the value of `UASYNC_BACKEND`. */
  backend: BackendKind | null;
  asked: BackendChoice;
  /** The effect of `uasync/register`. */
  registered: Registered[];
  /** Opcodes, features, setup flags and kinds of buffers by name, and whether the kernel has them. */
  opcodes: Record<string, boolean>;
  features: Record<string, boolean>;
  setupFlags: Record<string, boolean>;
  bufferRings: {
    plain: boolean;
    incremental: boolean;
    /** Whether the user may lock the page that a buffer ring takes. */
    fit: boolean;
  };
  limits: {
    /** Bytes that the process may lock; null if unknown. */
    memlock: Limit | null;
    /** Whether this limit applies to the process, and its kernel counts rings. */
    memlockCounts: boolean;
    nofile: Limit | null;
    /** The sysctl kernel.io_uring_disabled; null where the kernel has none (before 6.6). */
    ioUringDisabled: number | null;
    /** The sysctl kernel.io_uring_group. */
    ioUringGroup: number | null;
    seccomp: boolean;
  };
}

/** Flags that the kernel only accepts together with others, or with a parameter. */
const COMPANIONS: Record<string, RingOptions> = {
  SQ_AFF: { flags: abi.SETUP_SQPOLL, sqThreadCpu: 0 },
  CQSIZE: { cqEntries: 4 },
  TASKRUN_FLAG: { flags: abi.SETUP_COOP_TASKRUN },
  DEFER_TASKRUN: { flags: abi.SETUP_SINGLE_ISSUER },
  REGISTERED_FD_ONLY: { flags: abi.SETUP_NO_MMAP },
  HYBRID_IOPOLL: { flags: abi.SETUP_IOPOLL },
};
/** SQ_REWIND is not for a queue that is used as a ring. */
const NOT_TRIED = new Set(['SQ_REWIND']);

/** The ring to examine, that of a loop if there can be one; and any error. */
interface Subject {
  loop: Loop | null;
  loopReason: Reason | null;
  ring: Ring | null;
  reason: Reason | null;
}

/** Examines the machine. It never throws, and leaves nothing open. */
export async function examine(): Promise<Facts> {
  const [major, minor] = kernelVersion();
  const { loop, loopReason, ring, reason } = open();
  const ops = ring === null ? new Set<number>() : probeOps(ring);
  const known = ring === null ? null : query();
  const facts: Facts = {
    uasync: version(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    kernel: { release: release(), major, minor },
    available: ring !== null,
    reason,
    loop: loop && { entries: loop.entries, cqEntries: loop.cqEntries },
    ...chosen(loop, loopReason),
    registered: await registered(),
    opcodes: byName('OP_', op => ops.has(op)),
    features: byName('FEAT_', flag => ring !== null && (ring.features & flag) !== 0),
    setupFlags: byName('SETUP_', (flag, name) => {
      if (ring === null || NOT_TRIED.has(name)) return false;
      return known === null ? ringTakes(ring, flag, name) : (known.setupFlags & BigInt(flag >>> 0)) !== 0n;
    }),
    bufferRings: ring === null ? { plain: false, incremental: false, fit: false } : bufferRings(ring),
    limits: {
      memlock: limitOf('Max locked memory') ?? reported('max_locked_memory_bytes'),
      memlockCounts: lockedMemory()?.limit !== null && ringsAreCounted(),
      nofile: limitOf('Max open files') ?? reported('open_files'),
      ioUringDisabled: sysctl('io_uring_disabled'),
      ioUringGroup: sysctl('io_uring_group'),
      seccomp: seccompActive(),
    },
  };
  if (loop === null) ring?.close();
  else loop.close();
  return facts;
}

/** The version of this package. */
export function version(): string {
  return (createRequire(import.meta.url)('uasync/package.json') as { version: string }).version;
}

/** One ring for all checks: if little memory may be locked there may be none for a second one. */
function open(): Subject {
  let loopReason: Reason;
  try {
    const { entries, cqEntries } = withDefaults({});
    const backend = new RingBackend(entries, cqEntries);
    return { loop: new EventLoop({}, backend), loopReason: null, ring: backend.queues, reason: null };
  } catch (error) {
    loopReason = reasonOf(error);
  }
  try {
    return { loop: null, loopReason, ring: patiently(() => new Ring(2)), reason: null };
  } catch (error) {
    return { loop: null, loopReason, ring: null, reason: reasonOf(error) };
  }
}

/** What a loop without options runs on. @param ring a loop on io_uring, if one could be created. */
function chosen(
  ring: Loop | null,
  loopReason: Reason | null,
): Pick<Facts, 'backend' | 'asked' | 'loopReason'> {
  let asked: BackendChoice = 'auto';
  try {
    asked = withDefaults({}).backend;
    if (ring !== null && (asked === 'io_uring' || (asked === 'auto' && servesSockets(ring.ops))))
      return { backend: 'io_uring', asked, loopReason };
    const loop = new EventLoop({ backend: asked === 'auto' ? 'epoll' : asked });
    loop.close();
    return { backend: loop.backend, asked, loopReason };
  } catch (error) {
    return { backend: null, asked, loopReason: loopReason ?? reasonOf(error) };
  }
}

function reasonOf(error: unknown): Reason {
  const { code = 'ERR_UNKNOWN', message, errno, syscall } = error as UasyncError;
  return { code, message, ...(errno === undefined ? undefined : refusalOf(errno, syscall)) };
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

/** The result of creating something. The kernel checks whether it supports it before it checks for memory. */
function attempt(make: () => { close(): void }): 'made' | 'no memory' | 'unknown' {
  try {
    make().close();
    return 'made';
  } catch (error) {
    return (error as UasyncError).errno === ENOMEM ? 'no memory' : 'unknown';
  }
}

/** Tries to create a ring: before 6.18 there is no query. */
function ringTakes(ring: Ring, flag: number, name: string): boolean {
  const companion = COMPANIONS[name] ?? {};
  const options: RingOptions = {
    ...companion,
    flags: (companion.flags ?? 0) | (name === 'CQSIZE' ? 0 : flag),
  };
  // The worker threads to share are those of the existing ring.
  if (name === 'ATTACH_WQ') options.wqFd = ring.fd;
  return attempt(() => new Ring(2, options)) !== 'unknown';
}

/** An unused group: a loop has the first ones. */
const GROUP = 0x7fff;

function bufferRings(ring: Ring): Facts['bufferRings'] {
  const tryOut = (flags: number) =>
    attempt(() => new BufRing(ring, { group: GROUP, entries: 2, bufferSize: 64, flags }));
  const plain = tryOut(0);
  return {
    plain: plain !== 'unknown',
    incremental: tryOut(abi.PBUF_RING_INC) !== 'unknown',
    fit: plain === 'made',
  };
}

/** A limit as Node reports it, without /proc, which takes longer. */
function reported(name: string): Limit | null {
  const { userLimits } = process.report.getReport() as {
    userLimits?: Record<string, Record<string, unknown>>;
  };
  const limit = userLimits?.[name];
  const value = (which: string): number | null =>
    typeof limit?.[which] === 'number' ? (limit[which] as number) : null;
  return limit === undefined ? null : { soft: value('soft'), hard: value('hard') };
}

function sysctl(name: string): number | null {
  const value = readProc(`/proc/sys/kernel/${name}`);
  return value === '' ? null : Number(value);
}
