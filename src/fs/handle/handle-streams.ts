/** Node's and the web's streams over a file handle. */

import { createReadStream, createWriteStream, type ReadStream, type WriteStream } from 'node:fs';
import type { Interface } from 'node:readline';
import type { ReadableStream } from 'node:stream/web';
import { callBack } from '../../loop/operation/uncaught.js';
import { checkBoolean } from '../../sys/check/check.js';
import { argTypeError, stateError, withCode } from '../../sys/errors/errors.js';
import type { OpenFile } from './open-file.js';
import type { ReadResult, WriteResult } from './transfer.js';

/** The options of `createReadStream`. */
export interface ReadStreamOptions {
  /** Decodes the bytes; without it the stream yields Buffers. */
  encoding?: BufferEncoding | null | undefined;
  /** Whether the handle is closed at the end; default true. */
  autoClose?: boolean | undefined;
  /** Whether 'close' is emitted; default true. */
  emitClose?: boolean | undefined;
  /** The start position; default the current position. */
  start?: number | undefined;
  /** The position of the last byte to read; default Infinity. */
  end?: number | undefined;
  /** Bytes per read; default 64 KiB. */
  highWaterMark?: number | undefined;
  /** Aborting it destroys the stream with an `AbortError`. */
  signal?: AbortSignal | undefined;
}

/** The options of `createWriteStream`. */
export interface WriteStreamOptions {
  /** The encoding of strings; default 'utf8'. */
  encoding?: BufferEncoding | null | undefined;
  /** Whether the handle is closed at the end; default true. */
  autoClose?: boolean | undefined;
  /** Whether 'close' is emitted; default true. */
  emitClose?: boolean | undefined;
  /** The start position; default the current position. */
  start?: number | undefined;
  /** How many bytes may wait to be written before `write()` returns false; default as in Node. */
  highWaterMark?: number | undefined;
  /** Whether the file is synced before it is closed; default false. */
  flush?: boolean | undefined;
  /** Aborting it destroys the stream with an `AbortError`. */
  signal?: AbortSignal | undefined;
}

/** What streams use of a `FileHandle`. */
interface Streamed extends OpenFile {
  read(
    view: Uint8Array,
    offset?: number,
    length?: number,
    position?: number,
  ): Promise<ReadResult<Uint8Array>>;
  write(bytes: Buffer, offset: number, length: number, position: number): Promise<WriteResult<Buffer>>;
  writev(buffers: Buffer[], position: number): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
}

type Done = (error: Error | null, count?: number, data?: unknown) => void;
type Transfer = [buffer: Buffer, offset: number, length: number, position: number, done: Done];

/** The calls of `node:fs` that Node's streams use, on a handle instead of a descriptor. */
class StreamCalls {
  readonly #handle: Streamed;
  #holds: boolean;

  constructor(handle: Streamed) {
    this.#handle = handle;
    this.#holds = handle.streamBegan();
  }

  /** The stream needs the handle no longer. */
  release(): void {
    if (this.#holds) this.#handle.streamEnded();
    this.#holds = false;
  }

  readonly open = (): void => {};

  readonly close = (_fd: number, done: Done): void => {
    this.release();
    this.#settle(this.#handle.close(), done, () => done(null));
  };

  readonly fsync = (_fd: number, done: Done): void => {
    this.#settle(this.#handle.sync(), done, () => done(null));
  };

  readonly read = (_fd: number, ...[buffer, offset, length, position, done]: Transfer): void => {
    const reading = this.#handle.read(buffer, offset, length, position);
    this.#settle(reading, done, ({ bytesRead }) => done(null, bytesRead, buffer));
  };

  readonly write = (_fd: number, ...[buffer, offset, length, position, done]: Transfer): void => {
    const writing = this.#handle.write(buffer, offset, length, position);
    this.#settle(writing, done, ({ bytesWritten }) => done(null, bytesWritten, buffer));
  };

  readonly writev = (_fd: number, buffers: Buffer[], position: number, done: Done): void => {
    const writing = this.#handle.writev(buffers, position);
    this.#settle(writing, done, ({ bytesWritten }) => done(null, bytesWritten, buffers));
  };

  /** Calls `done` with the error, or `resolved` with the result. */
  #settle<T>(promise: Promise<T>, done: Done, resolved: (result: T) => void): void {
    promise.then(
      result => callBack(resolved, result),
      error => {
        // Without autoClose, a stream that has failed makes no more calls. Writing is tried again after this one.
        if (error.code !== 'EAGAIN') this.release();
        callBack(done, error);
      },
    );
  }
}

/** Makes a stream over a handle. It ends when the handle is closed: one that writes first writes what it was given. */
function tied<T extends ReadStream | WriteStream>(
  handle: Streamed,
  options: object | undefined,
  create: (path: string, options: never) => T,
): T {
  refuseFunctions(options);
  const calls = new StreamCalls(handle);
  let stream: T;
  try {
    stream = create('', { ...options, fd: handle.fd, fs: calls } as never);
  } catch (error) {
    calls.release();
    throw error;
  }
  handle.on('close', () => {
    // Without autoClose, one that has finished or failed would never make its last call.
    if ('writableFinished' in stream && (stream.writableFinished || stream.errored)) stream.destroy();
    else stream.close();
  });
  return stream;
}

/**
 * Streams of a path or a descriptor accept the caller's functions instead of `node:fs`; those of a handle do not. Node
 * refuses them with this message, and a program that changes its import gets the same.
 */
function refuseFunctions(options: object | undefined): void {
  if (!(options as { fs?: unknown } | undefined)?.fs) return;
  const refusal = new Error('The FileHandle with fs method is not implemented');
  throw withCode(refusal, 'ERR_METHOD_NOT_IMPLEMENTED');
}

/** See `FileHandle.createReadStream`. */
export function readStream(handle: Streamed, options: ReadStreamOptions | undefined): ReadStream {
  return tied(handle, options, createReadStream);
}

/** See `FileHandle.createWriteStream`. */
export function writeStream(handle: Streamed, options: WriteStreamOptions | undefined): WriteStream {
  return tied(handle, options, createWriteStream);
}

/** See `FileHandle.readLines`. */
export function lines(handle: Streamed, options: ReadStreamOptions | undefined): Interface {
  const { createInterface } = process.getBuiltinModule('node:readline');
  return createInterface({ input: readStream(handle, options), crlfDelay: Number.POSITIVE_INFINITY });
}

const WEB_CHUNK = 16384;
/** Handles that have returned a web stream. */
const locked = new WeakSet<Streamed>();

/** See `FileHandle.readableWebStream`. */
export function webStream(handle: Streamed, options: { autoClose?: boolean } = {}): ReadableStream {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw argTypeError('options', 'of type object', options);
  }
  if (handle.fd < 0) throw stateError('Invalid state: The FileHandle is closed');
  if (locked.has(handle)) throw stateError('Invalid state: The FileHandle is locked');
  const autoClose = checkBoolean('options.autoClose', options.autoClose ?? false);
  locked.add(handle);
  // Closing the handle ends the stream.
  let closed = false;
  handle.once('close', () => {
    closed = true;
  });
  const finish = async (): Promise<void> => {
    if (autoClose) await handle.close();
  };
  const web = process.getBuiltinModule('node:stream/web');
  return new web.ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: WEB_CHUNK,
    async pull(controller) {
      const request = controller.byobRequest!;
      const bytesRead = closed ? 0 : (await handle.read(request.view as Uint8Array)).bytesRead;
      if (bytesRead === 0) controller.close();
      request.respond(bytesRead);
      if (bytesRead === 0) await finish();
    },
    cancel: finish,
  });
}
