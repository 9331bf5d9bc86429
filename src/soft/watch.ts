import { POLLIN, POLLOUT } from '../sys/abi/flags.js';
import { EntryList } from './entry.js';

/** The direction that an entry waits for. */
export const TO_READ = POLLIN;
export const TO_WRITE = POLLOUT;

/** Stands for the lists of a descriptor that nothing has waited for in that way: most never have entries. */
export const NO_ENTRIES: EntryList = Object.freeze(new EntryList());

/** A descriptor that entries wait for, or have waited for. */
export class Watch {
  readonly fd: number;
  /** Distinguishes events of the current file from older ones. */
  generation = 0;
  /** The registered events; 0 if it is not registered. */
  events = 0;
  /** Whether a read may succeed: until one returns EAGAIN. */
  readable = true;
  writable = true;
  /** Whether it has reported other events than data, so that a short read does not mean that it is empty. */
  special = false;
  /** TCP or OTHER; 0 if unknown. */
  kind = 0;
  /** Whether other processes may share the file: closing the descriptor here does not end its registration. */
  shared = false;
  /** Whether it is in `#unfinished`, to be continued. */
  queued = false;
  readers = NO_ENTRIES;
  writers = NO_ENTRIES;
  polls = NO_ENTRIES;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** The entries that wait for a direction, to add one to them. */
  waitersFor(direction: number): EntryList {
    if (direction === TO_READ) {
      if (this.readers === NO_ENTRIES) this.readers = new EntryList();
      return this.readers;
    }
    if (this.writers === NO_ENTRIES) this.writers = new EntryList();
    return this.writers;
  }

  get idle(): boolean {
    return this.readers.first === null && this.writers.first === null && this.polls.first === null;
  }
}
