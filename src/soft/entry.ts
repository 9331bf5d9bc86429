import { SQE } from '../ring/abi/structs.js';

const TWO_32 = 2 ** 32;

/** The states of an entry. */
export const RUNNING = 0;
/** Waits until its descriptor is ready: see Readiness. */
export const PARKED = 1;
/** Waits for a time: see Timeouts. */
export const TIMED = 2;
/** A thread of the pool works on it: see pool.ts. */
export const HANDED = 3;
/** Waits for the entries that it is linked to. */
export const CHAINED = 4;

/** The kind of a socket, once it matters. */
export const TCP = 1;
export const OTHER = 2;

/**
 * One decoded entry of the submission queue, and its progress. Entries are reused: `SoftRing` owns them, from
 * submission to the last completion.
 */
export class Entry {
  op = 0;
  /** SQE_ flags. */
  flags = 0;
  /** The ioprio field: operation-specific flags. */
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
  /** The id of other credentials, of which there are none here. */
  personality = 0;
  /** file_index, addr_len, splice_fd_in. */
  file = 0;
  addr3Low = 0;
  addr3High = 0;

  /** RUNNING, PARKED, TIMED, HANDED or CHAINED. */
  place = RUNNING;
  /** The next entry of its chain. */
  linked: Entry | null = null;
  /** Bytes transferred so far, for an operation that continues. */
  done = 0;
  /** The only result that counts as success for the rest of the chain; -1 if any non-negative result does. */
  expected = -1;
  /** The rest of its chain is cancelled without completions. */
  quietLinks = false;
  /** The CQE flags of the provided buffer that it keeps until it has completed; 0 if it has none. */
  picked = 0;
  /** For a multishot RECVMSG: the bytes of each buffer reserved for the address and for control messages. */
  nameRoom = 0;
  controlRoom = 0;
  /** Its own memory, with copies of arguments: a cell in `Cells`, or -1. */
  cell = -1;

  // Links of the list that it waits in.
  list: EntryList | null = null;
  next: Entry | null = null;
  previous: Entry | null = null;
  // Links of the list of all waiting entries.
  nextWaiting: Entry | null = null;
  previousWaiting: Entry | null = null;
  /** The next waiting entry with the same lower half of user_data. */
  nextSame: Entry | null = null;

  /**
   * For a timeout: when it ends, in nanoseconds on its clock; how many expirations remain; and after which completion.
   * For a poll, `target` holds the events that it reported last.
   */
  deadline = 0;
  interval = 0;
  repeats = 0;
  target = 0;
  /** Its index in the heap of timeouts, -1 if it is not there. */
  heapIndex = -1;
  /** Stops the work that was handed over: see `SoftRing.hand`. */
  stop: ((entry: Entry) => boolean) | null = null;
  /** The `Job` of the pool for it, pending or done. */
  job: unknown = null;
  /** A FIFO that it has opened and that has no other end yet; -1 for none. */
  held = -1;
  /** Whether it was asked to stop, and will stop as soon as it can. */
  stopping = false;

  /** Decodes an entry of the queue. */
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
    this.stopping = false;
  }

  /** Changes its address. */
  point(address: number): void {
    this.addrLow = (address % TWO_32) | 0;
    this.addrHigh = Math.floor(address / TWO_32);
  }

  /** Its address. */
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

/** A list of entries. An entry is in at most one list. */
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
