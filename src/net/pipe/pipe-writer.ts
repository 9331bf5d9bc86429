/** The writing side of a pipe or terminal. */

import type { Loop } from '../../loop/loop.js';
import { BLOCK_MAX, type Block, type BlockWaiter } from '../../loop/memory/blocks.js';
import { failureOf } from '../../loop/operation/failure.js';
import { Operation } from '../../loop/operation/operation.js';
import { isExiting } from '../../loop/turns/exiting.js';
import { Waiter, type WaitOptions } from '../../loop/waiting/waiter.js';
import { EAGAIN, EINTR } from '../../sys/abi/errno.js';
import { POLLOUT } from '../../sys/abi/flags.js';
import { closedError, errorFrom, kept, stateError } from '../../sys/errors/errors.js';

/** One `write()` that the kernel has not taken completely. */
class PipeWrite extends Waiter<void> {
  data: Uint8Array;
  readonly length: number;
  /** Bytes that are in a block, or written. */
  copied = 0;

  constructor(data: Uint8Array, forget: (write: PipeWrite) => void) {
    super('write', forget as (waiter: Waiter<void>) => void);
    this.data = data;
    this.length = data.length;
  }

  /** Whether the buffer was detached or shrunk while it waited: its bytes are gone. */
  get detached(): boolean {
    return this.data.length < this.length;
  }
}

/**
 * Writes to a descriptor of any kind. One write is in flight at a time, from a block of runtime memory; writes that
 * come meanwhile queue in order and are sent together in the next.
 */
export class PipeWriter extends Operation implements BlockWaiter {
  bytesWritten = 0;
  readonly #fd: number;
  readonly #writes: PipeWrite[] = [];
  #block: Block | null = null;
  /** The start of the unwritten rest of the block. */
  #from = 0;
  #to = 0;
  #polling = false;
  #waiting = false;
  #error: Error | null = null;
  #onDrained: (() => void) | null = null;

  constructor(loop: Loop, fd: number) {
    super(loop);
    this.#fd = fd;
  }

  override get syscall(): string {
    return 'write';
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.#writes.length;
  }

  /** Whether it keeps the process alive, with the timeouts of its calls. */
  setReferenced(referenced: boolean): void {
    this.loop.setReferenced(this, referenced);
    for (const write of this.#writes) write.setReferenced(referenced);
  }

  /** Resolves when the kernel has taken every byte. */
  write(data: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    if (this.#error !== null) return Promise.reject(errorFrom(this.#error));
    const write = new PipeWrite(data, gone => this.#forget(gone));
    const promise = write.wait(options, this.referenced);
    this.#writes.push(write);
    if (this.slot < 0 && !this.#waiting) this.#go();
    if (isExiting()) this.loop.submitLast();
    return promise;
  }

  /** A started write is completed, or the reader would see half of it; its buffer is the caller's again. */
  #forget(write: PipeWrite): void {
    if (write.copied === 0) this.#writes.splice(this.#writes.indexOf(write), 1);
    else if (!write.detached) write.data = Uint8Array.from(write.data);
  }

  #go(): void {
    try {
      this.#next();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Copies as much of the waiting writes as a block holds, and writes it. */
  #next(): void {
    const writes = this.#writes;
    let total = 0;
    for (let at = 0; at < writes.length && total < BLOCK_MAX; ) {
      const write = writes[at]!;
      if (!write.detached) {
        total += write.length - write.copied;
        at++;
        continue;
      }
      const error = stateError('The buffer was detached while it waited to be written');
      // The reader has a part of it.
      if (write.copied !== 0) throw error;
      writes.splice(at, 1);
      write.settled();
      write.fail(error);
    }
    if (total === 0) {
      this.#taken();
      return;
    }
    const block = this.loop.blocks.acquire(Math.min(total, BLOCK_MAX));
    if (block === null) {
      this.#waiting = true;
      this.loop.blocks.wait(this);
      return;
    }
    this.#block = block;
    this.#from = 0;
    this.#to = this.#fill(block.bytes);
    this.#start();
  }

  /** Returns how many bytes were filled. */
  #fill(bytes: Buffer): number {
    let end = 0;
    for (const write of this.#writes) {
      const length = Math.min(write.length - write.copied, bytes.length - end);
      bytes.set(write.data.subarray(write.copied, write.copied + length), end);
      write.copied += length;
      end += length;
      if (end === bytes.length) break;
    }
    return end;
  }

  blockReleased(): void {
    this.#waiting = false;
    if (this.#writes.length !== 0) this.#go();
    else this.#drained();
  }

  #start(): void {
    const address = this.#block!.address + this.#from;
    this.loop.start(this).writeAt(this.#fd, address, this.#to - this.#from, -1);
  }

  complete(res: number): void {
    const ending = this.#error !== null || this.loop.closing;
    if (this.#polling) {
      this.#polling = false;
      if (res >= 0 && !ending) {
        this.#start();
        return;
      }
    } else if (res === EAGAIN && !ending) {
      // The descriptor has O_NONBLOCK.
      this.#polling = true;
      this.loop.start(this).pollAdd(this.#fd, POLLOUT);
      return;
    } else if (res >= 0) {
      this.bytesWritten += res;
      this.#from += res;
    }
    if ((res >= 0 || res === EINTR) && this.#from < this.#to && !ending) {
      this.#start();
      return;
    }
    this.loop.blocks.release(this.#block!);
    this.#block = null;
    if (this.loop.closing) this.#fail(closedError('The loop'));
    else if (this.#error !== null) this.#fail(this.#error);
    else if (res < 0) this.#fail(failureOf(res, 'write'));
    else this.#taken();
  }

  /** The write in flight is done: its writes resolve, and the next ones start. */
  #taken(): void {
    const writes = this.#writes;
    while (writes.length !== 0 && writes[0]!.copied === writes[0]!.length) {
      const write = writes.shift()!;
      write.settled();
      write.resolve();
    }
    if (writes.length !== 0) this.#go();
    else this.#drained();
  }

  #fail(error: Error): void {
    this.#error ??= kept(error);
    for (const write of this.#writes.splice(0)) {
      write.settled();
      write.fail(errorFrom(this.#error));
    }
    this.#drained();
  }

  #drained(): void {
    if (this.slot >= 0 || this.#writes.length !== 0) return;
    const onDrained = this.#onDrained;
    this.#onDrained = null;
    onDrained?.();
  }

  /** Calls back when nothing is left to write. */
  whenDrained(callback: () => void): void {
    this.#onDrained = callback;
    this.#drained();
  }

  /** Abandons unwritten data: its writes reject. */
  abort(): void {
    this.#error ??= closedError('The pipe');
    if (this.slot >= 0) this.loop.cancel(this);
    else this.#fail(this.#error);
  }
}
