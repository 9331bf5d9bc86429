/**
 * The seam below the loop: what executes its entries. `RingBackend` has the kernel do it, through io_uring;
 * `SoftBackend` (src/soft) does it in this thread, by system calls that do not wait.
 *
 * A backend is of one thread and one loop. It promises exactly one final completion for each entry, those that
 * are cancelled included, and that it touches no memory of an operation after its final completion.
 */
import type { CqeSink } from '../ring/cqe.js';
import type { Mapping } from '../ring/mapping.js';
import type { Scratch } from '../ring/scratch.js';
import type { Sqe } from '../ring/sqe/index.js';
import type { ProvidedBuffers, ProvidedBuffersOptions } from './provided-buffers.js';

/** Where entries go in and completions come out. `Ring` is one, `SoftRing` another. */
export interface Queues {
  /** Names these queues to other threads, which post completions here: MSG_RING. -1 if they cannot. */
  readonly fd: number;
  readonly sqEntries: number;
  readonly cqEntries: number;
  /** Entries filled and not yet taken. */
  readonly sqReady: number;
  readonly sqSpaceLeft: number;
  readonly cqReady: number;
  /** Completions that were lost. */
  readonly cqDropped: number;
  /** Whether completions wait for `submitAndGetEvents()` to become ready. */
  readonly taskWorkPending: boolean;
  /** System calls that gave entries or waited for completions, so far. */
  readonly enters: number;
  /** What entries point at until they are submitted. */
  readonly scratch: Scratch;

  /** The next free entry, the same cursor every time; null when the queue is full. */
  getSqe(): Sqe | null;
  /**
   * Submits what is queued and makes ready what has completed, without waiting.
   * @param look false if there is no hurry to find out what has become ready, should that cost a call of its own.
   */
  submitAndGetEvents(look?: boolean): number;
  /** The same, and waits for `waitNr` completions, `timeoutMs` milliseconds at most. For the end of a loop. */
  submitAndWaitTimeout(waitNr: number, timeoutMs: number): number;
  /** Submits what is queued; one of the entries closes a descriptor that this worker would close at its end. */
  submitClosing(fd: number): void;
  /** Whether completions wait for room in the queue, which `submitAndGetEvents()` gives them. */
  readonly cqHasOverflow: boolean;
  /** Hands all completions in the queue to `sink`, which may start more; how many they were. */
  reapQueue(sink: CqeSink): number;
  /** Operations may use these as long as the queues exist. */
  keepForever(buffers: readonly ArrayBufferView[]): void;
}

/** Wakes the thread from libuv's sleep. */
export interface WakeUp {
  /** Whether it keeps the process alive. */
  setReferenced(referenced: boolean): void;
  /**
   * Has what happens from now on wake the thread; false if something has happened already.
   * @param nested whether operations in flight may wait for an eventfd.
   */
  arm(nested: boolean): boolean;
  /** The thread is awake: nothing need wake it. */
  disarm(): void;
  /**
   * Has libuv hear of each event once, not for as long as what it watches is readable, which is never read. False if
   * libuv does not watch it yet: try again once it has slept, or a thread with nothing to do would be woken for ever.
   */
  settle(): boolean;
}

/** A table of memory that operations know in advance. */
export interface BufferTable {
  /** The place of this memory in the table, or -1 where there is none for it: operations then name its address. */
  add(memory: Mapping): number;
}

/** Executes what a loop queues. */
export interface Backend {
  readonly kind: 'io_uring' | 'epoll';
  /**
   * Whether entries that need not wait have completed once they are submitted, and what has become ready is found out
   * by a call in each turn; else the kernel posts completions by itself.
   */
  readonly completesAtOnce: boolean;
  readonly queues: Queues;
  readonly wakeUp: WakeUp;
  readonly fixedBuffers: BufferTable;
  /** The opcodes that it executes, by OP_ value. Others complete with EINVAL. */
  readonly ops: ReadonlySet<number>;
  /** Whether SEND takes an address. */
  readonly sendsToAddress: boolean;
  /** Whether `installFile` can be used. */
  readonly installsFiles: boolean;

  /**
   * Gives a registered file a descriptor, which is closed when this worker ends in whatever way. The descriptor,
   * or a negative errno: EAGAIN asks to try again, and no completion comes.
   * @param low,high user_data; `high` is one that no other entry has.
   */
  installFile(index: number, low: number, high: number): number;
  /**
   * Closes a socket that nothing is in flight on, and that does not linger, without an entry; EAGAIN where an entry is
   * the better way, else its result.
   */
  closeSocket(fd: number): number;
  /** Makes a table of `count` registered files that begins empty. */
  registerFiles(count: number): void;
  /** At most `count` operations on files may wait at once without holding up others. */
  allowWaiters(count: number): void;
  /**
   * Buffers that receives pick from; undefined where they cannot be as `options` ask.
   * @param group names them in entries; each is used once.
   * @param entry an entry whose completion is not waited for.
   */
  provideBuffers(
    group: number,
    options: ProvidedBuffersOptions,
    entry: () => Sqe,
  ): ProvidedBuffers | undefined;
  /** Entries that cannot complete while this thread waits: it has to return to Node's event loop. */
  readonly elsewhere: number;
  /** Calls back once none of them is left, after the end: their memory is free then. */
  whenBack(callback: () => void): void;
  /** Ends it. What is in flight is cancelled; the caller has reaped what it must see. */
  close(): void;
}
