/**
 * The interface below the loop: what executes its entries. `RingBackend` uses the kernel's io_uring; `SoftBackend`
 * (src/soft) uses non-blocking system calls in this thread.
 *
 * A backend belongs to one thread and one loop. It guarantees exactly one final completion for each entry, cancelled
 * ones included, and does not touch memory of an operation after its final completion.
 */

import type { CqeSink } from '../../ring/queue/cqe.js';
import type { Sqe } from '../../ring/sqe/index.js';
import type { Scratch } from '../../sys/memory/scratch.js';
import type { BufferTable } from '../memory/fixed-blocks.js';
import type { ProvidedBuffers, ProvidedBuffersOptions } from '../memory/provided-buffers.js';

/** Takes entries and returns completions. Implemented by `Ring` and `SoftRing`. */
export interface Queues {
  /** The descriptor that other threads use to post completions here: MSG_RING. -1 if they cannot. */
  readonly fd: number;
  readonly sqEntries: number;
  readonly cqEntries: number;
  /** Filled entries that have not been taken yet. */
  readonly sqReady: number;
  readonly sqSpaceLeft: number;
  readonly cqReady: number;
  /** Completions that were lost. */
  readonly cqDropped: number;
  /** Whether completions need a `submitAndGetEvents()` to become ready. */
  readonly taskWorkPending: boolean;
  /** The number of system calls that submitted entries or waited for completions. */
  readonly enters: number;
  /** Memory that entries point at until they are submitted. */
  readonly scratch: Scratch;

  /** The next free entry, always the same cursor; null when the queue is full. */
  getSqe(): Sqe | null;
  /**
   * Submits the queued entries and makes completions ready, without waiting.
   * @param look false if it need not check for readiness now, where that costs a call of its own.
   */
  submitAndGetEvents(look?: boolean): number;
  /** The same, and waits for `waitNr` completions, at most `timeoutMs` milliseconds. For closing a loop. */
  submitAndWaitTimeout(waitNr: number, timeoutMs: number): number;
  /** Submits the queued entries, one of which closes a descriptor that this worker would close at its end. */
  submitClosing(fd: number): void;
  /** Whether completions wait for room in the queue, which `submitAndGetEvents()` moves there. */
  readonly cqHasOverflow: boolean;
  /** Passes all completions in the queue to `sink`, which may start more; returns their number. */
  reapQueue(sink: CqeSink): number;
  /** Operations may use these as long as the queues exist. */
  keepForever(buffers: readonly ArrayBufferView[]): void;
}

/** Wakes the thread from libuv's sleep. */
export interface WakeUp {
  /** Whether it keeps the process alive. */
  setReferenced(referenced: boolean): void;
  /**
   * From now on an event wakes the thread; false if one has happened already.
   * @param nested whether operations in flight may wait for an eventfd.
   */
  arm(nested: boolean): boolean;
  /** The thread is awake: events need not wake it. */
  disarm(): void;
  /**
   * Makes libuv report each event once, instead of as long as the watched descriptor, which is never read, is readable.
   * False if libuv does not watch it yet: try again after libuv has slept, or an idle thread would be woken for ever.
   */
  settle(): boolean;
}

/** Executes the entries that a loop queues. */
export interface Backend {
  readonly kind: 'io_uring' | 'epoll';
  /**
   * Whether entries that need not wait have completed once they are submitted, and a call in each turn checks for
   * readiness. Otherwise the kernel posts completions by itself.
   */
  readonly completesAtOnce: boolean;
  readonly queues: Queues;
  readonly wakeUp: WakeUp;
  readonly fixedBuffers: BufferTable;
  /** The supported opcodes, by OP_ value. Others complete with EINVAL. */
  readonly ops: ReadonlySet<number>;
  /** Whether SEND accepts an address. */
  readonly sendsToAddress: boolean;
  /** Whether `installFile` is available. */
  readonly installsFiles: boolean;

  /**
   * Installs a descriptor for a registered file, which is closed when this worker ends in any way. Returns the
   * descriptor, or a negative errno: EAGAIN means to try again, and that no completion comes.
   * @param low,high user_data; no other entry may have this `high`.
   */
  installFile(index: number, low: number, high: number): number;
  /**
   * Closes a socket that has no operations in flight and does not linger, without an entry. Returns the result, or
   * EAGAIN where an entry is better.
   */
  closeSocket(fd: number): number;
  /** Creates a table of `count` empty slots for registered files. */
  registerFiles(count: number): void;
  /** At most `count` operations on files may block at once without delaying others. */
  allowWaiters(count: number): void;
  /**
   * Buffers that receives pick from; undefined if the backend does not support `options`.
   * @param group the group id for entries; each is used once.
   * @param entry starts an entry whose completion is only counted.
   */
  provideBuffers(
    group: number,
    options: ProvidedBuffersOptions,
    entry: () => Sqe,
  ): ProvidedBuffers | undefined;
  /** Entries that cannot complete while this thread waits: it must return to Node's event loop. */
  readonly elsewhere: number;
  /** Calls back after the close once none of them is left: their memory is free then. */
  whenBack(callback: () => void): void;
  /** Closes the backend, which cancels everything in flight. The caller must have reaped what it needs before. */
  close(): void;
}
