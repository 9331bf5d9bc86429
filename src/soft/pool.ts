/**
 * Calls that may wait, made by the threads of libuv's pool, which Node's own `fs` also uses.
 *
 * A running call cannot be stopped: the memory that it uses must stay until it has returned. When a worker is
 * terminated, Node ensures that: its thread does not end before its calls in the pool have returned, and its mappings
 * are unmapped only once the thread is gone. When a loop is closed, `SoftRing.whenBack` reports it.
 *
 * libuv gets only as many calls at once as keep its threads busy. The others wait here, where they can be cancelled and
 * do not delay other users of the pool.
 */
import { closeSync, open as openByNode } from 'node:fs';
import { EACCES, EAGAIN, ECANCELED } from '../sys/abi/errno.js';
import { IOVEC } from '../sys/abi/structs.js';
import type { Libc } from '../sys/libc/interface.js';
import { libc } from '../sys/libc/libc.js';
import { Cells } from './cells.js';
import { type Entry, EntryList, HANDED } from './entry.js';

/** The bits of a mode that openat(2) uses. Node ends the process for more. */
const MODE_BITS = 0o7777;
/** Threads of libuv's pool, unless the environment sets another number. */
const THREADS = 4;
/** koffi allows at most 256 pending calls. */
const THREADS_MAX = 128;
/** The minimum number of calls that libuv gets at once: koffi keeps memory for eight. */
const LANES_MIN = 8;

/** The size of a buffer for most paths, and for the longest ones that the kernel accepts. */
const SHORT = 256;
const LONG = 4096;
/** Distinguishes cells of long paths from those of short ones. */
const LONG_BIT = 2 ** 30;
const TWO_32 = 2 ** 32;

/** Instead of a system call number: closes a descriptor. */
const CLOSE = -1;
/** Likewise: Node opens a file, and closes it if this worker is terminated before it receives the descriptor. */
export const OPENED_BY_NODE = -2;

/** Instead of a result, which is an errno or not negative: a thread makes the call. */
const STARTED = Number.NEGATIVE_INFINITY;

/** What the pool uses of its owner, the ring. */
interface PoolOwner {
  readonly closed: boolean;
  hand(entry: Entry, stop: (entry: Entry) => boolean): void;
  complete(entry: Entry, res: number): void;
}

/** Handles the result of a call, before the entry completes. */
type Finish<Owner> = (owner: Owner, entry: Entry, res: number, job: Job<Owner>) => void;

/** A system call, its arguments, and its entry. */
export class Job<Owner> {
  entry: Entry | null = null;
  finish: Finish<Owner> | null = null;
  number = 0;
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  e = 0;
  f = 0;
  /** Whether the result is a descriptor. */
  opens = false;
  /** The descriptor of the file that it changes, -1 for none. Changes of one file keep their order. */
  changes = -1;
  /** Whether it is still needed after it is done. */
  kept = false;
  /** How often it was dropped: it may be in use again by then. */
  drops = 0;
  /** Its own descriptor: see `Pool.hold`. -1 for none. */
  held = -1;
  /** Cells with copies of paths and other arguments. */
  readonly paths: number[] = [];

  /** Sets the call and its arguments. */
  set(number: number, a: number, b: number, c: number, d = 0, e = 0, f = 0): this {
    this.number = number;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    this.e = e;
    this.f = f;
    return this;
  }
}

/** A slot for a call that libuv has. */
class Lane<Owner extends PoolOwner> {
  job: Job<Owner> | null = null;
  /** Called by libuv's loop, on the ring's thread. */
  readonly returned: (error: unknown, value: number) => void;
  readonly opened: (error: NodeJS.ErrnoException | null, fd: number) => void;

  constructor(pool: Pool<Owner>) {
    this.returned = (error, value) => pool.returned(this, error ? EAGAIN : libc().poolResult(value));
    this.opened = (error, fd) => pool.returned(this, error ? (error.errno ?? EACCES) : own(fd));
  }
}

/**
 * Takes ownership of a descriptor from Node, which would close it at the end of a worker, whatever it refers to by
 * then.
 */
function own(fd: number): number {
  const copy = libc().duplicate(fd);
  closeSync(fd);
  return copy;
}

