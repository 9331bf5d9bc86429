import { EEXIST, ENOENT } from '../sys/abi/errno.js';
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
} from '../sys/abi/flags.js';
import { EPOLL_EVENT } from '../sys/abi/structs.js';
import { NR_EPOLL_CREATE1, NR_EPOLL_CTL } from '../sys/abi/syscall-numbers.js';
import { systemError } from '../sys/errors/errors.js';
import { libc } from '../sys/libc/libc.js';
import { Mapping } from '../sys/memory/mapping.js';
import { type Entry, EntryList, PARKED } from './entry.js';
import { NO_ENTRIES, TO_READ, Watch } from './watch.js';

const EPOLL_CLOEXEC = 0o2000000;
/** Events that are always reported. */
const ALWAYS = POLLERR | POLLHUP;
const READS = POLLIN | POLLPRI | POLLRDHUP | ALWAYS;
const WRITES = POLLOUT | ALWAYS;
/** The events that a poll can wait for, with POLLRDNORM, POLLRDBAND, POLLWRNORM, POLLWRBAND and POLLMSG. poll(2) */
const POLLED = POLLIN | POLLPRI | POLLOUT | POLLRDHUP | 0x7c0;

/** The maximum number of events of one call. */
const EVENTS_MAX = 512;
const EVENTS_BYTES = EVENTS_MAX * EPOLL_EVENT.size;
const WORDS = EPOLL_EVENT.size >> 2;
const DATA = EPOLL_EVENT.data >> 2;
/** Marks the timer in events, in place of a descriptor. */
const TIMER = -1;

/** Handles readiness. */
interface Attempts {
  /** Tries a waiting entry again. */
  attempt(entry: Entry): void;
  /** Cancels a waiting entry. */
  cancel(entry: Entry): void;
  /** The timer has expired. */
  expire(): void;
}

/**
 * Waits for descriptors to become ready, with one epoll instance. A descriptor has one edge-triggered registration for
 * both directions, which stays until the descriptor is closed. epoll(7)
 *
 * An event is only a hint that an attempt may succeed; the system call decides. Other code may have closed a descriptor,
 * or replaced it, and its number may refer to another file. So each entry that starts to wait makes a call that detects
 * this. It cancels those that have waited for the old file, which this instance no longer sees. If nothing else waits,
 * the call also reports the current state.
 */
export class Readiness {
  /** The epoll instance. */
  readonly fd: number;
  /** The number of calls of epoll_wait(2). */
  asked = 0;
  /** Whether there may be events that it has not reported yet. */
  more = false;
  /** By descriptor; null where nothing has waited. */
  readonly #watches: (Watch | null)[] = [];
  /** Descriptors with more data, left for the next look. */
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

  /** Whether other entries, which come first, wait for the same direction already. */
  isBehind(entry: Entry, direction: number): boolean {
    if (entry.place === PARKED) return false;
    const watch = this.#known(entry.fd);
    if (watch === null) return false;
    return (direction === TO_READ ? watch.readers.first : watch.writers.first) !== null;
  }

  /**
   * Whether a short read means that no more data is there: a later event reports more. The end of a stream, errors and
   * urgent data do not end the event that reported them.
   */
  isDrained(entry: Entry): boolean {
    const watch = this.#known(entry.fd);
    return watch === null || !watch.special;
  }

  /**
   * Makes an entry that has returned EAGAIN wait until its descriptor is readable or writable. Returns 0 or a negative
   * errno: EPERM if the descriptor cannot be waited for, like files.
   */
  wait(entry: Entry, direction: number): number {
    const watch = this.#watch(entry.fd);
    const list = watch.waitersFor(direction);
    if (entry.place !== PARKED) {
      const events = direction === TO_READ ? POLLIN | POLLPRI | POLLRDHUP : POLLOUT;
      const failed = this.#register(watch, events);
      if (failed < 0) return failed;
      list.push(entry);
      entry.place = PARKED;
    }
    // An entry that queues after others has not tried.
    if (list.first !== entry) return 0;
    if (direction === TO_READ) watch.readable = false;
    else watch.writable = false;
    return 0;
  }

