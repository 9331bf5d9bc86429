import type { Queued } from '../../net/socket/queue.js';
import type { RequestDone } from '../request-done.js';

/** A write that completes when the kernel has taken all its bytes. */
export class WaitingWrite implements Queued<WaitingWrite> {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** The request to settle; null if the bytes were reported as written already. */
  readonly done: RequestDone | null;
  /** How many bytes are in a block, or sent. */
  copied = 0;
  next: WaitingWrite | null = null;

  constructor(bytes: Uint8Array, done: RequestDone | null) {
    this.bytes = bytes;
    this.length = bytes.length;
    this.done = done;
  }

  /** Whether the buffer was transferred away or shrunk while it waited. */
  get isGone(): boolean {
    return this.bytes.length < this.length;
  }
}

/** How many bytes of a write and those behind it are not copied, at most `most`. */
export function lengthWaiting(first: WaitingWrite, most: number): number {
  let length = 0;
  for (let waiting: WaitingWrite | null = first; waiting !== null && length < most; waiting = waiting.next) {
    length += waiting.length - waiting.copied;
  }
  return Math.min(length, most);
}

/** Copies as many of them as there is room for; how many. Ends at a write that is gone. */
export function copyWaiting(first: WaitingWrite, room: Buffer): number {
  let end = 0;
  for (
    let waiting: WaitingWrite | null = first;
    waiting !== null && end < room.length;
    waiting = waiting.next
  ) {
    if (waiting.isGone) break;
    const count = Math.min(waiting.length - waiting.copied, room.length - end);
    room.set(waiting.bytes.subarray(waiting.copied, waiting.copied + count), end);
    waiting.copied += count;
    end += count;
  }
  return end;
}
