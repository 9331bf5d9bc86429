/** An open file: orders its reads and writes, and makes them by plain calls or operations. */
import { EventEmitter } from 'node:events';
import { constants } from 'node:fs';
import { closeFile, closeReadFile } from '../../loop/closing/close.js';
import { disown, own } from '../../loop/closing/owned-descriptors.js';
import type { Loop } from '../../loop/loop.js';
import type { Block } from '../../loop/memory/blocks.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { ESPIPE } from '../../sys/abi/errno.js';
import { closedError, systemError, UasyncError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { LARGE_PIECE } from '../content.js';
import { CachedReads } from '../inline/cached-reads.js';
import { INLINE_PIECE, InlineWrites } from '../inline/inline-writes.js';
import { onFd } from '../operations.js';
import { readBlock } from './block-transfer.js';
import { forget, rememberOpen } from './forgotten.js';
import { readAtOnce, writeAtOnce } from './nonblocking.js';
import { Overlaps } from './overlaps.js';
import { PositionOrder } from './position-order.js';
import { isPrivate, readPrivate } from './private-read.js';
import { sectorsOf } from './sectors.js';
import { closesSlowly } from './slow-close.js';
import { type ReadResult, readBytes, type WriteResult, writeBytes } from './transfer.js';
import type { Transfer } from './transfer-arguments.js';
import { WriteBatch } from './write-batch.js';

type Written = WriteResult<ArrayBufferView | string>;

/** A descriptor, the pending calls on it, and its close: the base of FileHandle. */
export abstract class OpenFile extends EventEmitter {
  readonly #loop: Loop;
  #fd: number;
  #pending = 0;
  /** The streams over it that have not ended. */
  #streams = 0;
  #closing: Promise<void> | null = null;
  #onIdle: (() => void) | null = null;
  readonly #order = new PositionOrder(this);
  readonly #overlaps = new Overlaps();
  #batch: WriteBatch | null = null;
  #positioned: boolean | undefined;
  #cached: CachedReads | null = null;
  /** null if no write is made at once. */
  #writes: InlineWrites | null | undefined;
  /** The number of writes and other changes that the backend has: no other may overtake them. */
  #changes = 0;
  readonly #flags: number;
  /** @internal */
  readonly unbuffered: boolean;
  readonly #nonblocking: boolean;
  readonly #closesAtOnce: boolean;
  /** The object that closes the descriptor if it is collected; null if that is this one. */
  #owner: object | null = null;

  /** @internal @param closesAtOnce whether closing it does not wait: a local file that is only read. */
  constructor(loop: Loop, fd: number, flags: number, closesAtOnce = false) {
    super();
    this.#loop = loop;
    this.#fd = fd;
    this.#flags = flags;
    this.unbuffered = (flags & constants.O_DIRECT) !== 0;
    this.#nonblocking = (flags & constants.O_NONBLOCK) !== 0;
    this.#closesAtOnce = closesAtOnce;
    own(fd);
    rememberOpen(this, fd);
  }

  /** The descriptor, -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** @internal */
  protected get loop(): Loop {
    return this.#loop;
  }

  /**
   * Closes the file once its pending calls have settled; 'close' is emitted at once. A second call waits for the first.
   */
  close(): Promise<void> {
    if (this.#closing === null) {
      this.#closing = this.#finish();
      this.emit('close');
    }
    return this.#closing;
  }

  async #finish(): Promise<void> {
    forget(this);
    if (this.#pending !== 0) {
      await new Promise<void>(resolve => {
        this.#onIdle = resolve;
      });
    }
    const fd = this.#fd;
    const isSlow = closesSlowly(this.#loop, fd, this.#flags);
    const writes = isSlow || this.#closesAtOnce ? null : this.#inlineWrites();
    this.#fd = -1;
    if (isSlow) await closeFile(this.#loop, fd, true);
    else if (this.#closesAtOnce) await closeReadFile(fd);
    else if (!writes?.close(fd)) await closeFile(this.#loop, fd);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Whether it was opened for appending: then positions of writes have no effect. */
  get appends(): boolean {
    return (this.#flags & constants.O_APPEND) !== 0;
  }

  /** @internal Whether calls are pending. */
  get busy(): boolean {
    return this.#pending !== 0;
  }

  /**
   * @internal Passes the descriptor to an owner that closes it when it is collected. Pending calls keep the owner
   * alive.
   */
  giveTo(owner: object): void {
    this.#owner = owner;
    forget(this);
    disown(this.#fd);
  }

  /** @internal Closes a file that was passed on and that its owner has released. */
  closeReleased(): Promise<void> {
    if (this.#owner !== null) own(this.#fd);
    this.#owner = null;
    return this.close();
  }

  /** @internal A stream begins, unless this is closed: `close` waits until `streamEnded`, and it makes calls until then. */
  streamBegan(): boolean {
    if (this.#closing !== null) return false;
    this.#streams++;
    this.#pending++;
    return true;
  }

  /** @internal */
  streamEnded(): void {
    this.#streams--;
    this.transferEnded();
  }

  /** @internal Throws the error of a call on a closed file. */
  protected assertOpen(syscall: string): void {
    if (this.#closing !== null && this.#streams === 0) {
      const error = new UasyncError('EBADF', 'file closed');
      error.syscall = syscall;
      throw error;
    }
    if (this.#loop.closed) throw closedError('The loop');
  }

  /** @internal Throws the error of a call with a position on a pipe or the like. pread(2) */
  protected assertPosition(syscall: string): void {
    if (!this.hasPosition) throw systemError(ESPIPE, syscall);
  }

  /** @internal Keeps the descriptor open until `call` has settled. */
  protected async using<T>(syscall: string, call: () => Promise<T>): Promise<T> {
    this.assertOpen(syscall);
    this.#pending++;
    try {
      return await call();
    } finally {
      this.transferEnded();
    }
  }

  /** @internal One operation on the descriptor, with checked arguments, for a call that keeps it open. */
  protected async operate(syscall: string, prepare: (sqe: Sqe, fd: number) => void): Promise<void> {
    await this.changing(() => onFd(this.#loop, syscall, sqe => prepare(sqe, this.#fd)));
  }

  /** @internal Lets no plain call overtake `call`. */
  protected async changing<T>(call: () => Promise<T>): Promise<T> {
    this.#changes++;
    try {
      return await call();
    } finally {
      this.#changes--;
    }
  }

  /** @internal A change of the whole file: no earlier write comes after it, and no later one before. */
  protected changeWhole(change: () => Promise<void>): Promise<void> {
    const before = this.#overlaps.before(0, Number.POSITIVE_INFINITY);
    const done = this.inOrder('writes', async () => {
      if (before !== null) await before;
      return this.changing(change);
    });
    return this.#overlaps.add(0, Number.POSITIVE_INFINITY, done);
  }

  /** @internal */
  transferEnded(): void {
    if (--this.#pending === 0) this.#onIdle?.();
  }

  /** @internal */
  writeEnded(): void {
    this.#changes--;
    this.transferEnded();
  }

  /** @internal Whether it has positions: files have, pipes and terminals do not. */
  get hasPosition(): boolean {
    this.#positioned ??= libc().position(this.#fd) !== ESPIPE;
    return this.#positioned;
  }

  // --- Transfers ----------------------------------------------------------------------------------

  /** As `CachedReads.read`. */
  #readCached(bytes: Uint8Array, offset: number, length: number, position: number): number {
    if (this.unbuffered || !this.hasPosition) return -1;
    this.#cached ??= new CachedReads(this.#loop);
    return this.#cached.read(this.#fd, bytes, offset, length, position);
  }

  /** @internal A read with checked arguments: cached bytes at once, the rest by the ring. */
  protected readSoon(transfer: Transfer): Promise<ReadResult<ArrayBufferView>> {
    const { buffer, bytes, offset, length, position } = transfer;
    const size = bytes.length;
    const isNext = position >= 0 || this.#order.idle;
    const count = isNext ? this.#readCached(bytes, offset, length, position) : -1;
    if (count >= 0) return Promise.resolve({ bytesRead: count, buffer: buffer as ArrayBufferView });
    if (position >= 0) return this.readNow(transfer, size, ~count);
    return this.inOrder('reads', () => this.readNow(transfer, size, ~count));
  }

  /**
   * @internal
   * @param size the size of the buffer when the call was made, in bytes.
   * @param done the number of bytes that have been read already.
   */
  protected readNow(transfer: Transfer, size: number, done = 0): Promise<ReadResult<ArrayBufferView>> {
    this.#pending++;
    if (this.#nonblocking && !this.hasPosition) {
      return readAtOnce(this.#fd, transfer, size).finally(() => this.transferEnded());
    }
    return readBytes(this.#loop, this, this.#fd, transfer as Transfer<ArrayBufferView>, size, done);
  }

  /** Makes writes at once; null if none is possible, now or at all. */
  #inlineWrites(): InlineWrites | null {
    // The backend may not have done earlier changes yet.
    if (this.#changes !== 0 || !this.#loop.inline.writes) return null;
    if (this.#writes === undefined) this.#writes = InlineWrites.of(this.#loop, this.#fd, this.#flags);
    return this.#writes;
  }

  /** Writes at once; returns the number of bytes. */
  #writeInline({ bytes, offset, length, position }: Transfer, size: number): number {
    if (length === 0 || bytes.length < size) return 0;
    return this.#inlineWrites()?.write(this.#fd, bytes, offset, length, position) ?? 0;
  }

  /** @internal Truncates or extends the file at once; returns whether it did. */
  protected truncateInline(size: number): boolean {
    return (
      this.#order.idle && this.#overlaps.none && (this.#inlineWrites()?.truncate(this.#fd, size) ?? false)
    );
  }

  /**
   * @internal
   * @param size the size of the buffer when the call was made, in bytes.
   * @param done the number of bytes that have been written already.
   */
  protected writeNow(transfer: Transfer, size: number, done = 0): Promise<Written> {
    const { buffer, length } = transfer;
    const count = done === 0 ? this.#writeInline(transfer, size) : done;
    if (count !== 0 && count === length) return Promise.resolve({ bytesWritten: length, buffer });
    this.#pending++;
    if (this.#nonblocking && !this.hasPosition) {
      return writeAtOnce(this.#fd, transfer, size).finally(() => this.transferEnded());
    }
    this.#changes++;
    return writeBytes(this.#loop, this, this.#fd, transfer, size, count);
  }

  /** @internal A write at a position: starts when the earlier changes that it overlaps with have ended. */
  protected writeAt(transfer: Transfer, size: number): Promise<Written> {
    const overlaps = this.#overlaps;
    // All that is appended goes to the same place.
    const from = this.appends ? 0 : transfer.position;
    const to = this.appends ? Number.POSITIVE_INFINITY : from + transfer.length;
    const before = overlaps.before(from, to);
    if (before === null) {
      const changes = this.#changes;
      const writing = this.writeNow(transfer, size);
      const doneAtOnce = this.#changes === changes;
      return doneAtOnce ? writing : overlaps.add(from, to, writing);
    }
    this.#pending++;
    const writing = before.then(() => this.writeNow(transfer, size));
    return overlaps.add(from, to, writing).finally(() => this.transferEnded());
  }

  /** @internal Writes a part of a whole at the current position; resolves to its size. */
  protected async writePart(bytes: Uint8Array, offset: number, length: number): Promise<number> {
    const transfer = { buffer: bytes, bytes, offset, length, position: -1 };
    const done = this.#writeInline(transfer, bytes.length);
    if (done === length) return done;
    // This turn's budget is used up; the next turn has its own.
    if (done !== 0) transfer.length = Math.min(length, done + INLINE_PIECE);
    return (await this.writeNow(transfer, bytes.length, done)).bytesWritten;
  }

  /**
   * @internal Fills memory that no other code can reach, up to the end of the file; resolves to the number of bytes.
   */
  readChunk(bytes: Buffer, position: number): Promise<number> {
    return this.using('read', async () => {
      const { length } = bytes;
      for (let at = 0; at < length; ) {
        const wanted = Math.min(length - at, LARGE_PIECE);
        const count = await this.readOwn(bytes, at, wanted, position + at);
        at += count;
        if (count < wanted) return at;
      }
      return length;
    });
  }

  /**
   * @internal Reads from a file that is kept open into memory that no other code can reach; resolves to the number of
   * bytes.
   */
  protected async readOwn(bytes: Buffer, offset: number, length: number, position: number): Promise<number> {
    const count = this.#readCached(bytes, offset, length, position);
    if (count >= 0) return count;
    const done = ~count;
    if (!isPrivate(length - done) || this.unbuffered || !this.hasPosition) {
      const transfer = { buffer: bytes, bytes, offset, length, position };
      return (await this.readNow(transfer, bytes.length, done)).bytesRead;
    }
    const from = position < 0 ? position : position + done;
    return done + (await readPrivate(this.#loop, this.#fd, bytes, offset + done, length - done, from));
  }

  /** @internal A block that users may see; null when too many are leased. */
  leaseBlock(): Block | null {
    return this.#loop.leasedBlocks.acquire();
  }

  /** @internal Reads up to `length` bytes into a block. */
  readBlock(block: Block, length: number, position: number): Promise<number> {
    return this.using('read', async () => {
      const whole = this.unbuffered ? Math.min(sectorsOf(length), block.bytes.length) : length;
      return Math.min(length, await readBlock(this.#loop, this.#fd, block, whole, position));
    });
  }

  /** @internal Starts a call after all earlier calls at the current position. */
  protected inOrder<T>(kind: 'reads' | 'writes', start: () => Promise<T>): Promise<T> {
    // A call that waits for its turn is pending as well, and no write may overtake it.
    this.#pending++;
    this.#batch = null;
    return this.#order.run(kind, start);
  }

  /** @internal A write at the current position. */
  protected writeInOrder(transfer: Transfer, size: number): Promise<Written> {
    const { buffer, length } = transfer;
    const done = this.#order.idle ? this.#writeInline(transfer, size) : 0;
    if (done !== 0 && done === length) return Promise.resolve({ bytesWritten: length, buffer });
    if (!this.#order.writing || !this.hasPosition) {
      return this.inOrder('writes', () => this.writeNow(transfer, size, done));
    }
    let batch = this.#batch;
    if (batch === null || !batch.hasRoom(transfer.length)) {
      const added = new WriteBatch((one, oneSize) => this.writeNow(one, oneSize));
      void this.inOrder('writes', () => {
        if (this.#batch === added) this.#batch = null;
        return added.run();
      });
      this.#batch = added;
      batch = added;
    }
    return batch.add(transfer);
  }
}
