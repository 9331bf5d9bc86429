/**
 * Faults for tests: behaviour that a kernel may show but seldom does. The environment variable UASYNC_FAULTS enables
 * them; without it a ring uses its plain parts.
 */
import * as abi from '../../ring/abi/io-uring.js';
import { ECANCELED, EINTR, ENOBUFS } from '../../sys/abi/errno.js';
import { libc } from '../../sys/libc/libc.js';
import type { Completions } from '../completions.js';
import { type Entry, HANDED, PARKED, RUNNING } from '../entry.js';
import { type Handler, type Handlers, LINKS } from '../handlers.js';
import type { Host } from '../host.js';
import { isDirect } from '../operations/files.js';
import { Chance } from './chance.js';
import { FaultyCalls, LateCompletions } from './faulty-parts.js';

/** The maximum delay of an operation's start, in nanoseconds. */
const DELAY_NS = 2e6;

/** Operations that a signal may interrupt before they have done anything. signal(7) */
const INTERRUPTED: ReadonlySet<number> = new Set([
  abi.OP_ACCEPT,
  abi.OP_RECV,
  abi.OP_RECVMSG,
  abi.OP_SEND,
  abi.OP_SENDMSG,
  abi.OP_READ,
  abi.OP_WRITE,
  abi.OP_OPENAT,
  abi.OP_FSYNC,
  abi.OP_FTRUNCATE,
  abi.OP_FALLOCATE,
  abi.OP_FADVISE,
  abi.OP_STATX,
  abi.OP_RENAMEAT,
  abi.OP_LINKAT,
  abi.OP_SYMLINKAT,
  abi.OP_UNLINKAT,
  abi.OP_MKDIRAT,
  abi.OP_GETXATTR,
  abi.OP_SETXATTR,
  abi.OP_FGETXATTR,
  abi.OP_FSETXATTR,
]);
/** Operations that are never delayed. */
const PROMPT: ReadonlySet<number> = new Set([abi.OP_TIMEOUT, abi.OP_ASYNC_CANCEL]);
/** Flags of entries for which a short transfer is a failure. */
const WHOLE = LINKS | abi.SQE_CQE_SKIP_SUCCESS;

/** A delayed operation, and the later ones on the same descriptor. */
class Delay {
  readonly entries: Entry[] = [];
}

/** The faults of one ring. The same seed and the same operations give the same faults. */
export class Faults {
  readonly calls: FaultyCalls;
  readonly #chance: Chance;
  #completions: LateCompletions | null = null;
  #plain: Handlers = [];
  readonly #delays = new Map<Entry, Delay>();
  readonly #byFd = new Map<number, Delay>();

  constructor(chance: Chance) {
    this.#chance = chance;
    this.calls = new FaultyCalls(chance);
  }

  /** The faults that the environment requests. */
  static asked(): Faults | null {
    const chance = Chance.asked(0);
    return chance === null ? null : new Faults(chance);
  }

  /** A completion queue that delivers some completions later than others. */
  completions(entries: number): Completions {
    this.#completions = new LateCompletions(entries, this.#chance);
    return this.#completions;
  }

  /** These handlers with injected faults. */
  handlers(plain: Handlers): Handlers {
    this.#plain = plain;
    return plain.map((handler, op) => handler && this.#faulty(op, handler));
  }

  #faulty(op: number, handler: Handler): Handler {
    return (ring, entry) => {
      const delay = this.#delays.get(entry);
      if (delay !== undefined) this.#end(ring, delay);
      else if (entry.place !== RUNNING || PROMPT.has(op)) this.#attempt(ring, entry, handler);
      else if (!this.#isDelayed(ring, entry)) this.#begin(ring, entry, handler);
    };
  }

  // --- Faults -------------------------------------------------------------------------------------

  #begin(ring: Host, entry: Entry, handler: Handler): void {
    const { op, flags, ioprio, len } = entry;
    if (flags & LINKS) this.#completions!.keepPrompt(entry.low);
    const picks = (op === abi.OP_RECV || op === abi.OP_RECVMSG) && (ioprio & abi.RECV_MULTISHOT) !== 0;
    if (INTERRUPTED.has(op) && this.#chance.happens()) ring.complete(entry, EINTR);
    else if (picks && this.#chance.happens()) ring.complete(entry, ENOBUFS);
    else if (op === abi.OP_CLOSE && entry.file === 0 && this.#chance.happens()) {
      // The descriptor is closed nevertheless.
      ring.readiness.forget(entry.fd);
      ring.complete(entry, libc().close(entry.fd) || EINTR);
    } else {
      const moves = op === abi.OP_READ || op === abi.OP_WRITE;
      if (moves && (flags & WHOLE) === 0 && len > 1 && this.#chance.happens() && mayBeCut(ring, entry.fd)) {
        entry.len = this.#chance.part(len);
      }
      this.#attempt(ring, entry, handler);
    }
  }

  #attempt(ring: Host, entry: Entry, handler: Handler): void {
    const { calls } = this;
    calls.cut = false;
    handler(ring, entry);
    // No further event reports data that is there already.
    if (calls.cut && entry.place === PARKED) ring.readiness.goOn(entry);
  }

  // --- Delays -------------------------------------------------------------------------------------

  #isDelayed(ring: Host, entry: Entry): boolean {
    const { fd } = entry;
    const before = this.#byFd.get(fd);
    if (before === undefined && !this.#chance.happens()) return false;
    const delay = before ?? new Delay();
    ring.hand(entry, target => this.#stop(ring, target, delay));
    // Its arguments must stay.
    ring.scratch.holds++;
    delay.entries.push(entry);
    this.#delays.set(entry, delay);
    if (before !== undefined) return true;
    // Operations on paths have no order.
    if (fd >= 0) this.#byFd.set(fd, delay);
    this.#await(ring, entry, ring.timeouts.now() + this.#chance.random() * DELAY_NS);
    return true;
  }

  #await({ timeouts }: Host, entry: Entry, deadline: number): void {
    entry.deadline = deadline;
    timeouts.add(entry);
    entry.place = HANDED;
  }

  #end(ring: Host, delay: Delay): void {
    this.#byFd.delete(delay.entries[0]!.fd);
    for (const entry of delay.entries) {
      this.#delays.delete(entry);
      ring.leave(entry);
      this.#begin(ring, entry, this.#plain[entry.op]!);
      ring.scratch.holds--;
    }
  }

  #stop(ring: Host, entry: Entry, delay: Delay): boolean {
    const { entries } = delay;
    const isFirst = entries[0] === entry;
    entries.splice(entries.indexOf(entry), 1);
    this.#delays.delete(entry);
    ring.scratch.holds--;
    if (isFirst) {
      ring.timeouts.remove(entry);
      if (entries.length === 0) this.#byFd.delete(entry.fd);
      else this.#await(ring, entries[0]!, entry.deadline);
    }
    ring.complete(entry, ECANCELED);
    return true;
  }
}

/** Whether a descriptor is a file, which may be read or written in parts of any size. */
function mayBeCut(ring: Host, fd: number): boolean {
  return ring.files.isFile(fd) && !isDirect(ring, fd);
}
