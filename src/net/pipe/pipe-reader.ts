/** The reading side of a pipe or terminal. */

import type { Loop } from '../../loop/loop.js';
import type { Block, BlockWaiter } from '../../loop/memory/blocks.js';
import { failureOf } from '../../loop/operation/failure.js';
import { Operation } from '../../loop/operation/operation.js';
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import { EAGAIN, ECANCELED, EINTR } from '../../sys/abi/errno.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { closedError, errorFrom, kept, UasyncError } from '../../sys/errors/errors.js';
import { Queue } from '../socket/queue.js';
import { copyChunk } from '../socket/slab.js';
import { EXACTLY, INTO, Reader, type ReaderOwner, type ReadValue } from '../stream/reader.js';
import { ReceiveQueue } from '../stream/receive-queue.js';

/** The default capacity of a pipe, pipe(7). */
const READ_MAX = 65536;
/** Most reads are smaller, and a waiting one holds its block. */
const READ_FIRST = 4096;

/**
 * Reads a descriptor of any kind, one read at a time, and never more than the first reader requests: the rest stays
 * available to others that share the descriptor. A descriptor with O_NONBLOCK returns EAGAIN, and is polled then.
 */
export class PipeReader extends Operation implements BlockWaiter, ReaderOwner {
  bytesRead = 0;
  readonly #fd: number;
  readonly #readers = new Queue<Reader>();
  /** Bytes that were read for a reader that has given up, or that follow the delimiter of a search. */
  readonly #queue = new ReceiveQueue();
  #block: Block | null = null;
  /** The size of reads for a reader that takes any number of bytes. */
  #size = READ_FIRST;
  /** The size of the read in flight. */
  #asked = 0;
  #polling = false;
  #waiting = false;
  #cancelled = false;
  #error: Error | null = null;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, fd: number) {
    super(loop);
    this.#fd = fd;
  }

  override get syscall(): string {
    return 'read';
  }

  /** The next bytes, null at the end. */
  read(options: WaitOptions | undefined): Promise<ReadValue> {
    return this.#wait(this.#newReader(), options);
  }

  /** Fills `target` with the next bytes; resolves to their number, 0 at the end. */
  readInto(target: Uint8Array, options: WaitOptions | undefined): Promise<ReadValue> {
    return this.#wait(this.#newReader().into(target), options);
  }

  readExactly(count: number, options: WaitOptions | undefined): Promise<ReadValue> {
    return this.#wait(this.#newReader().exactly(count), options);
  }

  readUntil(delimiter: Buffer, max: number, options: WaitOptions | undefined): Promise<ReadValue> {
    return this.#wait(this.#newReader().until(delimiter, max), options);
  }

  /** The number of waiting calls. */
  get waiting(): number {
    return this.#readers.length;
  }

  /** Whether it keeps the process alive, with the timeouts of its calls. */
  setReferenced(referenced: boolean): void {
    this.loop.setReferenced(this, referenced);
    for (let reader = this.#readers.first; reader !== null; reader = reader.next) {
      reader.setReferenced(referenced);
    }
  }

  #newReader(): Reader {
    return Reader.of(this);
  }

  #wait(reader: Reader, options: WaitOptions | undefined): Promise<ReadValue> {
    const promise = reader.wait(options, this.referenced);
    this.#readers.push(reader);
    this.#go();
    return promise;
  }

  /** A reader has given up. */
  forget(reader: Reader): void {
    this.#readers.remove(reader);
    reader.putBack(this.#queue);
    // The read in flight may be larger than the next reader's request, or meant for another reader of the descriptor.
    const { first } = this.#readers;
    if (first === null || (!this.#polling && this.#asked > this.#wanted(first))) this.#cancel();
    this.#go();
  }

  #cancel(): void {
    if (this.slot < 0 || this.#cancelled) return;
    this.#cancelled = true;
    this.loop.cancel(this);
  }

  /** How many bytes a reader can take that the queue did not satisfy. */
  #wanted(reader: Reader): number {
    const { asks } = reader;
    if (asks === INTO) return Math.min(reader.wish.room, this.#size);
    if (asks === EXACTLY) return Math.min(reader.wish.room - reader.wish.filled, this.#size);
    return this.#size;
  }

  /** Serves readers from the queue, then reads for the others. */
  #go(): void {
    for (let reader = this.#readers.first; reader !== null; reader = this.#readers.first) {
      if (reader.detached) {
        reader.fail(
          new UasyncError('ERR_INVALID_STATE', 'The buffer was detached while it waited for bytes'),
        );
      } else if (!reader.serve(this.#queue)) {
        if (this.#error === null) break;
        reader.putBack(this.#queue);
        reader.fail(errorFrom(this.#error));
      }
      this.#done();
    }
    if (this.#readers.empty || this.slot >= 0 || this.#waiting) return;
    try {
      this.#start();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** The first reader has been settled. */
  #done(): void {
    const reader = this.#readers.shift()!;
    reader.clear();
  }

  #start(): void {
    const wanted = this.#wanted(this.#readers.first!);
    this.#block ??= this.loop.blocks.acquire(wanted);
    if (this.#block === null) {
      this.#waiting = true;
      this.loop.blocks.wait(this);
      return;
    }
    const { address, bytes } = this.#block;
    this.#asked = Math.min(wanted, bytes.length);
    this.loop.start(this).readAt(this.#fd, address, this.#asked, -1);
  }

  blockReleased(): void {
    this.#waiting = false;
    this.#go();
  }

  complete(res: number): void {
    const cancelled = this.#cancelled || this.loop.closing;
    this.#cancelled = false;
    if (this.#polling) {
      this.#polling = false;
      // A read reports the state better than the poll.
      if (res < 0 && res !== ECANCELED && res !== EINTR) this.#error = failureOf(res, 'read');
    } else if (res === EAGAIN && !this.#readers.empty && !this.loop.closing) {
      this.#polling = true;
      this.loop.start(this).pollAdd(this.#fd, POLLIN);
      return;
    } else {
      this.#read(res, cancelled);
    }
    if (this.loop.closing) this.#error ??= closedError('The loop');
    if (this.#readers.empty || this.#error !== null) this.#release();
    if (this.#onStopped !== null) this.#stopped();
    this.#go();
  }

  #read(res: number, cancelled: boolean): void {
    const block = this.#block!;
    const reader = this.#readers.first;
    if (res > 0) {
      this.bytesRead += res;
      if (res === this.#size && this.#size < READ_MAX) this.#size *= 4;
      this.#take(block, res);
    } else if (res === 0) {
      // Only this read has ended: a terminal or a FIFO may have more later.
      if (reader !== null) {
        reader.end(this.#queue);
        this.#done();
      }
    } else if (!(cancelled && res === ECANCELED) && res !== EINTR && res !== EAGAIN && reader !== null) {
      reader.putBack(this.#queue);
      reader.fail(failureOf(res, 'read'));
      this.#done();
    }
    this.#release();
  }

  #take(block: Block, length: number): void {
    const reader = this.#readers.first;
    if (reader !== null && reader.asks === INTO && !reader.detached && reader.wish.room >= length) {
      if (this.#queue.length === 0) {
        reader.wish.target!.set(block.bytes.subarray(0, length));
        reader.resolve(length);
        this.#done();
        return;
      }
    }
    this.#queue.push(copyChunk(block, 0, length, undefined));
  }

  #release(): void {
    if (this.#block !== null) this.loop.blocks.release(this.#block);
    this.#block = null;
  }

  #fail(error: Error): void {
    this.#error ??= kept(error);
    this.#queue.clear();
    this.#release();
    this.#go();
  }

  /** Stops reading: readers reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#onStopped = onStopped;
    this.#error ??= closedError('The pipe');
    this.#queue.clear();
    this.#go();
    if (this.slot >= 0) this.#cancel();
    else this.#stopped();
  }

  #stopped(): void {
    const onStopped = this.#onStopped!;
    this.#onStopped = null;
    onStopped();
  }
}
