/** Writes that the kernel has not taken yet, and copying them into a block. */
import type { Block, BlockPool } from '../../loop/memory/blocks.js';
import { allocatePooled } from '../../loop/memory/buffer-memory.js';
import type { Deferred } from '../../loop/operation/deferred.js';
import { UTF8_MAX } from '../../sys/calls/socket-calls.js';
import { stateError } from '../../sys/errors/errors.js';
import type { Queue, Queued } from '../socket/queue.js';

const NO_BYTES = Buffer.alloc(0);

/** The result of a write that is sent at once. */
export const SENT = Promise.resolve();

const NOTHING = (): void => {};

/** Completed writes of all connections of this thread, reused instead of allocated. */
const spare: PendingWrite[] = [];
const SPARE_MAX = 1024;

/** One `write()` that the kernel has not taken completely. */
export class PendingWrite implements Deferred<void>, Queued<PendingWrite> {
  resolve: Deferred<void>['resolve'] = NOTHING;
  reject: (error: unknown) => void = NOTHING;
  next: PendingWrite | null = null;
  /** Bytes that are in a block, or sent. */
  copied = 0;
  length = 0;
  /** The bytes to copy; none if all were in a block from the start. */
  data: Uint8Array = NO_BYTES;
  /** The address of the bytes if they are sent in place, else 0. */
  address = 0;
  /** Set if it sends nothing, and holds back later writes: see `Sender.hold`. */
  holder: (() => void) | null = null;

  private constructor() {}

  /** A write of `length` bytes, `copied` of which are in a block. It has no promise yet. */
  static of(data: Uint8Array, length: number, copied: number): PendingWrite {
    const write = spare.pop() ?? new PendingWrite();
    write.data = data;
    write.length = length;
    write.copied = copied;
    return write;
  }

  /** A write whose bytes are elsewhere, or that has none. */
  static ofLength(length: number, copied: number): PendingWrite {
    return PendingWrite.of(NO_BYTES, length, copied);
  }

  /** It is out of its queue, and its caller keeps no reference: settles it, and returns it to the pool. */
  taken(): void {
    const { resolve } = this;
    this.resolve = NOTHING;
    this.reject = NOTHING;
    this.data = NO_BYTES;
    this.address = 0;
    this.holder = null;
    if (spare.length < SPARE_MAX) spare.push(this);
    resolve();
  }

  /** Keeps the rest of its bytes, which were only in a block that is reused from now on. */
  takeBytes(rest: Uint8Array): void {
    this.data = allocatePooled(this.length);
    this.data.set(rest, this.copied);
  }

  /** Whether the buffer was detached or shrunk while it waited: its bytes are gone. */
  get detached(): boolean {
    return this.data.length < this.length && this.data !== NO_BYTES;
  }

  /** The reason why it cannot be sent, if any. */
  get failure(): Error | null {
    return this.detached ? stateError('A buffer was detached while it was being sent') : null;
  }

  /** Whether no other waits with it, and its buffer still has just its bytes: it may have shrunk or grown. */
  get isAlone(): boolean {
    return this.next === null && this.data.length === this.length;
  }

  /** Whether its bytes are copied, and may be sent together with others. */
  get copies(): boolean {
    return this.holder === null && this.address === 0;
  }
}

/** A block with room for a text; null for an empty text, and if there is no block. */
export function blockForText(blocks: BlockPool, text: string): Block | null {
  if (text.length === 0) return null;
  const block = blocks.acquire(text.length * UTF8_MAX);
  if (block === null || block.bytes.length >= text.length * UTF8_MAX) return block;
  blocks.release(block);
  return null;
}

/** How many bytes can be copied for the next send, up to `max`. */
export function lengthToCopy(writes: Queue<PendingWrite>, max: number): number {
  let length = 0;
  for (let write = writes.first; write?.copies && length < max; write = write.next) {
    length += write.length - write.copied;
  }
  return Math.min(length, max);
}

/** Fills `bytes` from these writes; returns the number of bytes. */
export function copyWrites(writes: Queue<PendingWrite>, bytes: Buffer): number {
  let end = 0;
  for (let write = writes.first; write?.copies && !write.detached; write = write.next) {
    const length = Math.min(write.length - write.copied, bytes.length - end);
    const whole = length === write.data.length;
    bytes.set(whole ? write.data : write.data.subarray(write.copied, write.copied + length), end);
    write.copied += length;
    end += length;
    if (end === bytes.length) break;
  }
  return end;
}

/** Whether what is being sent can begin again: from this block, or in place. */
export function canRewind(writes: Queue<PendingWrite>, block: Block | null): boolean {
  return block !== null || writes.first!.address !== 0;
}

/** The last bytes, by address, were not sent: they are copied again later, unless they are sent in place. */
export function rewind(writes: Queue<PendingWrite>, block: Block | null, from: number, to: number): void {
  if (block === null) {
    writes.first!.copied -= to - from;
    return;
  }
  const rest = block.bytes.subarray(from - block.address, to - block.address);
  const copied: PendingWrite[] = [];
  for (let write = writes.first; write !== null; write = write.next)
    if (write.copied !== 0) copied.push(write);
  let left = rest.length;
  for (let write = copied.pop(); left > 0; write = copied.pop()) {
    const length = Math.min(write!.copied, left);
    left -= length;
    write!.copied -= length;
    if (write!.data === NO_BYTES) write!.takeBytes(rest.subarray(left, left + length));
  }
}
