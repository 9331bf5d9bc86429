import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';
import { Waiter, type WaitOptions } from '../loop/waiter.js';
import * as abi from '../ring/abi.js';
import { ECANCELED, EINTR, ENOBUFS } from '../ring/errno.js';
import { closedError, systemError, UasyncError } from '../ring/errors.js';
import { ReceiveBuffers } from './receive-buffers.js';

/** With so many bytes or chunks unread receiving stops: the peer's window closes, and it waits. */
const HIGH_WATER = 256 * 1024;
const HIGH_WATER_CHUNKS = 1024;
/** Below this it goes on. */
const LOW_WATER = HIGH_WATER / 2;
const LOW_WATER_CHUNKS = HIGH_WATER_CHUNKS / 2;

/** What a read resolves to: a chunk, a count, or a step of an iteration. */
type ReadValue = Buffer | null | number | IteratorResult<Buffer, undefined>;

/** An iteration over the connection, which ends by closing it. */
export interface ChunkIteration {
  /** Closes the connection, and resolves to the last step. */
  return(): Promise<IteratorResult<Buffer, undefined>>;
}

/** Ends an iteration, but not from within the receiver, which closing comes back to. */
function closeSoon(iteration: ChunkIteration): Promise<IteratorResult<Buffer, undefined>> {
  return Promise.resolve().then(() => iteration.return());
}

/** Someone who waits for bytes: for a chunk, or for `target` to be filled. */
class Reader extends Waiter<ReadValue> {
  target: Uint8Array | null = null;
  /** Set if it is a step of an iteration: the step is settled at once, without a promise in between. */
  iteration: ChunkIteration | null = null;
  /** The target's length when it was given. */
  room = 0;

  /** Settles with a chunk, or with null at the end. */
  give(chunk: Buffer | null): void {
    if (this.iteration === null) this.resolve(chunk);
    else if (chunk !== null) this.resolve({ value: chunk, done: false });
    else this.resolve(closeSoon(this.iteration) as never);
  }

  /** Settles with an error; an iteration closes the connection first. */
  fail(error: Error): void {
    const { iteration, reject } = this;
    if (iteration === null) reject(error);
    else closeSoon(iteration).then(() => reject(error), reject);
  }

  /** Whether the target was detached or shrunk meanwhile. */
  get lost(): boolean {
    return this.target !== null && this.target.length < this.room;
  }
}

/**
 * The receiving side of a connection: one multishot receive that stays armed once the first read has
 * asked for data, and the bytes that nobody has read yet.
 */
