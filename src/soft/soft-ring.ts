import * as abi from '../ring/abi.js';
import type { CqeSink } from '../ring/cqe.js';
import { EBADF, ECANCELED, EINVAL } from '../ring/errno.js';
import { libc } from '../ring/libc.js';
import { Scratch } from '../ring/scratch.js';
import { Sqe } from '../ring/sqe/index.js';
import { SQE } from '../ring/structs.js';
import { Calls } from './calls.js';
import { Cells } from './cells.js';
import { Completions } from './completions.js';
import { CHAINED, Entry, EntryList, HANDED, PARKED, RUNNING, TIMED } from './entry.js';
import type { Group } from './groups.js';
import { handlers } from './handlers.js';
import { Opens } from './opens.js';
import { Pool } from './pool.js';
import { Readiness } from './readiness.js';
import { MessageBatch } from './receive-messages.js';
import { refusalOf } from './refusals.js';
import { Timeouts } from './timeouts.js';
import { Waiting } from './waiting.js';

/** Words of an entry, as a shift. */
const SHIFT = 4;
const LINKS = abi.SQE_IO_LINK | abi.SQE_IO_HARDLINK;
/** Flags of entries that are understood. */
const FLAGS = LINKS | abi.SQE_FIXED_FILE | abi.SQE_ASYNC | abi.SQE_BUFFER_SELECT | abi.SQE_CQE_SKIP_SUCCESS;

const NO_FILES = new Int32Array(0);

/**
 * A submission queue and a completion queue as io_uring's, whose entries are executed by system calls that do not
 * wait, when they are submitted; what would wait is tried again when its descriptor is ready.
 *
 * The same builder fills the entries, and they complete as the kernel has them complete: exactly one completion of
 * each is the last. What an entry does is in `handlers`, by its opcode: a handler tries it, and then it either
 * completes (`complete`), or has to wait (`readiness`, `timeouts`), or goes elsewhere (`hand`). One that waits is
 * tried again by the same handler.
 */
export class SoftRing {
  readonly sqEntries: number;
  readonly scratch = new Scratch();
  readonly calls = new Calls();
  readonly cells = new Cells();
  readonly waiting = new Waiting();
  readonly readiness: Readiness;
  readonly timeouts: Timeouts;
  /** Provided buffers, by their groups. */
  readonly groups = new Map<number, Group>();
  /** Registered files, by their places; -1 is an empty one. */
  registered: Int32Array = NO_FILES;
  /** Connects that are tried again after a while: see sockets.ts. */
  readonly retrying = new EntryList();
  /** Entries that others have: see `hand`. */
  handed = 0;
  closed = false;
  readonly #sqe: Sqe;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #completions: Completions;
  readonly #free: Entry[] = [];
  #messages: MessageBatch | null = null;
  #pool: Pool | null = null;
  #files: Opens | null = null;
  /** Timeouts that wait for completions, too. */
  readonly #counting: Entry[] = [];
  /** Completions that were of timeouts, modulo 2^32: those do not count. */
  #timedOut = 0;
  #head = 0;
  #tail = 0;
  /** Links of what has completed, to be started. */
  readonly #runnable: Entry[] = [];
  /** Chains whose later entries have not started: scratch memory holds what they point at. */
  #chains = 0;
  readonly #kept: ArrayBufferView[] = [];
  #onBack: (() => void) | null = null;

  /** @param entries,cqEntries are rounded up to powers of two. */
  constructor(entries: number, cqEntries: number) {
    this.sqEntries = powerOfTwo(entries);
    this.#mask = this.sqEntries - 1;
    this.#words = new Int32Array(this.sqEntries << SHIFT);
    this.#sqe = new Sqe(this.scratch);
    this.#sqe.use(this.#words, SHIFT);
    this.#completions = new Completions(powerOfTwo(cqEntries));
    this.readiness = new Readiness(this);
    try {
      this.timeouts = new Timeouts(this);
    } catch (error) {
      this.readiness.close();
      throw error;
    }
    this.readiness.watchTimer(this.timeouts.fd);
  }

