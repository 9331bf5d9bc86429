import { ringsAreCounted } from '../ring/setup/locked-memory.js';
import { checkBoolean, checkInt } from '../sys/check/check.js';
import { checkOptions, optionNames } from '../sys/check/options.js';
import { argValueError } from '../sys/errors/errors.js';

/** The settings of a thread's loop, made on first use. */
export interface LoopOptions {
  /**
   * Entries of the submission queue, 1 to 32768; default 128, and 4096 on kernels that do not count rings as locked
   * memory (5.12 to 6.13). The queue is smaller if the user's locked memory does not allow this size.
   */
  entries?: number | undefined;
  /**
   * Entries of the completion queue, from `entries` to 65536; default four times `entries`, and at least 512.
   */
  cqEntries?: number | undefined;
  /** The maximum runtime memory for bytes in flight, in bytes, 1 MiB to 1 TiB; default 256 MiB. */
  memory?: number | undefined;
  /**
   * How many microseconds after a completion the thread polls for more instead of sleeping, while Node's timers and
   * handles run. Lower latency, at the price of a core. 0 to 1000000, default 0.
   */
  busyPoll?: number | undefined;
  /**
   * Whether calls that do not wait (cached reads, cached names, small writes to sockets) are made at once, by plain
   * system calls; default true. False puts everything through the ring; 'random' decides randomly for each call, for
   * tests.
   */
  inline?: boolean | 'random' | undefined;
  /**
   * Whether buffered writes of files, and changes of names on local file systems, are made at once too, where they
   * hardly ever wait. Default 'adaptive': while the system is far from throttling writers, and the device has been
   * fast. A call that does wait blocks the thread for as long. 'never' leaves them to the ring, as `inline: false`
   * does.
   */
  inlineWrites?: 'adaptive' | 'never' | undefined;
  /**
   * What executes operations: `'io_uring'`, or `'epoll'`: non-blocking system calls and an epoll instance. Default
   * `'auto'`: io_uring, or epoll where io_uring is denied or the kernel is older than 6.0. The environment variable
   * `UASYNC_BACKEND` sets another default.
   */
  backend?: BackendChoice | undefined;
  /** Whether a process warning reports, once, that `'auto'` has fallen back to epoll; default true. */
  warn?: boolean | undefined;
}

/** What executes a loop's operations, or how that is chosen. */
export type BackendChoice = 'auto' | 'io_uring' | 'epoll';

const LOOP_OPTIONS = optionNames<LoopOptions>({
  entries: true,
  cqEntries: true,
  memory: true,
  busyPoll: true,
  inline: true,
  inlineWrites: true,
  backend: true,
  warn: true,
});

const CHOICES: readonly unknown[] = ['auto', 'io_uring', 'epoll'];

/** The default of `backend`. */
function backendOfEnvironment(): BackendChoice {
  const { UASYNC_BACKEND } = process.env;
  if (UASYNC_BACKEND === undefined || UASYNC_BACKEND === '') return 'auto';
  if (CHOICES.includes(UASYNC_BACKEND)) return UASYNC_BACKEND as BackendChoice;
  throw argValueError('UASYNC_BACKEND', "must be 'auto', 'io_uring' or 'epoll'", UASYNC_BACKEND);
}

const BUSY_POLL_MAX = 1e6;

/**
 * Larger queues save nothing measurable where the kernel posts completions in small batches, which it does since 6.13;
 * before, all ready ones come at once.
 */
const ENTRIES = 128;
const ENTRIES_UNCOUNTED = 4096;
const CQ_FACTOR = 4;
const CQ_ENTRIES = 512;
const CQ_ENTRIES_MAX = 65536;

/** Options that all have a value. */
type LoopSettings = { [Name in keyof LoopOptions]-?: Exclude<LoopOptions[Name], undefined> };

/** Fills in the defaults. The ring checks its own options. */
export function withDefaults(options: LoopOptions): LoopSettings {
  checkOptions(options, LOOP_OPTIONS);
  const { memory = 256 << 20, busyPoll = 0, inline = true, inlineWrites = 'adaptive' } = options;
  const { entries = ringsAreCounted() ? ENTRIES : ENTRIES_UNCOUNTED } = options;
  const { cqEntries = Math.min(Math.max(entries * CQ_FACTOR, CQ_ENTRIES), CQ_ENTRIES_MAX) } = options;
  checkInt('options.memory', memory, 1 << 20, 2 ** 40);
  checkInt('options.busyPoll', busyPoll, 0, BUSY_POLL_MAX);
  if (typeof inline !== 'boolean' && inline !== 'random') {
    throw argValueError('options.inline', "must be true, false or 'random'", inline);
  }
  if (inlineWrites !== 'adaptive' && inlineWrites !== 'never') {
    throw argValueError('options.inlineWrites', "must be 'adaptive' or 'never'", inlineWrites);
  }
  const { backend = backendOfEnvironment(), warn = true } = options;
  if (!CHOICES.includes(backend)) {
    throw argValueError('options.backend', "must be 'auto', 'io_uring' or 'epoll'", backend);
  }
  checkBoolean('options.warn', warn);
  return { entries, cqEntries, memory, busyPoll, inline, inlineWrites, backend, warn };
}