  /**
   * Makes an entry wait for these events of poll(2), and tries it at each event until it has completed. Returns a
   * negative errno, as `wait`; 1 if an event for the current state follows, else 0.
   */
  poll(entry: Entry, events: number): number {
    if (entry.place === PARKED) return 1;
    const watch = this.#watch(entry.fd);
    const result = this.#register(watch, events & POLLED);
    if (result < 0) return result;
    if (watch.polls === NO_ENTRIES) watch.polls = new EntryList();
    watch.polls.push(entry);
    entry.place = PARKED;
    return result;
  }

  /** Whether a descriptor can be waited for: files cannot. */
  canWait(fd: number): boolean {
    return this.#register(this.#watch(fd), POLLIN) >= 0;
  }

  /** An entry stops waiting. */
  leave(entry: Entry): void {
    entry.list!.remove(entry);
  }

  /** Any entry that waits for a descriptor. */
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

  /** Other processes may share the file, as they often do with listeners: removes the registration before the close. */
  share(fd: number): void {
    this.#watch(fd).shared = true;
  }

  /** TCP or OTHER, as set by `learn`; 0 if unknown. */
  kindOf(fd: number): number {
    return this.#known(fd)?.kind ?? 0;
  }

  /** Sets the kind of a descriptor's socket. */
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
    // Without holes, so that a lookup stays fast.
    while (watches.length <= fd) watches.push(null);
    watches[fd] ??= new Watch(fd);
    return watches[fd];
  }

  #known(fd: number): Watch | null {
    return this.#watches[fd] ?? null;
  }

  /**
   * Adds these events to the registration. Returns a negative errno, 0, or 1 if the current state is reported again.
   */
  #register(watch: Watch, events: number): number {
    const all = watch.events | events | EPOLLET;
    if (all === watch.events && !watch.idle) {
      // A change would report the state again, also to polls. The same file is refused: it is registered.
      const failed = this.#tell(EPOLL_CTL_ADD, watch.fd, all, watch.fd, (watch.generation + 1) | 0);
      if (failed === EEXIST) return 0;
      this.#replaced(watch);
      if (failed === 0) watch.events = all;
      return failed === 0 ? 1 : failed;
    }
    let failed = ENOENT;
    if (watch.events !== 0) failed = this.#control(EPOLL_CTL_MOD, watch, all);
    if (failed === 0) watch.events = all;
    else this.#replaced(watch);
    if (failed === ENOENT) {
      failed = this.#control(EPOLL_CTL_ADD, watch, events | EPOLLET);
      if (failed === EEXIST) failed = this.#control(EPOLL_CTL_MOD, watch, events | EPOLLET);
      if (failed === 0) watch.events = events | EPOLLET;
    }
    return failed === 0 ? 1 : failed;
  }

  /** Other code has closed a descriptor; its number may refer to another file. */
  #replaced(watch: Watch): void {
    for (const list of [watch.readers, watch.writers, watch.polls]) {
      while (list.first !== null) this.#ring.cancel(list.first);
    }
    watch.kind = 0;
    this.#reset(watch);
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

  /** Calls `expire` when a kernel timer expires. */
  watchTimer(fd: number): void {
    const failed = this.#tell(EPOLL_CTL_ADD, fd, POLLIN | EPOLLET, TIMER, 0);
    if (failed < 0) throw systemError(failed, 'epoll_ctl');
  }

  /**
   * Collects the descriptors that have become ready, and tries what waits for them.
   * @param timeout milliseconds to wait for an event.
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
      // Attempts register other descriptors, in the words after the events.
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

  /** Tries each of the current ones once: it may wait again. */
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

  /** Continues an entry that waits although data was there, at the next look. */
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
