/** `FileHandle`: the API of `node:fs/promises`, on top of `OpenFile`. */

import {
  type BigIntStats,
  fchmod,
  fchown,
  fdatasync,
  fsync,
  ftruncate,
  futimes,
  readFile as nodeReadFile,
  type ReadStream,
  readlinkSync,
  type Stats,
  type WriteStream,
} from 'node:fs';
import type { Interface } from 'node:readline';
import type { ReadableStream } from 'node:stream/web';
import type { InspectOptionsStylized } from 'node:util';
import { inspect, promisify } from 'node:util';
import { allocatePooled } from '../../loop/memory/buffer-memory.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { EINVAL } from '../../sys/abi/errno.js';
import { checkBoolean, checkInt } from '../../sys/check/check.js';
import { checkAllowed, guarded } from '../../sys/check/permission.js';
import { argTypeError, argValueError, systemError } from '../../sys/errors/errors.js';
import { custom, shown } from '../../sys/inspect.js';
import { sizeOf, toData, toMode, toNodeMode, toOptions, toViews } from '../arguments.js';
import {
  type Content,
  giveTurnToAbort,
  isPieces,
  type ReadFileOptions,
  type ReadPiece,
  readByNode,
  readContent,
  type WriteFileOptions,
  writeBytesTo,
  writePiecesTo,
} from '../content.js';
import { checkStat, DEFAULTS, type StatOptions } from '../paths/stat-options.js';
import { directAlignment, statFd } from '../paths/statx.js';
import { getFrom, type SetXattrOptions, setOn } from '../paths/xattr.js';
import { CHECKS_HANDLE_MODE, FORBIDS_SYNC } from '../running-node.js';
import { type ChunkOptions, chunksOf } from './chunks.js';
import { type CopyOptions, checkCopy, copyBetween } from './copy.js';
import { GroupSync } from './group-sync.js';
import * as streams from './handle-streams.js';
import { OpenFile } from './open-file.js';
import { gather, scatter } from './scatter.js';
import { tracedCall } from './traced-call.js';
import type { ReadResult, ReadVResult, WriteResult, WriteVResult } from './transfer.js';
import {
  type ReadOptions,
  readTransfer,
  type Transfer,
  type WriteOptions,
  wholeOf,
  writeTransfer,
} from './transfer-arguments.js';

/** A descriptor and its path, if the system reports that. */
function placeOf(fd: number): string {
  if (fd < 0) return '';
  try {
    return `fd ${fd} ${inspect(readlinkSync(`/proc/self/fd/${fd}`))}`;
  } catch {
    return `fd ${fd}`;
  }
}

/** POSIX_FADV_ values by name. */
const ADVICE = { normal: 0, random: 1, sequential: 2, willneed: 3, dontneed: 4, noreuse: 5 } as const;

/** The advice that `fadvise` accepts. */
export type Advice = keyof typeof ADVICE;

/** Whether Node does the syncing, which it may refuse. */
const byNode = guarded && FORBIDS_SYNC;

/**
 * An open file, as `FileHandle` of `node:fs/promises`. Use `open`. Its methods reject with the errors of their system
 * calls, EBADF once it is closed, and a TypeError or RangeError for wrong arguments.
 */
