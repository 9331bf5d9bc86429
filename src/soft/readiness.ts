import { EEXIST, ENOENT } from '../ring/errno.js';
import { systemError } from '../ring/errors.js';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
} from '../ring/flags.js';
import { libc } from '../ring/libc.js';
import { Mapping } from '../ring/mapping.js';
import { EPOLL_EVENT } from '../ring/structs.js';
import { NR_EPOLL_CREATE1, NR_EPOLL_CTL } from '../ring/syscall-numbers.js';
import { type Entry, EntryList, PARKED } from './entry.js';

const EPOLL_CLOEXEC = 0o2000000;
/** Told without being asked for. */
const ALWAYS = POLLERR | POLLHUP;
const READS = POLLIN | POLLPRI | POLLRDHUP | ALWAYS;
const WRITES = POLLOUT | ALWAYS;

/** What an entry waits for. */
export const TO_READ = POLLIN;
export const TO_WRITE = POLLOUT;

/** Events taken by one call. */
const EVENTS_MAX = 512;
const EVENTS_BYTES = EVENTS_MAX * EPOLL_EVENT.size;
const WORDS = EPOLL_EVENT.size >> 2;
const DATA = EPOLL_EVENT.data >> 2;
/** Stands for the timer where events have a descriptor. */
const TIMER = -1;

/** A descriptor that entries wait for, or have waited for. */
class Watch {
  readonly fd: number;
  /** Tells events for what the descriptor means now from older ones. */
  generation = 0;
  /** What is registered; 0 if it is not. */
  events = 0;
  /** Whether reading may get something: until it answers EAGAIN. */
  readable = true;
  writable = true;
  /** Whether it has said something beside data, so that a short read is not the end of it. */
  special = false;
  /** What it is: TCP or OTHER; 0 where it is not known. */
  kind = 0;
  /** Whether other processes may have it too: closing it here does not end its registration. */
  shared = false;
  /** Whether it waits to go on, in `#unfinished`. */
  queued = false;
  readonly readers = new EntryList();
  readonly writers = new EntryList();
  readonly polls = new EntryList();

  constructor(fd: number) {
    this.fd = fd;
  }

  get idle(): boolean {
    return this.readers.first === null && this.writers.first === null && this.polls.first === null;
  }
}

/** What happens when something has become ready. */
export interface Attempts {
  /** What has waited is tried once more. */
  attempt(entry: Entry): void;
  /** The timer has gone off. */
  expire(): void;
}

/**
 * What waits for descriptors to become ready: one epoll instance, and one registration for a descriptor, for edges
 * and for both directions, which stays until the descriptor is closed. epoll(7)
 *
 * Events say that it may be worth to try; only the system call that is tried then says what is so. Other code may
 * have closed a descriptor on which nothing waited, and its number may mean something else: so the first that waits
 * has it registered again, by a call which finds that out, and which tells of what is ready already.
 */
export class Readiness {
  /** The epoll instance. */
  readonly fd: number;
  /** How often it was asked. */
  asked = 0;
  /** Whether there may be events that it has not told yet. */
  more = false;
  /** By descriptors; null where nothing has waited. */
  readonly #watches: (Watch | null)[] = [];
  /** Those that were left for the next look, as they had much to say. */
  #unfinished: Watch[] = [];
  #spare: Watch[] = [];
  readonly #ring: Attempts;
  readonly #memory = Mapping.anonymous(EVENTS_BYTES + EPOLL_EVENT.size);
  readonly #events = new Int32Array(this.#memory.buffer);
  readonly #libc = libc();

  constructor(ring: Attempts) {
    this.#ring = ring;
    const fd = libc().openFile(NR_EPOLL_CREATE1, EPOLL_CLOEXEC, 0, 0, 0);
    if (fd < 0) {
      this.#memory.unmap();
      throw systemError(fd, 'epoll_create1');
    }
    this.fd = fd;
  }

  /** Whether others wait already for what an entry wants, which come first. */
  isBehind(entry: Entry, direction: number): boolean {
    if (entry.place === PARKED) return false;
    const watch = this.#known(entry.fd);
    if (watch === null) return false;
    return (direction === TO_READ ? watch.readers.first : watch.writers.first) !== null;
  }

