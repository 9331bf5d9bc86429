import type { Scratch } from '../sys/memory/scratch.js';
import type { Calls } from './calls.js';
import type { Cells } from './cells.js';
import type { Entry, EntryList } from './entry.js';
import type { Group } from './groups.js';
import type { MessageBatch } from './operations/receive-messages.js';
import type { Pool } from './pool.js';
import type { Readiness } from './readiness.js';
import type { Timeouts } from './timeouts.js';
import type { Waiting } from './waiting.js';

/** Opens files, and looks up their properties: see operations/opens.ts. */
export interface Files {
  /** OPENAT, to a descriptor or a registered file. */
  open(entry: Entry): void;
  /** STATX */
  stat(entry: Entry): void;
  /** Whether a descriptor is a regular file or a block device, which is never waited for. */
  isFile(fd: number): boolean;
  /** Whether closing a descriptor may wait. */
  closesSlowly(entry: Entry, fd: number): boolean;
}

/** What the handlers of operations use of the ring. */
export interface Host {
  readonly scratch: Scratch;
  readonly calls: Calls;
  readonly cells: Cells;
  readonly waiting: Waiting;
  readonly readiness: Readiness;
  readonly timeouts: Timeouts;
  /** Provided buffers by group id. */
  readonly groups: ReadonlyMap<number, Group>;
  /** Registered files by index; -1 is an empty slot. */
  readonly registered: Int32Array;
  /** Connects that are retried after a while: see operations/sockets.ts. */
  readonly retrying: EntryList;
  /** The threads for calls that may wait. */
  readonly pool: Pool<Host>;
  readonly files: Files;
  readonly messages: MessageBatch;
  readonly closed: boolean;

  /** Ends a timeout with 0 once `count` other operations have completed. */
  waitForCompletions(entry: Entry, count: number): void;

  /**
   * An entry has returned EAGAIN: waits until its descriptor is readable (TO_READ) or writable, and tries it again.
   * Returns 0 or a negative errno: EPERM if the descriptor cannot be waited for.
   */
  wait(entry: Entry, direction: number): number;

  /**
   * An entry waits for these events of poll(2), and is tried again whenever there are some. Returns 1 if there are some
   * already, the first time, else 0, or a negative errno.
   */
  waitForEvents(entry: Entry, events: number): number;

  /** Tries an entry again at its `deadline`. */
  waitUntil(entry: Entry): void;

  /** Posts a completion that is not the last. */
  post(entry: Entry, res: number, flags: number): void;

  /** Posts the last completion. The entry may be reused from now on. */
  complete(entry: Entry, res: number, flags?: number): void;

  /** As `complete`, outside of a handler: also starts the next entry of the chain. */
  settle(entry: Entry, res: number): void;

  /** Cancels an entry that waits for its descriptor or for a time. What it has transferred counts. */
  cancel(entry: Entry): void;

  /** An entry stops waiting. */
  leave(entry: Entry): void;

  /**
   * Other code takes over the entry, and calls `complete` with it, once, from JavaScript of this thread.
   * @param stop asks it to finish soon; returns whether it is certain that `complete` is called with ECANCELED, at once
   * or later. At once means not by `settle`: a handler goes through the waiting entries, and no other may complete or
   * start meanwhile. Without `stop` the entry cannot be cancelled.
   */
  hand(entry: Entry, stop: ((entry: Entry) => boolean) | null): void;
}
