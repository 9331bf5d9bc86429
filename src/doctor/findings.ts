/** Interprets the facts, and says how to fix what is missing: the second half of `uasync doctor`. */

import { MEMLOCK_CURE } from '../ring/setup/availability.js';
import type { Facts, Reason } from './examine.js';
import type { Registered } from './registered.js';

/** One thing that works, works less well, or does not work. */
export interface Finding {
  /** ok: as it should be. slower: it works, with more CPU time or less capacity. missing: it does not work. */
  state: 'ok' | 'slower' | 'missing';
  /** The feature. */
  what: string;
  /** Why it is not ok. */
  why?: string;
  /** How to fix it. */
  fix?: string;
}

interface Need {
  what: string;
  /** The first Linux version with it. */
  since: string;
  met: (facts: Facts) => boolean;
  /** What is worse without it; undefined if nothing works without it. */
  without?: string;
}

const ops =
  (...names: string[]) =>
  (facts: Facts): boolean =>
    names.every(name => facts.opcodes[name]);
const setup =
  (...names: string[]) =>
  (facts: Facts): boolean =>
    names.every(name => facts.setupFlags[name]);

const SOCKETS = 'sockets, uasync/net';

const NEEDS: Need[] = [
  { what: 'timers, uasync', since: '5.6', met: ops('TIMEOUT', 'ASYNC_CANCEL', 'LINK_TIMEOUT') },
  {
    what: 'files, uasync/fs',
    since: '5.6',
    met: ops('OPENAT', 'READ', 'WRITE', 'STATX', 'FSYNC', 'CLOSE'),
  },
  {
    what: SOCKETS,
    since: '6.0',
    // Multishot receives have no opcode of their own: SEND_ZC came with them.
    met: facts => ops('ACCEPT', 'CONNECT', 'SEND', 'SHUTDOWN', 'SEND_ZC')(facts) && facts.bufferRings.plain,
  },
  {
    what: 'FileHandle.truncate on the ring',
    since: '6.9',
    met: ops('FTRUNCATE'),
    without: 'Node truncates on its thread pool instead',
  },
  {
    what: 'listening on the ring',
    since: '6.11',
    met: ops('BIND', 'LISTEN'),
    without: 'bind and listen take a system call each',
  },
  {
    what: 'incremental receive buffers',
    since: '6.12',
    met: facts => facts.bufferRings.incremental,
    without: 'each message takes a whole receive buffer, so small messages use them up sooner',
  },
  {
    what: 'completions without interrupts',
    since: '5.19',
    met: setup('COOP_TASKRUN'),
    without: 'the kernel interrupts the thread for each completion',
  },
  {
    what: 'single-issuer rings',
    since: '6.0',
    met: setup('SINGLE_ISSUER'),
    without: 'the kernel takes locks that one thread does not need',
  },
  {
    what: 'sleep counted as idle time',
    since: '6.1',
    met: setup('DEFER_TASKRUN'),
    without: 'performance.eventLoopUtilization() counts sleep as work',
  },
  {
    what: 'submission queues without an index array',
    since: '6.6',
    met: setup('NO_SQARRAY'),
    without: 'the kernel reads one more word per entry',
  },
];

const FEW_DESCRIPTORS = 10_000;
const SMALL_MEMLOCK = 8 << 20;
const KIB = 1024;

/** Judges the facts, worst first. */
export function findings(facts: Facts): Finding[] {
  const found = facts.backend === 'epoll' ? onEpoll(facts) : onRing(facts);
  if (facts.backend !== null)
    found.push(...limits(facts), ...facts.registered.map(part => register(part, facts)));
  const order = { missing: 0, slower: 1, ok: 2 };
  return found.sort((a, b) => order[a.state] - order[b.state]);
}

function onRing(facts: Facts): Finding[] {
  if (!facts.available) return [missing('io_uring', facts.reason!)];
  const ring: Finding = { state: 'ok', what: 'io_uring, uasync/ring' };
  if (facts.backend === null) return [missing('loops, uasync', facts.loopReason!), ring];
  return [ring, { state: 'ok', what: 'loops on io_uring, uasync' }, ...NEEDS.map(need => judge(need, facts))];
}

/** Loops run on epoll: because that was requested, or because the kernel refuses io_uring. */
function onEpoll(facts: Facts): Finding[] {
  const found: Finding[] = [
    { state: 'ok', what: 'loops on epoll, uasync' },
    { state: 'ok', what: SOCKETS },
    { state: 'ok', what: 'files, uasync/fs' },
  ];
  const reason = facts.reason ?? facts.loopReason;
  if (reason === null && facts.asked === 'auto') {
    found.push({
      state: 'slower',
      what: 'io_uring, uasync/ring',
      why: `Linux ${facts.kernel.release} lacks what sockets need of it, so sockets and files run on epoll`,
      fix: 'run Linux 6.0 or later',
    });
  } else if (reason === null)
    found.push({ state: 'ok', what: 'io_uring, uasync/ring: not used, as UASYNC_BACKEND says' });
  else {
    const { why, ...rest } = missing('io_uring, uasync/ring', reason);
    found.push({ ...rest, state: 'slower', why: `${why}; sockets and files run on epoll instead` });
  }
  return found;
}

/** The effect of `node --import uasync/register` here. */
function register({ what: module, word, wanted, fault }: Registered, { node }: Facts): Finding {
  const what = `${module}, uasync/register`;
  if (fault !== null)
    return { state: 'slower', what, why: `they stay as they are: on Node ${node} ${fault}` };
  return { state: 'ok', what: wanted ? `${what}: on` : `${what}: off, UASYNC_REGISTER=${word} puts it on` };
}

function missing(what: string, { message, cause, cure }: Reason): Finding {
  const finding: Finding = { state: 'missing', what, why: cause ?? message };
  if (cure !== undefined) finding.fix = cure;
  return finding;
}

function judge(need: Need, facts: Facts): Finding {
  if (need.what === SOCKETS && need.met(facts) && !facts.bufferRings.fit) {
    const why = 'no locked memory is left for a ring of receive buffers, so each buffer takes an operation';
    return { state: 'slower', what: SOCKETS, why, fix: MEMLOCK_CURE };
  }
  if (need.met(facts)) return { state: 'ok', what: need.what };
  return {
    state: need.without === undefined ? 'missing' : 'slower',
    what: need.what,
    why: need.without ?? `Linux ${facts.kernel.release} lacks operations it needs`,
    fix: `run Linux ${need.since} or later`,
  };
}

function limits({ limits }: Facts): Finding[] {
  const found: Finding[] = [];
  const files = limits.nofile?.soft ?? null;
  if (files !== null && files < FEW_DESCRIPTORS) {
    found.push({
      state: 'slower',
      what: 'open files',
      why: `the limit is ${files}, and each connection and file takes one`,
      fix: 'raise it: ulimit -n 65536, or LimitNOFILE= in systemd',
    });
  }
  const locked = limits.memlock?.soft ?? null;
  if (limits.memlockCounts && locked !== null && locked < SMALL_MEMLOCK) {
    found.push({
      state: 'slower',
      what: 'locked memory',
      why: `the limit is ${locked / KIB} KiB for all processes of a user together, and each loop takes 8 to 28 KiB`,
      fix: MEMLOCK_CURE,
    });
  }
  return found;
}
