import { ITIMERSPEC, TIMESPEC } from '../sys/abi/structs.js';
import { NR_TIMERFD_CREATE, NR_TIMERFD_SETTIME } from '../sys/abi/syscall-numbers.js';
import { systemError } from '../sys/errors/errors.js';
import { libc } from '../sys/libc/libc.js';
import { Mapping } from '../sys/memory/mapping.js';
import { type Entry, TIMED } from './entry.js';

// clock_gettime(2)
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;

const TFD_NONBLOCK = 0o4000;
const TFD_CLOEXEC = 0o2000000;
const TFD_TIMER_ABSTIME = 1;
const NS_PER_S = 1e9;
const TWO_32 = 2 ** 32;

const TIME_AT = 0;
const TIMER_AT = TIMESPEC.size;

/** Handles the expiration of an entry. */
interface TimeoutOwner {
  attempt(entry: Entry): void;
}

/**
 * Entries that wait for a time: a heap with the earliest at its root, and a kernel timer set to it. Times are
 * nanoseconds on the monotonic clock. timerfd_create(2)
 */
export class Timeouts {
  /** The timer, which the epoll instance watches. */
  readonly fd: number;
  readonly #owner: TimeoutOwner;
  readonly #heap: Entry[] = [];
  readonly #memory = Mapping.anonymous(TIMER_AT + ITIMERSPEC.size);
  readonly #words = new Int32Array(this.#memory.buffer);
  /** When the timer expires; Infinity if it is not set. */
  #set = Number.POSITIVE_INFINITY;

  constructor(owner: TimeoutOwner) {
    this.#owner = owner;
    const fd = libc().openFile(NR_TIMERFD_CREATE, CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC, 0, 0);
    if (fd < 0) {
      this.#memory.unmap();
      throw systemError(fd, 'timerfd_create');
    }
    this.fd = fd;
  }

  /** The time on a clock, in nanoseconds. */
  now(clock: number = CLOCK_MONOTONIC): number {
    libc().clockGettime(clock, this.#memory.address + TIME_AT);
    return this.#time(TIME_AT);
  }

  /** Reads a struct __kernel_timespec outside this memory, in nanoseconds; NaN if it is invalid. */
  read(address: number): number {
    libc().copy(this.#memory.address + TIME_AT, address, TIMESPEC.size);
    const nanoseconds = this.#words[(TIME_AT + TIMESPEC.tv_nsec) >> 2]!;
    const seconds = this.#words[(TIME_AT + TIMESPEC.tv_sec + 4) >> 2]!;
    if (seconds < 0 || nanoseconds < 0 || this.#words[(TIME_AT + TIMESPEC.tv_nsec + 4) >> 2] !== 0) {
      return Number.NaN;
    }
    return this.#time(TIME_AT);
  }

  #time(at: number): number {
    const words = this.#words;
    const seconds = words[(at >> 2) + 1]! * TWO_32 + (words[at >> 2]! >>> 0);
    return seconds * NS_PER_S + (words[(at >> 2) + 2]! >>> 0);
  }

  /** Calls `attempt` at `entry.deadline`. */
  add(entry: Entry): void {
    entry.place = TIMED;
    const heap = this.#heap;
    heap.push(entry);
    this.#up(entry, heap.length - 1);
    if (entry.heapIndex === 0) this.#setTimer();
  }

  remove(entry: Entry): void {
    const heap = this.#heap;
    const at = entry.heapIndex;
    const last = heap.pop()!;
    entry.heapIndex = -1;
    // The timer stays set: at worst it causes one needless wake-up.
    if (last === entry) return;
    this.#up(last, at);
    this.#down(last, last.heapIndex);
  }

  /** The timer has expired, or may have. */
  expire(): void {
    const heap = this.#heap;
    this.#set = Number.POSITIVE_INFINITY;
    const now = heap.length === 0 ? 0 : this.now();
    while (heap.length !== 0 && heap[0]!.deadline <= now) {
      const entry = heap[0]!;
      this.remove(entry);
      this.#owner.attempt(entry);
    }
    this.#setTimer();
  }

  #setTimer(): void {
    if (this.#heap.length === 0) return;
    // A deadline before the start of the clock equals any other past one, and the kernel does not accept it.
    const deadline = Math.max(this.#heap[0]!.deadline, 1);
    if (deadline < this.#set) this.#setTo(deadline);
  }

  /** Wakes the thread, for completions that no event follows: the kernel's timer expires at once. */
  wake(): void {
    this.#setTo(1);
    this.#set = Number.POSITIVE_INFINITY;
  }

  #setTo(deadline: number): void {
    this.#set = deadline;
    const seconds = Math.floor(deadline / NS_PER_S);
    const at = (TIMER_AT + ITIMERSPEC.it_value) >> 2;
    const words = this.#words;
    words[at] = seconds;
    words[at + 1] = Math.floor(seconds / TWO_32);
    words[at + 2] = deadline - seconds * NS_PER_S;
    words[at + 3] = 0;
    libc().syscall(NR_TIMERFD_SETTIME, this.fd, TFD_TIMER_ABSTIME, this.#memory.address + TIMER_AT, 0, 0, 0);
  }

  #up(entry: Entry, at: number): void {
    const heap = this.#heap;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent]!;
      if (above.deadline <= entry.deadline) break;
      heap[at] = above;
      above.heapIndex = at;
      at = parent;
    }
    heap[at] = entry;
    entry.heapIndex = at;
  }

  #down(entry: Entry, at: number): void {
    const heap = this.#heap;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.deadline < heap[child]!.deadline) child++;
      const below = heap[child]!;
      if (below.deadline >= entry.deadline) break;
      heap[at] = below;
      below.heapIndex = at;
      at = child;
    }
    heap[at] = entry;
    entry.heapIndex = at;
  }

  close(): void {
    libc().close(this.fd);
    this.#memory.unmap();
  }
}