  /**
   * Whether what was read is all for now, if it was less than there was room for: a later event tells of more.
   * The end of a stream, errors and urgent data do not end the event that told of them.
   */
  isDrained(entry: Entry): boolean {
    const watch = this.#known(entry.fd);
    return watch === null || !watch.special;
  }

  /**
   * Has an entry wait until its descriptor may be read from, or written to: it has just answered EAGAIN.
   * 0, or a negative errno: EPERM if the descriptor is of a kind that cannot be waited for, as files are.
   */
  wait(entry: Entry, direction: number): number {
    const watch = this.#watch(entry.fd);
    const list = direction === TO_READ ? watch.readers : watch.writers;
    if (entry.place !== PARKED) {
      // Those before it have answered for it.
      if (list.first === null) {
        const events = direction === TO_READ ? POLLIN | POLLPRI | POLLRDHUP : POLLOUT;
        const failed = this.#register(watch, events);
        if (failed < 0) return failed;
      }
      list.push(entry);
      entry.place = PARKED;
    }
    // One behind others has not tried.
    if (list.first !== entry) return 0;
    if (direction === TO_READ) watch.readable = false;
    else watch.writable = false;
    return 0;
  }

  /**
   * Has an entry wait for these events of poll(2), and be tried at each event until it has completed. A negative
   * errno, as `wait`; 1 if an event follows for what is so already, else 0.
   */
  poll(entry: Entry, events: number): number {
    if (entry.place === PARKED) return 1;
    const watch = this.#watch(entry.fd);
    const result = this.#register(watch, events & (POLLIN | POLLPRI | POLLOUT | POLLRDHUP));
    if (result < 0) return result;
    watch.polls.push(entry);
    entry.place = PARKED;
    return result;
  }

  /** Whether a descriptor is of a kind that can be waited for: files are not. */
  canWait(fd: number): boolean {
    return this.#register(this.#watch(fd), POLLIN) >= 0;
  }

  /** An entry does not wait any more. */
  leave(entry: Entry): void {
    entry.list!.remove(entry);
  }

  /** The entries that wait for a descriptor, one of them. */
  anyOf(fd: number): Entry | null {
    const watch = this.#known(fd);
    if (watch === null) return null;
    return watch.readers.first ?? watch.writers.first ?? watch.polls.first;
  }

  /** A descriptor is about to be closed; nothing waits for it. */
  forget(fd: number): void {
    const watch = this.#known(fd);
    if (watch === null) return;
    if (watch.shared && watch.events !== 0) this.#control(EPOLL_CTL_DEL, watch, 0);
    watch.kind = 0;
    watch.shared = false;
    this.#reset(watch);
  }

  /** Other processes may have what a descriptor is of, as listeners often are: it is taken out before it is closed. */
  share(fd: number): void {
    this.#watch(fd).shared = true;
  }

  /** TCP or OTHER, as `learn` was told; 0 where it is not known. */
  kindOf(fd: number): number {
    return this.#known(fd)?.kind ?? 0;
  }

  /** What kind of socket a descriptor is of. */
  learn(fd: number, kind: number): void {
    this.#watch(fd).kind = kind;
  }

