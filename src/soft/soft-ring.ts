import * as abi from '../ring/abi/io-uring.js';
import type { CqeSink } from '../ring/queue/cqe.js';
import type { Sqe } from '../ring/sqe/index.js';
import { EBADF, ECANCELED } from '../sys/abi/errno.js';
import { libc } from '../sys/libc/libc.js';
import { Scratch } from '../sys/memory/scratch.js';
import { Calls } from './calls.js';
import { Cells } from './cells.js';
import { Chains } from './chains.js';
import { Completions } from './completions.js';
import { Counting } from './counting.js';
import { CHAINED, Entry, EntryList, HANDED, PARKED, TIMED } from './entry.js';
import type { Faults } from './faults/faults.js';
import type { Group } from './groups.js';
import { type Handlers, handlers, LINKS, refused } from './handlers.js';
import type { Host } from './host.js';
import { Opens } from './operations/opens.js';
import { MessageBatch } from './operations/receive-messages.js';
import { Pool } from './pool.js';
import { Readiness } from './readiness.js';
import { Submissions } from './submissions.js';
import { Timeouts } from './timeouts.js';
import { Waiting } from './waiting.js';

const NO_FILES = new Int32Array(0);

/**
 * A submission queue and a completion queue like io_uring's. Its entries are executed by non-blocking system calls at
 * submission; an entry that would block is tried again when its descriptor is ready.
 *
 * The same builder fills the entries, and they complete as in the kernel: each has exactly one final completion.
 * `handlers` holds what an entry does, by its opcode. A handler tries the entry, which then completes (`complete`),
 * waits (`readiness`, `timeouts`), or is handed over (`hand`). The same handler tries a waiting entry again.
 */
export class SoftRing implements Host {
  readonly scratch = new Scratch();
  readonly calls: Calls;
  readonly cells = new Cells();
  readonly waiting = new Waiting();
  readonly readiness: Readiness;
  readonly timeouts: Timeouts;
  readonly groups = new Map<number, Group>();
  registered: Int32Array = NO_FILES;
  readonly retrying = new EntryList();
  /** Entries that are handed over: see `hand`. */
  handed = 0;
  closed = false;
  readonly #submissions: Submissions;
  readonly #completions: Completions;
  readonly #handlers: Handlers;
  readonly #free: Entry[] = [];
  #messages: MessageBatch | null = null;
  #pool: Pool<Host> | null = null;
  #files: Opens | null = null;
  readonly #counting: Counting;
  readonly #chains = new Chains(this);
  readonly #kept: ArrayBufferView[] = [];
  #onBack: (() => void) | null = null;

