import { SQE } from '../ring/structs.js';
import type { Job } from './pool.js';

const TWO_32 = 2 ** 32;

/** Where an entry is. */
export const RUNNING = 0;
/** It waits until its descriptor is ready: see Readiness. */
export const PARKED = 1;
/** It waits for a time: see Timeouts. */
export const TIMED = 2;
/** A thread of the pool works on it: see files.ts. */
export const HANDED = 3;
/** It waits for the entries that it is linked behind. */
export const CHAINED = 4;

/** What kind of socket it is, once that matters. */
export const TCP = 1;
export const OTHER = 2;

/**
 * One entry of the submission queue, decoded, and how far it has come. Entries are used again and again: `SoftRing`
 * owns them, from submission to the last completion.
 */
export class Entry {
  op = 0;
  /** SQE_ flags. */
  flags = 0;
  /** The ioprio field: flags of the operation's own. */
  ioprio = 0;
  fd = -1;
  offLow = 0;
  offHigh = 0;
  addrLow = 0;
  addrHigh = 0;
  len = 0;
  /** msg_flags, rw_flags, open_flags … */
  opFlags = 0;
  /** user_data. */
  low = 0;
  high = 0;
  /** buf_index, or the group of provided buffers. */
  group = 0;
  personality = 0;
  /** file_index, addr_len, splice_fd_in. */
  file = 0;
  addr3Low = 0;
  addr3High = 0;

  /** RUNNING, PARKED, TIMED, HANDED or CHAINED. */
  place = RUNNING;
  /** The entry that is linked behind it. */
  linked: Entry | null = null;
  /** Bytes that are done, of an operation that goes on. */
  done = 0;
  /** What a completion other than this result is: a failure for those linked behind. -1 for any that is not negative. */
  expected = -1;
  /** Those linked behind it that are cancelled post no completion. */
  quietLinks = false;
  /** The flags that name the provided buffer that it keeps until it has completed; 0 if there is none. */
  picked = 0;
  /** Of a multishot RECVMSG: bytes of each buffer that are for the address and for control messages. */
  nameRoom = 0;
  controlRoom = 0;
  /** Memory of its own, for what was copied at submission: a place in `Cells`, or -1. */
  cell = -1;

  // Of the list that it waits in.
  list: EntryList | null = null;
  next: Entry | null = null;
  previous: Entry | null = null;
  // Of all that waits.
  nextWaiting: Entry | null = null;
  previousWaiting: Entry | null = null;
  /** The next one that waits with the same lower half of user_data. */
  nextSame: Entry | null = null;

  /** Of a timeout: when it ends, in nanoseconds on its clock; how often it does still; and after which completion. Of a poll `target` is what it has told last. */
  deadline = 0;
  interval = 0;
  repeats = 0;
  target = 0;
  /** Its place in the heap of timeouts, -1 if it has none. */
  heapIndex = -1;
  /** How to stop what has it: see `SoftRing.hand`. */
  stop: ((entry: Entry) => boolean) | null = null;
  /** What the pool does for it, or has done. */
  job: Job | null = null;
  /** A FIFO that it has opened, and that has no other end yet; -1 for none. */
  held = -1;
  /** Whether it was asked to stop, and stops as soon as it can. */
  stopping = false;

  /** Takes over what an entry of the queue says. */
  decode(words: Int32Array, at: number): void {
    const first = words[at]!;
    this.op = first & 0xff;
    this.flags = (first >>> 8) & 0xff;
    this.ioprio = first >>> 16;
    this.fd = words[at + SQE.fd]!;
    this.offLow = words[at + SQE.off]!;
    this.offHigh = words[at + SQE.off + 1]!;
    this.addrLow = words[at + SQE.addr]!;
    this.addrHigh = words[at + SQE.addr + 1]!;
    this.len = words[at + SQE.len]! >>> 0;
    this.opFlags = words[at + SQE.opFlags]!;
    this.low = words[at + SQE.userData]!;
    this.high = words[at + SQE.userData + 1]!;
    const buf = words[at + SQE.buf]!;
    this.group = buf & 0xffff;
    this.personality = buf >>> 16;
    this.file = words[at + SQE.file]!;
    this.addr3Low = words[at + SQE.addr3]!;
    this.addr3High = words[at + SQE.addr3 + 1]!;
    this.place = RUNNING;
    this.linked = null;
    this.done = 0;
    this.expected = -1;
    this.quietLinks = false;
    this.interval = 0;
    this.repeats = 0;
    this.target = 0;
    this.picked = 0;
  }

  /** Has it name another address. */
  point(address: number): void {
    this.addrLow = (address % TWO_32) | 0;
    this.addrHigh = Math.floor(address / TWO_32);
  }

  /** The address that it names. */
  get addr(): number {
    return this.addrHigh * TWO_32 + (this.addrLow >>> 0);
  }

  /** The offset, or the second address; -1 is all bits set, the current position. */
  get off(): number {
    return this.offHigh * TWO_32 + (this.offLow >>> 0);
  }

  get addr3(): number {
    return this.addr3High * TWO_32 + (this.addr3Low >>> 0);
  }
}

/** Entries in a row. One entry is in one list at most. */
export class EntryList {
  first: Entry | null = null;
  last: Entry | null = null;

  push(entry: Entry): void {
    entry.list = this;
    entry.next = null;
    entry.previous = this.last;
    if (this.last === null) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
  }

  remove(entry: Entry): void {
    const { next, previous } = entry;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    entry.list = null;
    entry.next = null;
    entry.previous = null;
  }
}
