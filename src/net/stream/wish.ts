/** What a read asks for, unless it is just the next chunk. */
import type { Operation } from '../../loop/operation.js';
import type { FdReceiver } from '../socket/received-fds.js';
import type { Sink } from './reader.js';

const NO_DELIMITER = Buffer.alloc(0);

/**
 * What a reader asks for that wants more than the next chunk. Most readers never do: those of a connection that is
 * iterated over have none of their own.
 */
export class Wish {
  /** INTO, EXACTLY: where the bytes go. */
  target: Uint8Array | null = null;
  /** The target's length when it was given. */
  room = 0;
  /** INTO: where the target is if the kernel can fill it in place, else 0. */
  address = 0;
  /** INTO: the receive that fills the target in place, while it does. */
  filling: Operation | null = null;
  /** Why it was given up while the kernel fills it: reported when the kernel is done. */
  givenUp: Error | null = null;
  /** EXACTLY: how much of it is filled. */
  filled = 0;
  /** UNTIL: what ends the bytes, and how far it has been looked for. */
  delimiter: Buffer = NO_DELIMITER;
  searched = 0;
  /** UNTIL: the most bytes; PEEK: how many. */
  count = 0;
  /** ALL: where the bytes go until the end. */
  sink: Sink | null = null;
  /** FDS: where the descriptors are. */
  fds: FdReceiver | null = null;

  /** As new, to be used again. */
  clear(): void {
    this.target = null;
    this.room = 0;
    this.address = 0;
    this.givenUp = null;
    this.filled = 0;
    this.delimiter = NO_DELIMITER;
    this.searched = 0;
    this.count = 0;
    this.sink = null;
    this.fds = null;
  }
}

/** Of all readers that only want the next chunk. */
export const NO_WISH: Wish = Object.freeze(new Wish());