  // --- What the loop sees -------------------------------------------------------------------------

  /** Other threads cannot post completions here. */
  readonly fd = -1;

  get cqEntries(): number {
    return this.#completions.entries;
  }

  get sqReady(): number {
    return (this.#tail - this.#head) | 0;
  }

  get sqSpaceLeft(): number {
    return this.sqEntries - this.sqReady;
  }

  get cqReady(): number {
    return this.#completions.ready;
  }

  /** None: the queue grows. */
  readonly cqDropped = 0;

  /** Whether to look at what waits. */
  get taskWorkPending(): boolean {
    return this.waiting.size !== 0;
  }

  /** Whether another `submitAndGetEvents()` finds more at once. */
  get cqHasOverflow(): boolean {
    return this.readiness.more && this.waiting.size !== 0;
  }

  /** How often the kernel was asked what is ready. */
  get enters(): number {
    return this.readiness.asked;
  }

  getSqe(): Sqe | null {
    if (this.sqReady > this.#mask) return null;
    const sqe = this.#sqe;
    if (sqe.kept.length !== 0) this.#keep();
    sqe.moveTo((this.#tail & this.#mask) << SHIFT);
    this.#tail = (this.#tail + 1) | 0;
    return sqe;
  }

  /** Operations of the loop keep their own buffers. */
  #keep(): void {
    this.#sqe.kept = [];
  }

  /** @param look whether to find out what has become ready, too. */
  submitAndGetEvents(look = true): number {
    const count = this.#submit();
    if (look && this.waiting.size !== 0) this.#look(0);
    return count;
  }

  submitClosing(_fd: number): void {
    // The call that closes takes the hook back itself.
    this.#submit();
  }

  submitAndWaitTimeout(waitNr: number, timeoutMs: number): number {
    const count = this.#submit();
    if (this.waiting.size !== 0) this.#look(this.cqReady < waitNr ? timeoutMs : 0);
    return count;
  }

  reapQueue(sink: CqeSink): number {
    return this.#completions.drain(sink);
  }

  keepForever(buffers: readonly ArrayBufferView[]): void {
    this.#kept.push(...buffers);
  }

  // --- Submission ---------------------------------------------------------------------------------

  #submit(): number {
    const count = this.sqReady;
    if (count === 0) return 0;
    this.#files?.refill();
    let first: Entry | null = null;
    let last: Entry | null = null;
    while (this.#head !== this.#tail) {
      const entry = this.#free.pop() ?? new Entry();
      entry.decode(this.#words, (this.#head & this.#mask) << SHIFT);
      this.#head = (this.#head + 1) | 0;
      if (last !== null) {
        last.linked = entry;
        entry.place = CHAINED;
      } else first = entry;
      last = entry;
      // A chain ends with the submission, too.
      if (entry.flags & LINKS && this.#head !== this.#tail) continue;
      if (first === last) this.#start(entry);
      else this.#startChain(first!);
      last = null;
    }
    if (this.#counting.length !== 0) this.#endCounted();
    this.#recycleScratch();
    return count;
  }

  /** All of a chain fails if one of its entries cannot be understood. */
  #startChain(first: Entry): void {
    let wrong = false;
    for (let entry: Entry | null = first; entry !== null; entry = entry.linked) {
      if (refused(entry) !== 0) wrong = true;
    }
    if (!wrong) {
      this.#chains++;
      this.#start(first);
      return;
    }
    for (let entry: Entry | null = first; entry !== null; ) {
      const next: Entry | null = entry.linked;
      entry.linked = null;
      this.#post(entry, refused(entry) || ECANCELED, 0);
      this.#release(entry);
      entry = next;
    }
  }

  #start(entry: Entry): void {
    const failed = refused(entry);
    if (failed !== 0) this.complete(entry, failed);
    else this.#run(entry);
    while (this.#runnable.length !== 0) this.#run(this.#runnable.shift()!);
  }

  #run(entry: Entry): void {
    if (entry.flags & abi.SQE_FIXED_FILE) {
      const fd = this.registered[entry.fd] ?? -1;
      if (fd < 0) {
        this.complete(entry, EBADF);
        return;
      }
      entry.fd = fd;
    }
    handlers[entry.op]!(this, entry);
  }

  /** Tries again what has waited. */
  attempt(entry: Entry): void {
    handlers[entry.op]!(this, entry);
  }

  #look(timeout: number): void {
    this.readiness.look(timeout);
    while (this.#runnable.length !== 0) this.#run(this.#runnable.shift()!);
    if (this.#counting.length !== 0) this.#endCounted();
    this.#recycleScratch();
  }

  /** What scratch memory holds has been used or copied once all entries have started. */
  #recycleScratch(): void {
    if (this.sqReady === 0 && this.#chains === 0) this.scratch.reset();
  }

  // --- What handlers call -------------------------------------------------------------------------

  /** The threads that do what may wait. */
  get pool(): Pool {
    this.#pool ??= new Pool(this);
    return this.#pool;
  }

  /** What is to be known of files, and their opening. */
  get files(): Opens {
    this.#files ??= new Opens(this);
    return this.#files;
  }

  get messages(): MessageBatch {
    this.#messages ??= new MessageBatch();
    return this.#messages;
  }

  /** A timeout ends with 0 once `count` others have completed. */
  waitForCompletions(entry: Entry, count: number): void {
    entry.target = (this.#completions.posted - this.#timedOut + count) | 0;
    this.#counting.push(entry);
  }

  #endCounted(): void {
    const counted = (this.#completions.posted - this.#timedOut) | 0;
    for (let i = 0; i < this.#counting.length; ) {
      const entry = this.#counting[i]!;
      if (((counted - entry.target) | 0) >= 0) this.complete(entry, 0);
      else i++;
    }
  }

  /** The time of an entry has come. */
  expired(entry: Entry): void {
    handlers[entry.op]!(this, entry);
  }

  /** The kernel's timer has gone off. */
  expire(): void {
    this.timeouts.expire();
  }

  /**
   * An entry has answered EAGAIN: it waits until its descriptor may be read from (TO_READ) or written to, and is tried
   * again then. 0, or a negative errno: EPERM if the descriptor is of a kind that cannot be waited for.
   */
  wait(entry: Entry, direction: number): number {
    const isNew = entry.place !== PARKED;
    const failed = this.readiness.wait(entry, direction);
    if (isNew && failed === 0) this.waiting.add(entry);
    return failed;
  }

  /** An entry waits for these events of poll(2), and is tried again whenever there are some. 1 if there is
   * a first time for what is so already, else 0, or a negative errno. */
  waitForEvents(entry: Entry, events: number): number {
    const isNew = entry.place !== PARKED;
    const result = this.readiness.poll(entry, events);
    if (isNew && result >= 0) this.waiting.add(entry);
    return result;
  }

  /** An entry waits until its `deadline`, and is tried again then. */
  waitUntil(entry: Entry): void {
    this.timeouts.add(entry);
    this.waiting.add(entry);
  }

  /** A completion that is not the last. */
  post(entry: Entry, res: number, flags: number): void {
    this.#completions.post(entry.low, entry.high, res, flags | abi.CQE_F_MORE);
  }

  /** The last completion. The entry is another's from now on. */
  complete(entry: Entry, res: number, flags = 0): void {
    this.leave(entry);
    if (this.closed) {
      if (this.handed === 0) this.#onBack?.();
      return;
    }
    const failed = res < 0 ? res !== entry.expected : entry.expected >= 0 && res !== entry.expected;
    if (failed && entry.flags & abi.SQE_CQE_SKIP_SUCCESS) entry.quietLinks = true;
    if (failed || !(entry.flags & abi.SQE_CQE_SKIP_SUCCESS)) this.#post(entry, res, flags);
    const { linked } = entry;
    if (linked !== null) this.#proceed(entry, linked, failed);
    this.#release(entry);
  }

  /** As `complete`, from elsewhere than a handler: what is linked behind it starts. */
  settle(entry: Entry, res: number): void {
    this.complete(entry, res);
    while (this.#runnable.length !== 0) this.#run(this.#runnable.shift()!);
    if (this.#counting.length !== 0) this.#endCounted();
    this.#recycleScratch();
  }

  #proceed(entry: Entry, linked: Entry, failed: boolean): void {
    entry.linked = null;
    const goesOn = !failed || (entry.flags & abi.SQE_IO_HARDLINK) !== 0;
    if (goesOn) {
      if (linked.linked === null) this.#chains--;
      linked.place = RUNNING;
      this.#runnable.push(linked);
      return;
    }
    this.#chains--;
    const quiet = entry.quietLinks;
    for (let rest: Entry | null = linked; rest !== null; ) {
      const next: Entry | null = rest.linked;
      rest.linked = null;
      if (!quiet) this.#post(rest, ECANCELED, 0);
      this.#release(rest);
      rest = next;
    }
  }

  #post(entry: Entry, res: number, flags: number): void {
    if (entry.op === abi.OP_TIMEOUT) this.#timedOut = (this.#timedOut + 1) | 0;
    this.#completions.post(entry.low, entry.high, res, flags);
  }

  #release(entry: Entry): void {
    if (entry.cell >= 0) {
      this.cells.give(entry.cell);
      entry.cell = -1;
    }
    entry.stop = null;
    this.#free.push(entry);
  }

  /** An entry waits no more. */
  leave(entry: Entry): void {
    const { place } = entry;
    if (place === PARKED) this.readiness.leave(entry);
    else if (place === TIMED) {
      entry.list?.remove(entry);
      if (entry.heapIndex >= 0) this.timeouts.remove(entry);
      const at = this.#counting.length === 0 ? -1 : this.#counting.indexOf(entry);
      if (at >= 0) this.#counting.splice(at, 1);
    } else if (place === HANDED) this.handed--;
    else return;
    entry.place = 0;
    this.waiting.remove(entry);
  }

  /**
   * Something else has the entry from now on, and calls `complete` with it, once, from JavaScript of this thread.
   * @param stop asks for that to be soon; whether it is certain that `complete` is called with ECANCELED, at once or
   * later. Without it an entry cannot be cancelled.
   */
  hand(entry: Entry, stop: ((entry: Entry) => boolean) | null): void {
    entry.place = HANDED;
    entry.stop = stop;
    this.handed++;
    this.waiting.add(entry);
  }

  /** Calls back when nothing that was handed over is out any more: the ring is closed. */
  whenBack(callback: () => void): void {
    this.#onBack = callback;
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Ends it. What others have been handed may complete still; nothing comes of that. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#sqe.retire();
    this.readiness.close();
    this.timeouts.close();
    this.scratch.unmap();
    this.calls.unmap();
    this.cells.unmap();
    this.#messages?.unmap();
    for (const fd of this.registered) if (fd >= 0) libc().close(fd);
    this.#files?.unmap();
    this.#pool?.close();
  }
}

/** 0, or what an entry fails with that is not understood. */
function refused(entry: Entry): number {
  const known = entry.op < handlers.length && handlers[entry.op] !== null && (entry.flags & ~FLAGS) === 0;
  return known ? refusalOf(entry) : EINVAL;
}

function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(value, 1)));
}

// The layout that `decode` relies on.
if (SQE.size !== 4 << SHIFT) throw new Error('unexpected ABI');
