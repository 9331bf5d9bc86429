/** Reading and writing a descriptor: the operations behind FileHandle, readFile and writeFile. */

import type { Loop } from '../../loop/loop.js';
import { BLOCK_MAX, type Block, type BlockWaiter, WHOLE_MAX } from '../../loop/memory/blocks.js';
import { IN_PLACE_MIN, pinnedAddress } from '../../loop/memory/pinned.js';
import { failureOf } from '../../loop/operation/failure.js';
import { PromiseOperation } from '../../loop/operation/operation.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { EINTR, isCancelled } from '../../sys/abi/errno.js';
import { closedError, UasyncError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { SECTOR_MAX, sectorsOf } from './sectors.js';
import type { Transfer } from './transfer-arguments.js';

const NO_BYTES = new Uint8Array(0);
/** The smallest O_DIRECT transfer for which a registered buffer pays off, in bytes. */
const FIXED_MIN = 32768;

/** The owner of a descriptor: it stays open until every transfer has ended. */
export interface TransferOwner {
  /** Whether it has a position: files have, pipes do not. */
  readonly hasPosition: boolean;
  /** Whether it was opened with O_DIRECT. */
  readonly unbuffered: boolean;
  /** Whether it was opened for appending. */
  readonly appends: boolean;
  transferEnded(): void;
  /** Called instead of `transferEnded`, for writes. */
  writeEnded(): void;
}

/** The result of `read`. */
export interface ReadResult<T> {
  /** The number of bytes; 0 at the end of the file. */
  bytesRead: number;
  /** The buffer of the call, or the one that it has allocated. */
  buffer: T;
}

/** The result of `write`. */
export interface WriteResult<T> {
  /** The number of bytes. */
  bytesWritten: number;
  /** The buffer or string of the call. */
  buffer: T;
}

/** The result of `readv`. */
export interface ReadVResult {
  /** The number of bytes; 0 at the end of the file. */
  bytesRead: number;
  /** The buffers of the call. */
  buffers: readonly ArrayBufferView[];
}

/** The result of `writev`. */
export interface WriteVResult {
  /** The number of bytes. */
  bytesWritten: number;
  /** The buffers of the call. */
  buffers: readonly ArrayBufferView[];
}

/** Transfers bytes between a descriptor and a buffer, in pieces: through a block, or in place if it is pinned. */
abstract class TransferOperation<T> extends PromiseOperation<T> implements BlockWaiter {
  /** The descriptor, or the complement of a registered file's index. */
  protected fd = -1;
  protected bytes: Uint8Array = NO_BYTES;
  /** The user's object, for the result. */
  #buffer: unknown = null;
  #owner: TransferOwner | null = null;
  protected block: Block | null = null;
  /** The address of `bytes` if they are pinned, else 0. */
  #address = 0;
  /** The position in `bytes` of the next piece, and the end. */
  protected at = 0;
  protected end = 0;
  #start = 0;
  /** The position in the file; -1 for the current one. */
  #position = -1;
  /**
   * Whether this call must move the current position: the kernel does not for O_DIRECT transfers that complete later.
   */
  #movesOnEnd = false;
  #length = 0;

  override get kind(): string {
    return 'File';
  }

  override get label(): string {
    return `${this.syscall} fd ${this.fd}`;
  }

  /** Transfers of cached files complete while they are submitted. */
  override get eager(): boolean {
    return true;
  }

  /** Transfers at most `length` bytes, from or to `bytes[offset]`, of which `done` have been transferred already. */
  run(
    owner: TransferOwner,
    fd: number,
    { buffer, bytes, offset, length, position }: Transfer<unknown>,
    size: number,
    done: number,
  ): Promise<T> {
    this.#owner = owner;
    this.#buffer = buffer;
    this.fd = fd;
    this.bytes = bytes;
    this.#length = size;
    this.at = offset + done;
    this.#start = offset;
    this.end = offset + length;
    this.#address = length >= IN_PLACE_MIN ? pinnedAddress(bytes) : 0;
    this.#movesOnEnd = position < 0 && owner.unbuffered && owner.hasPosition;
    this.#position = this.#movesOnEnd
      ? Math.max(libc().position(fd), -1)
      : position < 0
        ? position
        : position + done;
    const promise = this.promise();
    this.start();
    return promise;
  }

  /** Starts the next piece, or ends with the error that prevented it. */
  protected start(): void {
    try {
      if (this.detached) this.finish(0);
      else this.next();
    } catch (error) {
      this.finish(0, error);
    }
  }

  /** Starts the next piece: in place, or from or to a block if there is one. */
  protected next(): void {
    if (this.#address !== 0 && !this.unbuffered) {
      this.startPiece(null, Math.min(this.end - this.at, this.isAppend ? WHOLE_MAX : BLOCK_MAX));
      return;
    }
    this.block ??= this.#acquire(this.end - this.at);
    if (this.block === null) this.loop.blocks.wait(this);
    else this.startPiece(this.block, Math.min(this.end - this.at, this.block.bytes.length));
  }

  #acquire(left: number): Block | null {
    const { loop } = this;
    const size = Math.min(left, this.isAppend ? WHOLE_MAX : BLOCK_MAX);
    if (!this.unbuffered) return loop.blocks.acquire(size, this.isAppend ? size : 0);
    const fixed = size >= FIXED_MIN ? loop.fixedBlocks.acquire() : null;
    return fixed ?? loop.blocks.acquire(sectorsOf(size), SECTOR_MAX);
  }

  /** Starts a piece of `length` bytes, in place if there is no block. */
  protected abstract startPiece(block: Block | null, length: number): void;

  blockReleased(): void {
    this.start();
  }

  /** The address of the next piece, in place if there is no block. */
  protected address(block: Block | null): number {
    return block === null ? this.#address + this.at : block.address;
  }

  /** The position of the next piece in the file; -1 for the current one. */
  protected get position(): number {
    return this.#position;
  }

  /** Whether more data may follow a full piece without waiting. */
  protected get goesOn(): boolean {
    return this.#position >= 0 || this.#owner!.hasPosition;
  }

  /** Whether the page cache is bypassed: then positions and lengths are multiples of the sector size. */
  protected get unbuffered(): boolean {
    return this.#owner!.unbuffered;
  }

  /** Whether it writes at the end of a file: in as few pieces as possible, between which others may append. write(2) */
  protected get isAppend(): boolean {
    return false;
  }

  /** Whether the owner appends, through the page cache. */
  protected get ownerAppends(): boolean {
    const owner = this.#owner!;
    return owner.appends && owner.hasPosition && !owner.unbuffered;
  }

  /** Whether the file's current position moves. */
  protected get movesPosition(): boolean {
    return this.#position < 0 && this.fd >= 0 && this.#owner!.hasPosition;
  }

  /** Whether the buffer was detached or shrunk meanwhile. */
  protected get detached(): boolean {
    return this.bytes.length < this.#length;
  }

  /** Whether some bytes were transferred already. */
  protected get moved(): boolean {
    return this.at > this.#start;
  }

  /** Whether nothing was done, which devices report when the thread has other work of the ring to do. */
  protected interrupted(res: number): boolean {
    return res === EINTR && !this.loop.closing;
  }

  /** A piece of `count` bytes has been transferred. */
  protected advance(count: number): void {
    this.at += count;
    if (this.#position >= 0) this.#position += count;
  }

  /** The result that the promise resolves to. */
  protected abstract result(count: number, buffer: unknown): T;

  /** Settles with an error, or with the number of bytes transferred. */
  protected finish(res: number, failure?: unknown): void {
    this.block?.pool.release(this.block);
    this.block = null;
    const owner = this.#owner!;
    const buffer = this.#buffer;
    if (this.#movesOnEnd && this.moved) libc().setPosition(this.fd, this.#position);
    const detached = this.detached;
    this.#owner = null;
    this.#buffer = null;
    // If the loop is closing, the kernel may still use them.
    if (this.#address === 0 || !this.loop.closing) this.bytes = NO_BYTES;
    if (failure !== undefined) this.fail(failure);
    else if (isCancelled(res) && this.loop.closing) this.fail(closedError('The loop'));
    else if (res < 0) this.fail(failureOf(res, this.syscall));
    else if (detached)
      this.fail(new UasyncError('ERR_INVALID_STATE', `The buffer was detached during ${this.syscall}`));
    else this.resolve(this.result(this.at - this.#start, buffer));
    this.ended(owner);
  }

  protected ended(owner: TransferOwner): void {
    owner.transferEnded();
  }
}

class ReadOperation extends TransferOperation<ReadResult<unknown>> {
  #asked = 0;

  protected override result(bytesRead: number, buffer: unknown): ReadResult<unknown> {
    return { bytesRead, buffer };
  }

  override get syscall(): string {
    return 'read';
  }

  protected override startPiece(block: Block | null, length: number): void {
    this.#asked = length;
    const whole =
      block !== null && this.unbuffered ? Math.min(sectorsOf(length), block.bytes.length) : length;
    this.loop.start(this).readAt(this.fd, this.address(block), whole, this.position, block?.index);
  }

  complete(read: number): void {
    if (this.interrupted(read)) {
      this.start();
      return;
    }
    // The rest of the last sector is not wanted.
    const res = Math.min(read, this.#asked);
    if (res > 0 && !this.detached) {
      if (this.block !== null) {
        const source = this.block.bytes;
        this.bytes.set(res === source.length ? source : source.subarray(0, res), this.at);
      }
      this.advance(res);
      // More may follow a full piece; a short one is the end, or everything available for now.
      if (res === this.#asked && this.at < this.end && this.goesOn) {
        this.start();
        return;
      }
    }
    // Bytes read before an error count: the next call meets the error again.
    this.finish(this.moved ? 0 : res);
    reads.give(this);
  }
}

class WriteOperation extends TransferOperation<WriteResult<unknown>> {
  protected override result(bytesWritten: number, buffer: unknown): WriteResult<unknown> {
    return { bytesWritten, buffer };
  }

  override get syscall(): string {
    return 'write';
  }

  protected override ended(owner: TransferOwner): void {
    owner.writeEnded();
  }

  protected override get isAppend(): boolean {
    return this.ownerAppends;
  }

  #asked = 0;
  /** The file's previous position; -1 if that does not matter. */
  #from = -1;

  protected override startPiece(block: Block | null, length: number): void {
    this.#asked = length;
    this.#from = this.movesPosition ? libc().position(this.fd) : -1;
    if (block !== null) {
      const whole = length === this.bytes.length;
      block.bytes.set(whole ? this.bytes : this.bytes.subarray(this.at, this.at + length));
    }
    const sqe = this.loop
      .start(this)
      .writeAt(this.fd, this.address(block), length, this.position, block?.index);
    // A non-blocking attempt may write a part of it.
    if (this.isAppend) sqe.async();
  }

  complete(res: number): void {
    if (this.interrupted(res)) {
      this.start();
      return;
    }
    // If an error has cut a write short, Linux 6.18 does not move the position.
    if (res > 0 && res < this.#asked && this.#from >= 0) {
      if (this.isAppend) libc().moveToEnd(this.fd);
      else libc().setPosition(this.fd, this.#from + res);
    }
    if (res > 0 && !this.detached) {
      this.advance(res);
      if (this.at < this.end) {
        this.start();
        return;
      }
    }
    // As for reads: a full disk takes a part, and reports the error when the rest is written.
    this.finish(this.moved ? 0 : res);
    writes.give(this);
  }
}

const reads = new OperationPool(ReadOperation);
const writes = new OperationPool(WriteOperation);

/**
 * Reads up to `length` bytes into `bytes[offset]`, at `position` or (-1) the current one. Fewer are read at the end of
 * the file, or if no more are available for now.
 * @param size the size of the buffer when the call was made, in bytes.
 * @param done how many of `length` have been read already.
 */
export function readBytes<T>(
  loop: Loop,
  owner: TransferOwner,
  fd: number,
  transfer: Transfer<T>,
  size: number,
  done = 0,
): Promise<ReadResult<T>> {
  const operation = reads.take(loop);
  return operation.run(owner, fd, transfer, size, done) as Promise<ReadResult<T>>;
}

/**
 * Writes `length` bytes from `bytes[offset]`; fewer only after an error.
 * @param size the size of the buffer when the call was made, in bytes.
 * @param done how many of `length` have been written already.
 */
export function writeBytes<T>(
  loop: Loop,
  owner: TransferOwner,
  fd: number,
  transfer: Transfer<T>,
  size: number,
  done = 0,
): Promise<WriteResult<T>> {
  const operation = writes.take(loop);
  return operation.run(owner, fd, transfer, size, done) as Promise<WriteResult<T>>;
}
