/** The request of a read, unless it is just the next chunk. */
import type { Operation } from '../../loop/operation/operation.js';
import type { FdReceiver } from '../socket/received-fds.js';
import type { Sink } from './sink.js';

const NO_DELIMITER = Buffer.alloc(0);

/**
 * The request of a reader that wants more than the next chunk. Most readers never do: those of an iteration share one.
 */
export class Wish {
  /** INTO, EXACTLY: the destination. */
  target: Uint8Array | null = null;
  /** The target's initial length. */
  room = 0;
  /** INTO: the target's address if the kernel can fill it in place, else 0. */
  address = 0;
  /** INTO: the receive that fills the target in place, while it does. */
  filling: Operation | null = null;
  /** The reason for giving up while the kernel fills it: reported when the kernel is done. */
  givenUp: Error | null = null;
  /** EXACTLY: how much of it is filled. */
  filled = 0;
  /** UNTIL: the delimiter, and how far it has been searched for. */
  delimiter: Buffer = NO_DELIMITER;
  searched = 0;
  /** UNTIL: the maximum number of bytes; PEEK: their number. */
  count = 0;
  /** ALL: the destination of all bytes. */
  sink: Sink | null = null;
  /** FDS: the source of the descriptors. */
  fds: FdReceiver | null = null;

  /** Resets it for reuse. */
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

/** Shared by all readers that only want the next chunk. */
export const NO_WISH: Wish = Object.freeze(new Wish());