  #reset(watch: Watch): void {
    watch.generation = (watch.generation + 1) | 0;
    watch.events = 0;
    watch.readable = true;
    watch.writable = true;
    watch.special = false;
  }

  #watch(fd: number): Watch {
    const watches = this.#watches;
    // Without holes, so that a look-up stays a plain one.
    while (watches.length <= fd) watches.push(null);
    watches[fd] ??= new Watch(fd);
    return watches[fd];
  }

  #known(fd: number): Watch | null {
    return this.#watches[fd] ?? null;
  }

  /** Has these events told, beside those that are: a negative errno, 0, or 1 if what is so already is told anew. */
  #register(watch: Watch, events: number): number {
    const all = watch.events | events | EPOLLET;
    if (all === watch.events && !watch.idle) return 0;
    let failed = ENOENT;
    if (watch.events !== 0) failed = this.#control(EPOLL_CTL_MOD, watch, all);
    if (failed === ENOENT) {
      this.#reset(watch);
      // Perhaps other code has closed it since, and the number means something else.
      watch.kind = 0;
      failed = this.#control(EPOLL_CTL_ADD, watch, events | EPOLLET);
      if (failed === EEXIST) failed = this.#control(EPOLL_CTL_MOD, watch, events | EPOLLET);
      if (failed === 0) watch.events = events | EPOLLET;
    } else if (failed === 0) watch.events = all;
    return failed === 0 ? 1 : failed;
  }

  #control(operation: number, watch: Watch, events: number): number {
    return this.#tell(operation, watch.fd, events, watch.fd, watch.generation);
  }

  #tell(operation: number, fd: number, events: number, low: number, high: number): number {
    const at = EVENTS_BYTES >> 2;
    const words = this.#events;
    words[at] = events;
    words[at + DATA] = low;
    words[at + DATA + 1] = high;
    return this.#libc.syscall(
      NR_EPOLL_CTL,
      this.fd,
      operation,
      fd,
      this.#memory.address + EVENTS_BYTES,
      0,
      0,
    );
  }

  /** Has `expire` called when a timer of the kernel's goes off. */
  watchTimer(fd: number): void {
    const failed = this.#tell(EPOLL_CTL_ADD, fd, POLLIN | EPOLLET, TIMER, 0);
    if (failed < 0) throw systemError(failed, 'epoll_ctl');
  }

  /**
   * Finds out what has become ready, and tries what waits for it.
   * @param timeout milliseconds to wait for something.
   */
  look(timeout: number): void {
    this.asked++;
    const unfinished = this.#unfinished;
    this.#unfinished = this.#spare;
    const wait = unfinished.length === 0 ? timeout : 0;
    const { address } = this.#memory;
    const count = this.#libc.epollWait(this.fd, address, EVENTS_MAX, wait);
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      // Within attempts others are registered, by the words behind the events.
      const words = this.#events;
      const fd = words[at + DATA]!;
      if (fd === TIMER) {
        this.#ring.expire();
        continue;
      }
      const watch = this.#watches[fd]!;
      if (watch.generation === words[at + DATA + 1]!) this.#happened(watch, words[at]!);
    }
    for (const watch of unfinished) {
      watch.queued = false;
      this.#go(watch);
    }
    unfinished.length = 0;
    this.#spare = unfinished;
    this.more = count === EVENTS_MAX || this.#unfinished.length !== 0;
  }

  #happened(watch: Watch, events: number): void {
    if (events & READS) watch.readable = true;
    if (events & WRITES) watch.writable = true;
    if (events & (POLLRDHUP | POLLPRI | ALWAYS)) watch.special = true;
    if (watch.polls.first !== null) this.#runPolls(watch);
    this.#go(watch);
  }

  /** Each of those that are there now once: it may wait for more. */
  #runPolls(watch: Watch): void {
    const { last } = watch.polls;
    for (let entry = watch.polls.first; entry !== null; ) {
      const { next } = entry;
      const isLast = entry === last;
      this.#ring.attempt(entry);
      if (isLast) return;
      entry = next;
    }
  }

  #go(watch: Watch): void {
    let left = false;
    for (let entry = watch.readers.first; entry !== null && watch.readable; ) {
      this.#ring.attempt(entry);
      const { first } = watch.readers;
      left = first === entry && watch.readable;
      if (left) break;
      entry = first;
    }
    for (let entry = watch.writers.first; entry !== null && watch.writable; ) {
      this.#ring.attempt(entry);
      const { first } = watch.writers;
      if (first === entry && watch.writable) {
        left = true;
        break;
      }
      entry = first;
    }
    if (left && !watch.queued) {
      watch.queued = true;
      this.#unfinished.push(watch);
    }
  }

  /** Has an entry that waits, but has got something at once, go on with the next look. */
  goOn(entry: Entry): void {
    const watch = this.#watches[entry.fd]!;
    watch.readable = true;
    watch.writable = true;
    this.more = true;
    if (watch.queued) return;
    watch.queued = true;
    this.#unfinished.push(watch);
  }

  close(): void {
    libc().close(this.fd);
    this.#memory.unmap();
  }
}