export class Pool<Owner extends PoolOwner> {
  readonly #ring: Owner;
  readonly #libc: Libc = libc();
  readonly #lanes: Lane<Owner>[] = [];
  readonly #free: Lane<Owner>[] = [];
  readonly #lanesMax: number;
  readonly #jobs: Job<Owner>[] = [];
  readonly #waiting = new EntryList();
  /** Jobs that wait for a change of the same file, by descriptors with a change in progress. */
  readonly #changing = new Map<number, EntryList>();
  readonly #lists: EntryList[] = [];
  readonly #short = new Cells(SHORT);
  readonly #long = new Cells(LONG);

  constructor(ring: Owner) {
    this.#ring = ring;
    const threads = Math.trunc(Number(process.env.UV_THREADPOOL_SIZE)) || THREADS;
    this.#lanesMax = Math.max(LANES_MIN, Math.min(threads, THREADS_MAX));
  }

  /** A job for an entry, to be set and then started. */
  job(entry: Entry, finish: Finish<Owner>): Job<Owner> {
    const job = this.#jobs.pop() ?? new Job<Owner>();
    job.entry = entry;
    job.finish = finish;
    entry.job = job;
    return job;
  }

  /**
   * The address of a copy of a path, valid until the job is done. Its previous memory is reused once all entries have
   * been taken.
   */
  path(job: Job<Owner>, address: number): number {
    const short = this.#short.take();
    const copy = this.#short.address(short);
    if (this.#libc.copyString(copy, address, SHORT)) {
      job.paths.push(short);
      return copy;
    }
    this.#short.give(short);
    const long = this.#long.take();
    job.paths.push(long + LONG_BIT);
    // A path that does not fit is too long for the kernel as well, which reads no further.
    this.#libc.copyString(this.#long.address(long), address, LONG);
    return this.#long.address(long);
  }

  /**
   * A descriptor for the job's call that stays valid if the program closes its own before a thread makes the call: the
   * kernel's ring keeps the file likewise. If no descriptor is free, it is the program's own.
   */
  hold(job: Job<Owner>, fd: number): number {
    if (fd < 0) return fd;
    const copy = this.#libc.duplicate(fd);
    if (copy < 0) return fd;
    job.held = copy;
    return copy;
  }

  /** The address of a struct iovec, valid until the job is done. */
  vector(job: Job<Owner>, address: number, length: number): number {
    const place = this.#short.take();
    job.paths.push(place);
    const words = this.#short.words(place);
    const at = this.#short.wordOf(place, IOVEC.iov_base);
    words[at] = address;
    words[at + 1] = address / TWO_32;
    words[at + 2] = length;
    words[at + 3] = 0;
    return this.#short.address(place);
  }

  /** The path that a job has copied. */
  bytesOf({ paths }: Job<Owner>): Buffer {
    const place = paths[0]!;
    const bytes = place < LONG_BIT ? this.#short.bytes(place) : this.#long.bytes(place - LONG_BIT);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** Runs a job once a thread is free. `finish` then completes or continues its entry. */
  start(job: Job<Owner>): void {
    const entry = job.entry!;
    if (entry.place === HANDED) entry.stop = this.#stop;
    else {
      entry.stopping = false;
      this.#ring.hand(entry, this.#stop);
    }
    if (job.changes < 0) this.#waiting.push(entry);
    else {
      const behind = this.#changing.get(job.changes);
      if (behind !== undefined) {
        behind.push(entry);
        return;
      }
      this.#changing.set(job.changes, this.#lists.pop() ?? new EntryList());
      this.#waiting.push(entry);
    }
    this.#go();
  }

  /** Runs a job that changes a file, after the ones started earlier on this descriptor. */
  startChange(job: Job<Owner>, fd: number): void {
    job.changes = fd;
    this.start(job);
  }

  /** Whether changes of a file are in progress. */
  isChanging(fd: number): boolean {
    return this.#changing.size !== 0 && this.#changing.has(fd);
  }

  /** A change is done or was abandoned: the next one of the file may start. */
  #changed(fd: number): void {
    const behind = this.#changing.get(fd)!;
    const next = behind.first;
    if (next === null) {
      this.#changing.delete(fd);
      this.#lists.push(behind);
      return;
    }
    behind.remove(next);
    this.#waiting.push(next);
  }

