/**
 * Mappings of worker threads, recorded in memory that all threads of the process share, so that another thread can
 * unmap what a terminated worker left.
 *
 * A terminated worker runs no more JavaScript, and when its environment's hooks run, the kernel may still write to its
 * memory. Once the thread is gone the kernel is done: a thread waits for all its io_uring requests before it exits.
 *
 * The first page holds the thread id of each record's owner. A record is a page of pairs, address and length. A pair
 * with address 0 is free.
 */

import { isMainThread } from '../main-thread.js';
import type { Place } from './interface.js';
import { libc } from './libc.js';

const PAGE = 4096;
/** Words of 64 bits in a page. */
const WORDS = PAGE / 8;

/** For mappings that need no record. */
const NOWHERE: Place = { words: new Float64Array(2), at: 0 };

class ThreadRecords {
  /** The number of pages: page 0 is the table, the others are records. */
  readonly #count: number;
  readonly #tids: Int32Array;
  readonly #words: Float64Array;
  readonly #tid = libc().threadId();
  readonly #free: number[] = [];

  constructor(memory: ArrayBuffer) {
    this.#count = memory.byteLength / PAGE;
    this.#tids = new Int32Array(memory, 0, this.#count);
    this.#words = new Float64Array(memory);
  }

  take(): Place {
    if (this.#free.length === 0) this.#claim();
    const at = this.#free.pop();
    return at === undefined ? NOWHERE : { words: this.#words, at };
  }

  give(place: Place): void {
    if (place !== NOWHERE) this.#free.push(place.at);
  }

  #claim(): void {
    for (let record = 1; record < this.#count; record++) {
      if (Atomics.compareExchange(this.#tids, record, 0, this.#tid) !== 0) continue;
      for (let at = (record + 1) * WORDS - 2; at >= record * WORDS; at -= 2) this.#free.push(at);
      return;
    }
  }

  sweep(): void {
    for (let record = 1; record < this.#count; record++) {
      const tid = Atomics.load(this.#tids, record);
      // This thread's id: the record belongs to this copy of the package or to another one in the same thread. If a
      // thread that is gone had the same id, its record stays until this thread is gone too.
      if (tid === 0 || tid === this.#tid || libc().threadExists(tid)) continue;
      // The thread that takes the record unmaps. If it is terminated meanwhile, the record is its own.
      if (Atomics.compareExchange(this.#tids, record, tid, this.#tid) === tid) this.#unmapAll(record);
    }
  }

  #unmapAll(record: number): void {
    for (let at = record * WORDS; at < (record + 1) * WORDS; at += 2) {
      const place = { words: this.#words, at };
      if (this.#words[at]! > 0) libc().munmap(this.#words[at]!, this.#words[at + 1]!, place);
    }
    Atomics.store(this.#tids, record, 0);
  }
}

let records: ThreadRecords | null | undefined;

/** null if threads share no memory, because koffi could not be guarded, or have no ids. */
function current(): ThreadRecords | null {
  if (records === undefined) {
    const memory = libc().sharedMemory;
    records = memory === null || libc().threadId() <= 0 ? null : new ThreadRecords(memory);
  }
  return records;
}

/** A place to record a mapping of this thread. The main thread's mappings end with the process. */
export function takePlace(): Place {
  return isMainThread ? NOWHERE : (current()?.take() ?? NOWHERE);
}

/** Frees the record of an unmapped mapping. */
export function givePlace(place: Place): void {
  if (place !== NOWHERE) current()!.give(place);
}

/** Unmaps the mappings of threads that are gone. */
export function unmapLeftovers(): void {
  current()?.sweep();
}