  /**
   * @param entries,cqEntries are rounded up to powers of two.
   * @param faults injected faults, for tests.
   */
  constructor(entries: number, cqEntries: number, faults: Faults | null = null) {
    this.#submissions = new Submissions(powerOfTwo(entries), this.scratch);
    const size = powerOfTwo(cqEntries);
    this.#completions = faults === null ? new Completions(size) : faults.completions(size);
    this.#counting = new Counting(this, this.#completions);
    this.calls = faults === null ? new Calls() : faults.calls;
    this.#handlers = faults === null ? handlers : faults.handlers(handlers);
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

  get sqEntries(): number {
    return this.#submissions.entries;
  }

  get sqReady(): number {
    return this.#submissions.ready;
  }

  get sqSpaceLeft(): number {
    return this.#submissions.entries - this.#submissions.ready;
  }

  get cqReady(): number {
    return this.#completions.ready;
  }

  /** Always 0: the queue grows. */
  readonly cqDropped = 0;

  /** Whether waiting entries should be checked. */
  get taskWorkPending(): boolean {
    return this.waiting.size !== 0;
  }

  /** Whether another `submitAndGetEvents()` would find more at once. */
  get cqHasOverflow(): boolean {
    return this.readiness.more && this.waiting.size !== 0;
  }

  /** The number of calls of epoll_wait(2). */
  get enters(): number {
    return this.readiness.asked;
  }

  getSqe(): Sqe | null {
    return this.#submissions.get();
  }

  /** @param look whether to check for readiness, too. */
  submitAndGetEvents(look = true): number {
    const count = this.#submit();
    if (look && this.waiting.size !== 0) this.#look(0);
    return count;
  }

  submitClosing(_fd: number): void {
    // The call that closes removes the hook itself.
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
    const submissions = this.#submissions;
    while (submissions.ready !== 0) {
      const entry = this.#free.pop() ?? new Entry();
      submissions.take(entry);
      if (last !== null) {
        last.linked = entry;
        entry.place = CHAINED;
      } else first = entry;
      last = entry;
      // The end of a submission also ends a chain.
      if (entry.flags & LINKS && submissions.ready !== 0) continue;
      if (first === last) this.#start(entry);
      else if (this.#chains.begin(first!)) this.#start(first!);
      last = null;
    }
    if (this.#counting.some) this.#counting.end();
    this.#recycleScratch();
    return count;
  }

  #start(entry: Entry): void {
    const failed = refused(entry);
    if (failed !== 0) this.complete(entry, failed);
    else this.run(entry);
    this.#chains.runNext();
  }

  /** Starts an entry. */
  run(entry: Entry): void {
    if (entry.flags & abi.SQE_FIXED_FILE) {
      const fd = this.registered[entry.fd] ?? -1;
      if (fd < 0) {
        this.complete(entry, EBADF);
        return;
      }
      entry.fd = fd;
    }
    this.#handlers[entry.op]!(this, entry);
  }

  /** Tries again an entry that has waited, for its descriptor or for a time. */
  attempt(entry: Entry): void {
    this.#handlers[entry.op]!(this, entry);
  }

  #look(timeout: number): void {
    this.readiness.look(timeout);
    this.follow();
  }

  /** After completions: starts what is linked to them, and ends timeouts that have counted enough. */
  follow(): void {
    this.#chains.runNext();
    if (this.#counting.some) this.#counting.end();
    this.#recycleScratch();
  }

  /** Once all entries have started, their arguments in scratch memory have been used or copied. */
  #recycleScratch(): void {
    if (this.sqReady === 0 && this.#chains.waiting === 0) this.scratch.reset();
  }

  // --- What handlers call: see Host ---------------------------------------------------------------

  get pool(): Pool<Host> {
    this.#pool ??= new Pool<Host>(this);
    return this.#pool;
  }

  get files(): Opens {
    this.#files ??= new Opens(this);
    return this.#files;
  }

  get messages(): MessageBatch {
    this.#messages ??= new MessageBatch();
    return this.#messages;
  }

  waitForCompletions(entry: Entry, count: number): void {
    this.#counting.add(entry, count);
  }

  /** The kernel's timer has expired. */
  expire(): void {
    this.timeouts.expire();
  }

  wait(entry: Entry, direction: number): number {
    const isNew = entry.place !== PARKED;
    const failed = this.readiness.wait(entry, direction);
    if (isNew && failed === 0) this.waiting.add(entry);
    return failed;
  }

  waitForEvents(entry: Entry, events: number): number {
    const isNew = entry.place !== PARKED;
    const result = this.readiness.poll(entry, events);
    if (isNew && result >= 0) this.waiting.add(entry);
    return result;
  }

  waitUntil(entry: Entry): void {
    this.timeouts.add(entry);
    this.waiting.add(entry);
  }

  post(entry: Entry, res: number, flags: number): void {
    this.#completions.post(entry.low, entry.high, res, flags | abi.CQE_F_MORE);
  }

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
    if (linked !== null) this.#chains.proceed(entry, linked, failed);
    this.#release(entry);
  }

  settle(entry: Entry, res: number): void {
    this.complete(entry, res);
    this.follow();
  }

  cancel(entry: Entry): void {
    const { done, picked } = entry;
    this.complete(entry, done > 0 && entry.place !== TIMED ? done : ECANCELED, picked);
  }

  /** Completes an entry of a chain that never starts. @param quiet without a completion. */
  skip(entry: Entry, res: number, quiet: boolean): void {
    if (!quiet) this.#post(entry, res, 0);
    this.#release(entry);
  }

  #post(entry: Entry, res: number, flags: number): void {
    if (entry.op === abi.OP_TIMEOUT) this.#counting.timedOut();
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

  leave(entry: Entry): void {
    const { place } = entry;
    if (place === PARKED) this.readiness.leave(entry);
    else if (place === TIMED) {
      entry.list?.remove(entry);
      if (entry.heapIndex >= 0) this.timeouts.remove(entry);
      if (this.#counting.some) this.#counting.remove(entry);
    } else if (place === HANDED) this.handed--;
    else return;
    entry.place = 0;
    this.waiting.remove(entry);
  }

  hand(entry: Entry, stop: ((entry: Entry) => boolean) | null): void {
    this.leave(entry);
    entry.place = HANDED;
    entry.stop = stop;
    this.handed++;
    this.waiting.add(entry);
  }

  /** Calls back once no entry is handed over any more: the ring is closed. */
  whenBack(callback: () => void): void {
    if (this.handed === 0) callback();
    else this.#onBack = callback;
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Closes the ring. Entries that are handed over may still complete, without effect. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    // They would never start: a chain may have gone on after the last cancellation.
    for (let entry = this.waiting.first; entry !== null; ) {
      const next = entry.nextWaiting;
      if (entry.place === HANDED) entry.stop?.(entry);
      entry = next;
    }
    this.#submissions.retire();
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

function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(value, 1)));
}