export class Receiver extends Operation {
  bytesRead = 0;
  readonly #buffers: ReceiveBuffers;
  #fd: number;
  #chunks: Buffer[] = [];
  #queued = 0;
  #readers: Reader[] = [];
  #spare: Reader | null = null;
  #ended = false;
  #error: Error | null = null;
  #stopping = false;
  #pausing = false;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, fd: number) {
    super(loop);
    this.#fd = fd;
    this.#buffers = ReceiveBuffers.of(loop);
  }

  override get syscall(): string {
    return 'read';
  }

  /** The next bytes as a Buffer, or null at the end; with `target`, their number, or 0 at the end. */
  read(
    target: Uint8Array | null,
    options: WaitOptions | undefined,
    iteration: ChunkIteration | null = null,
  ): Promise<ReadValue> {
    const reader = this.#spare ?? new Reader('read', waiter => this.#forget(waiter as Reader));
    this.#spare = null;
    reader.target = target;
    reader.iteration = iteration;
    reader.room = target === null ? 0 : target.length;
    const promise = reader.wait(options);
    if (this.#readers.length === 0 && this.#serve(reader)) {
      this.#arm();
      return promise;
    }
    this.#readers.push(reader);
    this.#arm();
    return promise;
  }

  #forget(reader: Reader): void {
    this.#readers.splice(this.#readers.indexOf(reader), 1);
  }

  #release(reader: Reader): void {
    reader.settled();
    reader.target = null;
    reader.iteration = null;
    this.#spare = reader;
  }

  /** Settles a reader from what is there already; false if it has to wait. */
  #serve(reader: Reader): boolean {
    if (reader.lost) {
      reader.reject(
        new UasyncError('ERR_INVALID_STATE', 'The buffer was detached while it waited for bytes'),
      );
    } else if (this.#chunks.length !== 0) {
      const chunk = this.#chunks[0]!;
      const target = reader.target;
      if (target === null || target.length >= chunk.length) {
        this.#chunks.shift();
        this.#queued -= chunk.length;
        target?.set(chunk);
        if (target === null) reader.give(chunk);
        else reader.resolve(chunk.length);
      } else {
        target.set(chunk.subarray(0, target.length));
        this.#chunks[0] = chunk.subarray(target.length);
        this.#queued -= target.length;
        reader.resolve(target.length);
      }
    } else if (this.#error !== null) {
      reader.fail(this.#error);
    } else if (this.#ended) {
      if (reader.target === null) reader.give(null);
      else reader.resolve(0);
    } else {
      return false;
    }
    this.#release(reader);
    return true;
  }

  #serveAll(): void {
    while (this.#readers.length !== 0 && this.#serve(this.#readers[0]!)) this.#readers.shift();
  }

  #arm(): void {
    if (this.slot >= 0 || this.#ended || this.#error !== null || this.#stopping) return;
    if (this.#queued > LOW_WATER || this.#chunks.length > LOW_WATER_CHUNKS) return;
    this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  complete(res: number, flags: number): void {
    if (res > 0) this.#received(res, flags);
    else if (res === 0) this.#ended = true;
    else if (res !== ENOBUFS && res !== EINTR && res !== ECANCELED) this.#error = systemError(res, 'read');
    // A multishot receive at its end still has its buffer to give back, if it had taken one.
    if (res <= 0 && flags & abi.CQE_F_BUFFER) this.#buffers.giveBack(flags);
    if (res <= 0) this.#serveAll();
    if (flags & abi.CQE_F_MORE) {
      if (this.#queued >= HIGH_WATER || this.#chunks.length >= HIGH_WATER_CHUNKS) this.#pause();
      return;
    }
    this.#pausing = false;
    if (this.loop.closing) this.#lost();
    if (this.#stopping) this.#stopped();
    else if (this.#readers.length !== 0 || res > 0) this.#arm();
  }

  /** Nobody reads: the kernel keeps what comes. Receiving goes on with the next read. */
  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.loop.cancel(this);
  }

  /** The loop was closed under the connection. */
  #lost(): void {
    this.#error ??= closedError('The loop');
    this.#serveAll();
  }

  #received(length: number, flags: number): void {
    this.bytesRead += length;
    const reader = this.#readers[0];
    const target = reader?.target;
    if (reader !== undefined && target && !reader.lost && target.length >= length) {
      this.#buffers.takeInto(target, length, flags);
      this.#readers.shift();
      reader.resolve(length);
      this.#release(reader);
    } else {
      this.#queue(length, flags);
      this.#serveAll();
    }
  }

  #queue(length: number, flags: number): void {
    const chunks = this.#chunks;
    const last = chunks[chunks.length - 1];
    const chunk = this.#buffers.take(length, flags, last);
    if (last !== undefined && chunk.length > length) chunks[chunks.length - 1] = chunk;
    else chunks.push(chunk);
    this.#queued += length;
  }

  /** Ends receiving: readers reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#stopping = true;
    this.#error ??= closedError('The connection');
    this.#chunks.length = 0;
    this.#queued = 0;
    this.#serveAll();
    this.#onStopped = onStopped;
    if (this.slot >= 0) this.loop.cancel(this);
    else this.#stopped();
  }

  #stopped(): void {
    const onStopped = this.#onStopped;
    this.#onStopped = null;
    this.#fd = -1;
    onStopped?.();
  }
}
