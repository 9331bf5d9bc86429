/** `Pipe` and `openPipe`: pipes, FIFOs, terminals and standard streams. */
import { constants } from 'node:buffer';
import { close, constants as fsConstants, fstatSync } from 'node:fs';
import type { InspectOptionsStylized } from 'node:util';
import { promisify } from 'node:util';
import { isUint8Array } from 'node:util/types';
import { closeFile } from '../../loop/closing/close.js';
import { disown, own } from '../../loop/closing/owned-descriptors.js';
import { loop as currentLoop } from '../../loop/current.js';
import type { Loop } from '../../loop/loop.js';
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkBytes, checkFd, checkInt } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError, closedError, rangeError } from '../../sys/errors/errors.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import { isMainThread } from '../../sys/main-thread.js';
import { closeWhenForgotten, forget, type Remains, userOf } from '../socket/forgotten.js';
import {
  type Delimiter,
  delimiterOf,
  READ_UNTIL_OPTIONS,
  type ReadUntilOptions,
  untilMax,
} from '../stream/delimiter.js';
import { type LinesOptions, linesOf } from '../stream/lines.js';
import { toBytes, type WriteData } from '../stream/write-data.js';
import { PipeReader } from './pipe-reader.js';
import { PipeWriter } from './pipe-writer.js';

/** Node closes descriptors that a worker opened and did not close through it, even if the number has been reused. */
const closeByNode = promisify(close);

/** How to open a pipe. */
export interface PipeOptions {
  /** Whether `close()` closes the descriptor too; default true. */
  autoClose?: boolean | undefined;
}

const PIPE_OPTIONS = optionNames<PipeOptions>({ autoClose: true });

/** Descriptors up to this one belong to the process. */
const STDERR = 2;

/**
 * A descriptor with its reader and writer, and the close. `Pipe` is its public object, which operations in flight do
 * not keep alive.
 */
class Descriptor implements Remains {
  readonly kind = 'Pipe';
  held: WeakRef<object> | null = null;
  readonly place = undefined;
  readonly loop: Loop;
  readonly reader: PipeReader;
  readonly writer: PipeWriter;
  /** -1 once closed. */
  fd: number;
  readonly #autoClose: boolean;
  readonly #isEventfd: boolean;
  #closing: Promise<void> | null = null;

