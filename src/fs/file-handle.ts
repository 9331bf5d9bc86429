import { fstatSync, type Stats } from 'node:fs';
import { closeFile } from '../loop/close.js';
import type { Loop } from '../loop/loop.js';
import { checkInt } from '../ring/check.js';
import { EBADF } from '../ring/errno.js';
import { argTypeError, closedError, systemError } from '../ring/errors.js';
import { toBytes, toPosition } from './arguments.js';
import { statFd } from './operations.js';
import { type ReadResult, readBytes, type TransferOwner, type WriteResult, writeBytes } from './transfer.js';

const DEFAULT_READ = 16384;

/** Where to read to, and from. */
export interface ReadOptions<T extends ArrayBufferView = ArrayBufferView> {
  /** Default: a new Buffer of 16 KiB. */
  buffer?: T;
  /** Where in the buffer; default 0. */
  offset?: number;
  /** How many bytes; default what fits. */
  length?: number;
  /** Where in the file; default (null) the current position, which moves. */
  position?: number | bigint | null;
}

/** Where to write from, and to. */
export interface WriteOptions {
  offset?: number;
  length?: number;
  position?: number | null;
}

type Position = number | bigint | null | undefined;

/** An open file. Use `open`. */
export class FileHandle implements TransferOwner {
  readonly #loop: Loop;
  #fd: number;
  #pending = 0;
  #closing: Promise<void> | null = null;
  #onIdle: (() => void) | null = null;
  /** The last calls at the current position. */
  readonly #tails: { reads: Promise<void> | null; writes: Promise<void> | null } = {
    reads: null,
    writes: null,
  };
  #positioned: boolean | undefined;

  /** @internal */
  constructor(loop: Loop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
    loop.own(fd);
  }

  /** The descriptor, -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Reads into `buffer`: see `fs.promises` `filehandle.read`. */
  read<T extends ArrayBufferView>(
    buffer: T,
    offset?: number | null | ReadOptions,
    length?: number | null,
    position?: Position,
  ): Promise<ReadResult<T>>;
  read<T extends ArrayBufferView = Buffer>(options?: ReadOptions<T>): Promise<ReadResult<T>>;
  read(
    target?: ArrayBufferView | ReadOptions,
    offset?: number | null | ReadOptions,
    length?: number | null,
    position?: Position,
  ): Promise<ReadResult<ArrayBufferView>> {
    // Not an async function: its second promise would cost as much as the read.
    try {
      let buffer: ArrayBufferView;
      if (ArrayBuffer.isView(target)) {
        buffer = target;
        if (typeof offset === 'object' && offset !== null) ({ offset, length, position } = offset);
      } else {
        if (target !== undefined && (typeof target !== 'object' || target === null)) {
          throw argTypeError('buffer', 'an instance of Buffer, TypedArray, or DataView', target);
        }
        ({ offset, length, position } = target ?? {});
        buffer = target?.buffer ?? Buffer.alloc(DEFAULT_READ);
      }
      const bytes = toBytes(buffer);
      const from = checkInt('offset', offset ?? 0, 0, bytes.length);
      const size = bytes.length;
      const count = checkInt('length', length ?? size - from, 0, size - from);
      const at = toPosition(position);
      if (count === 0) return Promise.resolve({ bytesRead: 0, buffer });
      const start = (): Promise<ReadResult<ArrayBufferView>> =>
        readBytes(this.#loop, this, this.#fd, buffer, bytes, size, from, count, at);
      this.#begin('read');
      return at >= 0 ? start() : this.#inOrder('reads', start);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Writes a buffer or a string: see `fs.promises` `filehandle.write`. All is written, or it rejects. */
  write<T extends ArrayBufferView>(
    buffer: T,
    offset?: number | null | WriteOptions,
    length?: number | null,
    position?: number | null,
  ): Promise<WriteResult<T>>;
  write(
    text: string,
    position?: number | null,
    encoding?: BufferEncoding | null,
  ): Promise<WriteResult<string>>;
  write(
    data: ArrayBufferView | string,
    offset?: number | null | WriteOptions,
    length?: number | null | BufferEncoding,
    position?: number | null,
  ): Promise<WriteResult<ArrayBufferView | string>> {
    try {
      let bytes: Uint8Array;
      let from = 0;
      let count: number;
      if (typeof data === 'string') {
        bytes = Buffer.from(data, (length as BufferEncoding | null) ?? 'utf8');
        count = bytes.length;
        position = offset as number | null | undefined;
      } else {
        bytes = toBytes(data);
        if (typeof offset === 'object' && offset !== null) ({ offset, length, position } = offset);
        from = checkInt('offset', (offset as number | null | undefined) ?? 0, 0, bytes.length);
        const room = bytes.length - from;
        count = checkInt('length', (length as number | null | undefined) ?? room, 0, room);
      }
      const at = toPosition(position);
      if (count === 0) return Promise.resolve({ bytesWritten: 0, buffer: data });
      const size = bytes.length;
      const start = (): Promise<WriteResult<ArrayBufferView | string>> =>
        writeBytes(this.#loop, this, this.#fd, data, bytes, size, from, count, at);
      this.#begin('write');
      return at >= 0 ? start() : this.#inOrder('writes', start);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The file's attributes. */
  async stat(): Promise<Stats> {
    this.#begin('fstat');
    try {
      return await statFd(this.#loop, this.#fd);
    } finally {
      this.transferEnded();
    }
  }

  /**
   * Closes the file once the calls that are pending have settled. A second call waits for the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    if (this.#fd < 0) return;
    if (this.#pending !== 0) {
      await new Promise<void>(resolve => {
        this.#onIdle = resolve;
      });
    }
    const fd = this.#fd;
    this.#fd = -1;
    await closeFile(this.#loop, fd);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** An operation on the descriptor begins: it stays open until `transferEnded()`. */
  #begin(syscall: string): void {
    if (this.#closing !== null || this.#fd < 0) throw systemError(EBADF, syscall);
    if (this.#loop.closed) throw closedError('The loop');
    this.#pending++;
  }

  /** @internal */
  transferEnded(): void {
    if (--this.#pending === 0) this.#onIdle?.();
  }

  /**
   * Reads and writes at the current position go one after the other, so that each moves it in turn. What
   * has no position (a pipe, a terminal) keeps reads and writes apart: one may wait for the other.
   */
  #inOrder<T>(queue: 'reads' | 'writes', start: () => Promise<T>): Promise<T> {
    const { reads, writes } = this.#tails;
    const own = queue === 'reads' ? reads : writes;
    const other = queue === 'reads' ? writes : reads;
    const before = other !== null && this.hasPosition ? Promise.all([own, other]) : own;
    const mine = before === null ? start() : before.then(start);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#tails[queue] = settled;
    settled.then(() => {
      if (this.#tails[queue] === settled) this.#tails[queue] = null;
    });
    return mine;
  }

  /** @internal */
  get hasPosition(): boolean {
    if (this.#positioned === undefined) {
      const stats = fstatSync(this.#fd);
      this.#positioned = stats.isFile() || stats.isBlockDevice();
    }
    return this.#positioned;
  }
}