  /** Runs it again; only within `finish`, or after `keep`. */
  startAgain(job: Job<Owner>): void {
    job.kept = true;
    this.start(job);
  }

  /** Only within `finish`: keeps the job until it is started again or dropped. */
  keep(job: Job<Owner>): void {
    job.kept = true;
  }

  /** Closes a descriptor. */
  closeFile(entry: Entry, finish: Finish<Owner>, fd: number): void {
    this.start(this.job(entry, finish).set(CLOSE, fd, 0, 0));
  }

  /** Removes a job that has not been started. */
  readonly #stop = (entry: Entry): boolean => {
    entry.stopping = true;
    const { list } = entry;
    if (list === null) return false;
    const job = entry.job as Job<Owner>;
    list.remove(entry);
    if (list === this.#waiting && job.changes >= 0) this.#changed(job.changes);
    this.drop(job);
    this.#ring.complete(entry, ECANCELED);
    return true;
  };

  #go(): void {
    for (let entry = this.#waiting.first; entry !== null; entry = this.#waiting.first) {
      const lane = this.#lane();
      if (lane === null) return;
      this.#waiting.remove(entry);
      const job = entry.job as Job<Owner>;
      lane.job = job;
      const res = this.#call(lane, job);
      if (res === STARTED) continue;
      this.#free.push(lane);
      if (job.changes >= 0) this.#changed(job.changes);
      this.finish(job, res);
    }
  }

  #lane(): Lane<Owner> | null {
    const lane = this.#free.pop();
    if (lane !== undefined) return lane;
    if (this.#lanes.length === this.#lanesMax) return null;
    const made = new Lane<Owner>(this);
    this.#lanes.push(made);
    return made;
  }

  /** STARTED, or the result of a call that was not possible in the pool. */
  #call(lane: Lane<Owner>, job: Job<Owner>): number {
    const { number, a, b, c, d, e, f } = job;
    try {
      if (number === CLOSE) this.#libc.closeInPool(a, lane.returned);
      else if (number !== OPENED_BY_NODE) this.#libc.syscallInPool(number, a, b, c, d, e, f, lane.returned);
      else openByNode(this.bytesOf(job), c, d & MODE_BITS, lane.opened);
      return STARTED;
    } catch (error) {
      // Other code uses all of koffi's pending calls, or Node's permission model denies it.
      const denied = (error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED';
      return number === CLOSE ? this.#libc.close(a) : denied ? EACCES : EAGAIN;
    }
  }

  /** @internal A call has returned. */
  returned(lane: Lane<Owner>, res: number): void {
    const job = lane.job!;
    lane.job = null;
    this.#free.push(lane);
    if (this.#ring.closed) {
      if (job.opens && res >= 0) this.#libc.close(res);
      this.drop(job);
      this.#ring.complete(job.entry!, ECANCELED);
      this.#unmapIdle();
      return;
    }
    if (job.changes >= 0) this.#changed(job.changes);
    this.#go();
    this.finish(job, res);
  }

  /** A job's call has a result. */
  finish(job: Job<Owner>, res: number): void {
    const { drops } = job;
    job.kept = false;
    job.finish!(this.#ring, job.entry!, res, job);
    // One that was run again, and could not be, is done already.
    if (!job.kept && job.drops === drops) this.drop(job);
  }

  /** A job is no longer needed. */
  drop(job: Job<Owner>): void {
    if (job.held >= 0) {
      this.#libc.close(job.held);
      job.held = -1;
    }
    job.drops++;
    job.opens = false;
    job.changes = -1;
    for (const place of job.paths) {
      if (place < LONG_BIT) this.#short.give(place);
      else this.#long.give(place - LONG_BIT);
    }
    job.paths.length = 0;
    this.#jobs.push(job);
  }

  // --- The end ------------------------------------------------------------------------------------

  /** The ring is closed, and jobs that had not started are cancelled. */
  close(): void {
    this.#unmapIdle();
  }

  /** Running calls use the copies of paths. */
  #unmapIdle(): void {
    if (this.#lanes.length !== this.#free.length) return;
    this.#short.unmap();
    this.#long.unmap();
  }
}