export class FileHandle extends OpenFile {
  #syncs: GroupSync | undefined;
  #datasyncs: GroupSync | undefined;

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.fd < 0 ? 'closed' : 'open', placeOf(this.fd), []);
  }

  // --- Reading and writing ------------------------------------------------------------------------

  /** Reads into `buffer`: see `fs.promises` `filehandle.read`. */
  read<T extends ArrayBufferView>(
    buffer: T,
    offset?: number | null | ReadOptions,
    length?: number | null,
    position?: ReadOptions['position'],
  ): Promise<ReadResult<T>>;
  read<T extends ArrayBufferView = Buffer>(options?: ReadOptions<T> | null): Promise<ReadResult<T>>;
  read(
    target?: ArrayBufferView | ReadOptions | null,
    offset?: number | null | ReadOptions,
    length?: number | null,
    position?: ReadOptions['position'],
  ): Promise<ReadResult<ArrayBufferView>> {
    // Not an async function: its second promise would cost as much as the read.
    try {
      this.assertOpen('read');
      const transfer = readTransfer(target, offset, length, position);
      if (transfer.length === 0) {
        return Promise.resolve({ bytesRead: 0, buffer: transfer.buffer as ArrayBufferView });
      }
      return this.#read(transfer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #read(transfer: Transfer): Promise<ReadResult<ArrayBufferView>> {
    if (transfer.position >= 0) this.assertPosition('read');
    return this.readSoon(transfer);
  }

  /**
   * Writes a buffer or a string: see `fs.promises` `filehandle.write`. Short writes are continued: fewer bytes than
   * requested are written only after an error, which the next call meets again.
   */
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
      this.assertOpen('write');
      // For empty data Node checks no other argument, and the kernel may refuse even an empty write.
      if (ArrayBuffer.isView(data) && sizeOf(data) === 0) {
        return Promise.resolve({ bytesWritten: 0, buffer: data });
      }
      return this.#write(writeTransfer(data, offset, length, position));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #write(transfer: Transfer): Promise<WriteResult<ArrayBufferView | string>> {
    const size = transfer.bytes.length;
    if (transfer.position < 0) return this.writeInOrder(transfer, size);
    this.assertPosition('write');
    return this.writeAt(transfer, size);
  }

  /** Reads into several buffers, one after the other. readv(2) */
  async readv(buffers: readonly ArrayBufferView[], position?: number | null): Promise<ReadVResult> {
    this.assertOpen('readv');
    const views = toViews(buffers);
    // Like the kernel in Node's call.
    if (views.length === 0) throw systemError(EINVAL, 'read');
    const sizes = views.map(sizeOf);
    const bytes = allocatePooled(sizes.reduce((sum, size) => sum + size, 0));
    const { bytesRead } = await this.#read(wholeOf(bytes, position));
    scatter(bytes.subarray(0, bytesRead), views, sizes);
    return { bytesRead, buffers };
  }

  /** Writes several buffers, one after the other. writev(2) */
  async writev(buffers: readonly ArrayBufferView[], position?: number | null): Promise<WriteVResult> {
    this.assertOpen('writev');
    const views = toViews(buffers);
    if (views.length === 0) return { bytesWritten: 0, buffers };
    const { bytesWritten } = await this.#write(wholeOf(gather(views), position));
    return { bytesWritten, buffers };
  }

  // --- The whole content --------------------------------------------------------------------------

  /** Reads from the current position to the end. */
  readFile(options?: (ReadFileOptions & { encoding?: null }) | null): Promise<Buffer>;
  readFile(options: BufferEncoding | (ReadFileOptions & { encoding: BufferEncoding })): Promise<string>;
  readFile(options?: ReadFileOptions | BufferEncoding | null): Promise<Buffer | string>;
  readFile(options?: ReadFileOptions | BufferEncoding | null): Promise<Buffer | string> {
    return this.using('readFile', async () => {
      const given = toOptions<ReadFileOptions>(options);
      // Into the caller's buffer, from Node 24 on.
      if ('buffer' in given) {
        return readByNode(() => promisify(nodeReadFile)(this.fd, given as object));
      }
      const { encoding, signal } = given;
      throwIfAborted(signal);
      const bytes = await this.inOrder('reads', async () => {
        if (signal !== undefined) await giveTurnToAbort(signal);
        return this.#readAll(signal);
      });
      return encoding ? bytes.toString(encoding) : bytes;
    });
  }

  async #readAll(signal: AbortSignal | undefined): Promise<Buffer> {
    const stats = (await statFd(this.loop, this.fd, false)) as Stats;
    const size = stats.isFile() ? stats.size : 0;
    const read: ReadPiece = (bytes, offset, length) => this.readOwn(bytes, offset, length, -1);
    return readContent(read, size, signal);
  }

  /** Writes everything at the current position. */
  writeFile(data: Content, options?: WriteFileOptions | BufferEncoding | null): Promise<void> {
    return this.using('writeFile', async () => {
      const { encoding, signal, flush, mode } = toOptions<WriteFileOptions>(options);
      if (CHECKS_HANDLE_MODE) toMode(mode, 0);
      checkBoolean('options.flush', flush ?? false);
      const write = (bytes: Uint8Array, offset: number, length: number): Promise<number> =>
        this.writePart(bytes, offset, length);
      throwIfAborted(signal);
      if (isPieces(data)) {
        if (signal !== undefined) await giveTurnToAbort(signal);
        // The pieces may come from this very file: other calls run in between.
        const ordered = (bytes: Uint8Array, offset: number, length: number): Promise<number> =>
          this.inOrder('writes', () => write(bytes, offset, length));
        return writePiecesTo(ordered, data, encoding, signal);
      }
      const bytes = toData(data, encoding, 'data');
      const size = bytes.length;
      return this.inOrder('writes', async () => {
        if (signal !== undefined) await giveTurnToAbort(signal);
        return writeBytesTo(write, bytes, signal, size);
      });
    });
  }

  /** As `writeFile`: a file that was opened for appending appends. */
  appendFile(data: Content, options?: WriteFileOptions | BufferEncoding | null): Promise<void> {
    return this.writeFile(data, options);
  }

  // --- Streams ------------------------------------------------------------------------------------

  /** A stream that reads the file, and closes it at the end unless `autoClose` is false. */
  createReadStream(options?: streams.ReadStreamOptions): ReadStream {
    return streams.readStream(this, options);
  }

  /** A stream that writes the file, and closes it at the end unless `autoClose` is false. */
  createWriteStream(options?: streams.WriteStreamOptions): WriteStream {
    return streams.writeStream(this, options);
  }

  /** The file's lines, as `node:readline` yields them. */
  readLines(options?: streams.ReadStreamOptions): Interface {
    return streams.lines(this, options);
  }

  /** A web stream of bytes. A handle returns only one. */
  readableWebStream(options?: { autoClose?: boolean }): ReadableStream {
    return streams.webStream(this, options);
  }

  // --- Attributes ---------------------------------------------------------------------------------

  /** The file's attributes. fstat(2) */
  stat(options?: StatOptions & { bigint?: false }): Promise<Stats>;
  stat(options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(options?: StatOptions): Promise<Stats | BigIntStats>;
  stat(options: StatOptions = DEFAULTS): Promise<Stats | BigIntStats> {
    return this.using('fstat', () => {
      const signal = checkStat(options);
      return statFd(this.loop, this.fd, options.bigint === true, signal);
    });
  }

  /** Flushes the data and the attributes to the device. fsync(2) */
  sync(): Promise<void> {
    const sync = (): Promise<void> => this.operate('fsync', (sqe, fd) => sqe.fsync(fd));
    this.#syncs ??= new GroupSync(sync);
    return this.using('fsync', () => (byNode ? promisify(fsync)(this.fd) : this.#syncs!.run()));
  }

  /** Flushes the data, and the attributes needed to read it, to the device. fdatasync(2) */
  datasync(): Promise<void> {
    const sync = (): Promise<void> => this.operate('fdatasync', (sqe, fd) => sqe.fdatasync(fd));
    this.#datasyncs ??= new GroupSync(sync);
    return this.using('fdatasync', () => (byNode ? promisify(fdatasync)(this.fd) : this.#datasyncs!.run()));
  }

  /** Truncates the file to `len` bytes, or extends it with zeros. ftruncate(2) */
  async truncate(len = 0): Promise<void> {
    this.assertOpen('ftruncate');
    const size = Math.max(0, checkInt('len', len, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
    if (this.truncateInline(size)) return;
    await this.changeWhole(() =>
      this.loop.supports('ftruncate')
        ? this.operate('ftruncate', (sqe, fd) => sqe.ftruncate(fd, size))
        : tracedCall(promisify(ftruncate)(this.fd, size)),
    );
  }

  /** fchmod(2), by Node: io_uring has no operation for it. */
  chmod(mode: string | number): Promise<void> {
    return this.using('fchmod', () => tracedCall(promisify(fchmod)(this.fd, toNodeMode(mode))));
  }

  /** fchown(2), by Node. */
  chown(uid: number, gid: number): Promise<void> {
    return this.using('fchown', () => tracedCall(promisify(fchown)(this.fd, uid, gid)));
  }

  /** futimes(3), by Node. */
  utimes(atime: string | number | Date, mtime: string | number | Date): Promise<void> {
    return this.using('futimes', () => tracedCall(promisify(futimes)(this.fd, atime, mtime)));
  }

  // --- Beyond Node --------------------------------------------------------------------------------

  /**
   * Reserves `length` bytes from `offset` on, or applies the FALLOC_FL_ flags in `mode` to them.
   * fallocate(2)
   */
  async fallocate(offset: number, length: number, mode = 0): Promise<void> {
    checkInt('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInt('length', length, 1, Number.MAX_SAFE_INTEGER);
    checkInt('mode', mode, 0, 0x7fffffff);
    this.assertOpen('fallocate');
    await this.changeWhole(() =>
      this.operate('fallocate', (sqe, fd) => sqe.fallocate(fd, mode, offset, length)),
    );
  }

  /** Announces how a range will be read; a `length` of 0 means to the end. posix_fadvise(2) */
  async fadvise(advice: Advice, offset = 0, length = 0): Promise<void> {
    if (typeof advice !== 'string' || !Object.hasOwn(ADVICE, advice)) {
      throw argValueError('advice', `must be one of: ${Object.keys(ADVICE).join(', ')}`, advice);
    }
    checkInt('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInt('length', length, 0, Number.MAX_SAFE_INTEGER);
    await this.using('fadvise', () =>
      this.operate('fadvise', (sqe, fd) => sqe.fadvise(fd, offset, length, ADVICE[advice])),
    );
  }

  /** Reads an extended attribute, like the function `getxattr`. fgetxattr(2), 5.19 */
  getxattr(name: string): Promise<Buffer> {
    return this.using('fgetxattr', () => getFrom(this.loop, this.fd, name));
  }

  /** Sets an extended attribute, like the function `setxattr`. fsetxattr(2), 5.19 */
  setxattr(name: string, value: string | ArrayBufferView, options?: SetXattrOptions): Promise<void> {
    // Works on a file that was opened for reading, too, so it needs the permission to write anything.
    checkAllowed('fs.write');
    return this.using('fsetxattr', () => setOn(this.loop, this.fd, name, value, options));
  }

  /**
   * Copies to another open file, a pipe or the like, without passing the bytes through JavaScript; resolves to their
   * number. After an error or an abort a part may have been copied.
   */
  async copyTo(target: { readonly fd: number }, options: CopyOptions = {}): Promise<number> {
    if (!(target instanceof FileHandle)) throw argTypeError('target', 'an instance of FileHandle', target);
    checkCopy(options);
    return this.using('read', () =>
      target.using('write', () => copyBetween(this.loop, this, target, options)),
    );
  }

  /**
   * The alignment in bytes for positions and lengths with O_DIRECT; 0 if the file does not support it. null if the
   * kernel (before 6.1) or the file system does not report it. statx(2)
   */
  directAlignment(): Promise<number | null> {
    return this.using('statx', () => directAlignment(this.loop, this.fd));
  }

  /** Yields the file's bytes in Buffers of `size`, and reads ahead of the consumer. */
  chunks(options?: ChunkOptions): AsyncGenerator<Buffer, void, undefined> {
    return chunksOf(this, options);
  }
}
