import type { Block, BlockWaiter } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';
import { Waiter, type WaitOptions } from '../loop/waiter.js';
import * as abi from '../ring/abi.js';
import { EAGAIN, ECANCELED, EINTR } from '../ring/errno.js';
import { closedError, systemError, UasyncError } from '../ring/errors.js';
import { POLLIN } from '../ring/sqe/control.js';
import { copyChunk } from './slab.js';

/** As much as a pipe holds by default, pipe(7). */
const READ_MAX = 65536;
/** Most reads are of less, and one that waits holds its block. */
const READ_FIRST = 4096;

type ReadValue = Buffer | null | number;

class Reader extends Waiter<ReadValue> {
  readonly target: Uint8Array | null;
  /** The target's length when it was given. */
  readonly #room: number;

  constructor(target: Uint8Array | null, forget: (reader: Reader) => void) {
    super('read', forget as (waiter: Waiter<ReadValue>) => void);
    this.target = target;
    this.#room = target === null ? 0 : target.length;
  }

  /** Whether the target was detached or shrunk meanwhile. */
  get lost(): boolean {
    return this.target !== null && this.target.length < this.#room;
  }
}

/**
 * Reads a descriptor that may be of any kind. Only what is asked for is read, one read at a time: what
 * nobody wants stays where it is, for others who share the descriptor. A descriptor with O_NONBLOCK answers
 * EAGAIN, and is polled then.
 */
export class PipeReader extends Operation implements BlockWaiter {
  bytesRead = 0;
  readonly #fd: number;
  readonly #readers: Reader[] = [];
  /** What was read for a reader that has given up, or did not fit. */
  #left: Buffer | null = null;
  #block: Block | null = null;
  #size = READ_FIRST;
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

  /** The next bytes, null at the end; with `target`, their number, 0 at the end. */
  read(target: Uint8Array | null, options: WaitOptions | undefined): Promise<ReadValue> {
    const reader = new Reader(target, gone => this.#forget(gone));
    const promise = reader.wait(options);
    this.#readers.push(reader);
    this.#go();
    return promise;
  }

  #forget(reader: Reader): void {
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    // Nobody waits: what comes now may be meant for another reader of the descriptor.
    if (this.#readers.length === 0) this.#cancel();
  }

  #cancel(): void {
    if (this.slot < 0 || this.#cancelled) return;
    this.#cancelled = true;
    this.loop.cancel(this);
  }

  /** Serves readers from what is there, then reads for the others. */
  #go(): void {
    while (this.#readers.length !== 0 && (this.#left !== null || this.#error !== null)) {
      const reader = this.#readers.shift()!;
      reader.settled();
      if (reader.lost)
        reader.reject(
          new UasyncError('ERR_INVALID_STATE', 'The buffer was detached while it waited for bytes'),
        );
      else if (this.#left !== null) reader.resolve(this.#serve(reader, this.#left));
      else reader.reject(this.#error);
    }
    if (this.#readers.length === 0 || this.slot >= 0 || this.#waiting) return;
    try {
      this.#start();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #serve({ target }: Reader, left: Buffer): ReadValue {
    if (target === null || target.length >= left.length) {
      this.#left = null;
      if (target === null) return left;
      target.set(left);
      return left.length;
    }
    target.set(left.subarray(0, target.length));
    this.#left = left.subarray(target.length);
    return target.length;
  }

  #start(): void {
    this.#block ??= this.loop.blocks.acquire(this.#size);
    if (this.#block === null) {
      this.#waiting = true;
      this.loop.blocks.wait(this);
      return;
    }
    const { address, bytes } = this.#block;
    this.loop.start(this).prep(abi.OP_READ, this.#fd, address, bytes.length, -1);
  }

  blockReleased(): void {
    this.#waiting = false;
    this.#go();
  }

  complete(res: number): void {
    this.#cancelled = false;
    if (this.#polling) {
      this.#polling = false;
      // Whatever the poll says, a read says it better.
      if (res < 0 && res !== ECANCELED && res !== EINTR) this.#error = systemError(res, 'read');
    } else if (res === EAGAIN && this.#readers.length !== 0 && !this.loop.closing) {
      this.#polling = true;
      this.loop.start(this).pollAdd(this.#fd, POLLIN);
      return;
    } else {
      this.#read(res);
    }
    if (this.loop.closing) this.#error ??= closedError('The loop');
    if (this.#readers.length === 0 || this.#error !== null) this.#release();
    if (this.#onStopped !== null) this.#stopped();
    this.#go();
  }

  #read(res: number): void {
    const block = this.#block!;
    if (res > 0) {
      this.bytesRead += res;
      if (res === block.bytes.length && this.#size < READ_MAX) this.#size *= 4;
      this.#left = copyChunk(block, 0, res, undefined);
    } else if (res === 0) {
      this.#ended();
    } else if (res !== ECANCELED && res !== EINTR && res !== EAGAIN) {
      const [reader] = this.#readers;
      this.#readers.shift();
      reader?.settled();
      reader?.reject(systemError(res, 'read'));
    }
    this.#release();
  }

  /** The end is of this read only: a terminal or a FIFO may have more later. */
  #ended(): void {
    const reader = this.#readers.shift();
    reader?.settled();
    reader?.resolve(reader.target === null ? null : 0);
  }

  #release(): void {
    if (this.#block !== null) this.loop.blocks.release(this.#block);
    this.#block = null;
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#left = null;
    this.#release();
    this.#go();
  }

  /** Ends reading: readers reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#onStopped = onStopped;
    this.#error ??= closedError('The pipe');
    this.#left = null;
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