  constructor(loop: Loop, fd: number, autoClose: boolean) {
    this.loop = loop;
    this.fd = fd;
    this.#autoClose = autoClose;
    // An eventfd has no file type.
    this.#isEventfd = (fstatSync(fd).mode & fsConstants.S_IFMT) === 0;
    if (this.#isEventfd) loop.eventfdWaits++;
    if (autoClose) own(fd);
    this.reader = new PipeReader(loop, fd);
    this.writer = new PipeWriter(loop, fd);
    this.reader.subject = this;
    this.writer.subject = this;
  }

  get object(): object | undefined {
    return userOf(this);
  }

  get closed(): boolean {
    return this.#closing !== null;
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    const stopped = new Promise<void>(resolve => this.reader.stop(resolve));
    await new Promise<void>(resolve => this.writer.whenDrained(resolve));
    await stopped;
    if (this.#isEventfd) this.loop.eventfdWaits--;
    const { fd } = this;
    this.fd = -1;
    forget(this);
    if (!this.#autoClose) return;
    if (isMainThread) await closeFile(this.loop, fd);
    else {
      disown(fd);
      await closeByNode(fd);
    }
  }
}

/**
 * A descriptor as a stream: a pipe, a FIFO, a terminal, a socket, or a file read and written at its current position.
 * The methods have the names of `Connection`.
 */
export class Pipe implements AsyncIterable<Buffer> {
  readonly #descriptor: Descriptor;
  readonly #reader: PipeReader;
  readonly #writer: PipeWriter;

  /** @internal Use `openPipe`. */
  constructor(loop: Loop, fd: number, autoClose: boolean) {
    this.#descriptor = new Descriptor(loop, fd, autoClose);
    this.#reader = this.#descriptor.reader;
    this.#writer = this.#descriptor.writer;
    if (autoClose && fd > STDERR) closeWhenForgotten(this, this.#descriptor);
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(
      this,
      depth,
      options,
      this.fd < 0 ? 'closed' : this.closed ? 'closing' : 'open',
      this.fd >= 0 && `fd ${this.fd}`,
      [
        `read ${this.bytesRead}`,
        `written ${this.bytesWritten}`,
        counted(this.#reader.waiting, 'reader waiting', 'readers waiting'),
        counted(this.#writer.waiting, 'write waiting', 'writes waiting'),
        !this.#reader.referenced && 'unref',
      ],
    );
  }

  /** The descriptor, -1 once closed. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Whether `close()` or `abort()` has been called. */
  get closed(): boolean {
    return this.#descriptor.closed;
  }

  /** Bytes that have been read here. */
  get bytesRead(): number {
    return this.#reader.bytesRead;
  }

  /** Bytes accepted by the kernel. */
  get bytesWritten(): number {
    return this.#writer.bytesWritten;
  }

  // --- Reading ------------------------------------------------------------------------------------

  /**
   * The available bytes, at least one, at most 64 KiB (4 KiB until there has been more); null at the end. After the end
   * of a terminal's input, or of a FIFO's last writer, another read may return more. Concurrent reads are served in
   * order. A read that gives up takes no bytes: the next one gets them. read(2)
   * @throws (as a rejection) EBADF, EISDIR, EIO and similar, ERR_CLOSED, AbortError, ETIMEDOUT.
   */
  async read(options?: WaitOptions): Promise<Buffer | null> {
    checkWait(options);
    // Here and below `await` keeps this object from being collected, and so closed, while the call waits.
    return (await this.#reader.read(options)) as Buffer | null;
  }

  /**
   * As `read`, but into `buffer`: resolves to the number of bytes, 0 at the end. It takes no more from the descriptor
   * than fits into `buffer`.
   */
  async readInto(buffer: Uint8Array, options?: WaitOptions): Promise<number> {
    checkBytes('buffer', buffer);
    if (!isUint8Array(buffer)) throw argTypeError('buffer', 'an instance of Uint8Array', buffer);
    if (buffer.length === 0) throw rangeError('buffer.length', '>= 1', buffer.length);
    checkWait(options);
    return (await this.#reader.readInto(buffer, options)) as number;
  }

  /**
   * Exactly `count` bytes, in a Buffer of their own.
   * @throws (as a rejection) ERR_STREAM_PREMATURE_CLOSE at an earlier end. The next read gets the bytes so far, also
   * after an abort or a timeout.
   */
  async readExactly(count: number, options?: WaitOptions): Promise<Buffer> {
    checkInt('count', count, 0, constants.MAX_LENGTH);
    checkWait(options);
    return (await this.#reader.readExactly(count, options)) as Buffer;
  }

  /**
   * Reads up to and including `delimiter`: text, bytes, or one byte. The search reads all available bytes. Those after
   * the delimiter go to the next read of this Pipe; others that share the descriptor do not get them.
   * @throws (as a rejection) ERR_DELIMITER_NOT_FOUND if it is not among the first `max` bytes, and
   * ERR_STREAM_PREMATURE_CLOSE at an end without it. The next read gets the bytes.
   */
  async readUntil(delimiter: Delimiter, options: ReadUntilOptions = {}): Promise<Buffer> {
    checkWait(options, READ_UNTIL_OPTIONS);
    const bytes = delimiterOf(delimiter);
    return (await this.#reader.readUntil(bytes, untilMax(options, bytes.length), options)) as Buffer;
  }

  /**
   * Yields the input as lines of text, without their ends: '\n' or '\r\n'. The last one needs no end. It reads more
   * than a line at a time; leaving the loop in any way closes the pipe.
   * @throws (as a rejection) ERR_LINE_TOO_LONG for a line of more than `max` bytes, and the errors of `read`.
   */
  lines(options?: LinesOptions): AsyncGenerator<string, void, undefined> {
    return linesOf(this, options);
  }

  /** Yields chunks until the end. Leaving the loop in any way closes the pipe. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        const chunk = await this.read();
        if (chunk === null) return;
        yield chunk;
      }
    } finally {
      await this.close();
    }
  }

  // --- Writing ------------------------------------------------------------------------------------

  /**
   * Writes data; resolves when the kernel has taken every byte. Writes are made in call order, and queued ones
   * together. A buffer must not change until its write has settled. A write that gives up before it starts is not made;
   * a started one is completed nevertheless. write(2)
   * @throws (as a rejection) EPIPE without a reader (never a signal), EBADF and similar,
   * ERR_CLOSED, AbortError, ETIMEDOUT, TypeError.
   */
  async write(data: WriteData, options?: WaitOptions): Promise<void> {
    checkWait(options);
    if (this.closed) throw closedError('The pipe');
    await this.#writer.write(toBytes(data), options);
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Its pending reads and writes keep the process alive, which is the default. */
  ref(): this {
    return this.#setReferenced(true);
  }

  /** Its pending reads and writes no longer keep the process alive. */
  unref(): this {
    return this.#setReferenced(false);
  }

  #setReferenced(referenced: boolean): this {
    this.#reader.setReferenced(referenced);
    this.#writer.setReferenced(referenced);
    return this;
  }

  /**
   * Writes queued data, then closes. Waiting reads reject with ERR_CLOSED. Resolves when the kernel is done with the
   * descriptor; a second call waits for the first.
   */
  close(): Promise<void> {
    return this.#descriptor.close();
  }

  /** Closes at once: drops unwritten data, and its writes reject. */
  abort(): Promise<void> {
    const closing = this.close();
    if (this.fd >= 0) this.#writer.abort();
    return closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens a Pipe on a descriptor: a pipe, a FIFO, a terminal. The descriptor may be blocking or non-blocking; the thread
 * never blocks.
 * @throws TypeError and RangeError for a wrong `fd`; EBADF if it is not open.
 */
export function openPipe(fd: number, options: PipeOptions = {}): Pipe {
  checkOptions(options, PIPE_OPTIONS);
  fstatSync(checkFd(fd));
  return new Pipe(currentLoop(), fd, options.autoClose ?? true);
}

const standard: (Pipe | undefined)[] = [];

/** One Pipe per thread and descriptor; a new one after it was closed. */
function standardPipe(fd: number): Pipe {
  let pipe = standard[fd];
  if (pipe === undefined || pipe.closed) {
    pipe = openPipe(fd, { autoClose: false });
    standard[fd] = pipe;
  }
  return pipe;
}

/**
 * Standard input, descriptor 0. Use either this or `process.stdin`, not both. Closing it, or leaving an iteration,
 * keeps the descriptor open.
 */
export function stdin(): Pipe {
  return standardPipe(0);
}

/** Standard output, descriptor 1. Closing it writes the rest and keeps the descriptor open. */
export function stdout(): Pipe {
  return standardPipe(1);
}

/** Standard error, descriptor 2. Closing it keeps the descriptor open. */
export function stderr(): Pipe {
  return standardPipe(2);
}
