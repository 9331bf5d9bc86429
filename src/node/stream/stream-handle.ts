import { AsyncResource } from 'node:async_hooks';
import { own } from '../../loop/closing/owned-descriptors.js';
import type { Loop } from '../../loop/loop.js';
import type { Subject } from '../../loop/operation/pending.js';
import { setImmediate, setTimeout } from '../../loop/real-timers.js';
import { setResetOnClose } from '../../net/socket/options.js';
import { EBADF, ECANCELED } from '../../sys/abi/errno.js';
import { UTF8_MAX } from '../../sys/calls/socket-calls.js';
import { libc } from '../../sys/libc/libc.js';
import { makeNative, type Twinned, twinOf } from '../native-twin.js';
import { bindings, type NativeHandle, ownerSymbol, type Request, written } from '../natives.js';
import {
  bytesOf,
  type Entry,
  lengthOf,
  mostOf,
  mostOfEntries,
  mostOfWrite,
  type Part,
  putPart,
  restOf,
} from '../parts.js';
import { RequestDone } from '../request-done.js';
import { socketError } from '../socket-error.js';
import { StreamReceiver } from './stream-receiver.js';
import { COPIED_MAX, IN_PLACE_MIN, StreamSender } from './stream-sender.js';

/** How long a destroyed stream continues to send what it has reported as written, in milliseconds. */
const LINGER_MS = 30_000;

/** A stream that may be destroyed: a net.Socket. */
interface Owner {
  destroy(error: Error): void;
  readonly destroyed?: boolean;
}

/**
 * The `_handle` of a `net.Socket`: a connected stream socket on the loop, or one to be connected. It has the interface
 * of Node's native handles, with libuv's error numbers.
 */
export abstract class StreamHandle implements Subject, Twinned {
  /** Set by the stream. */
  reading = false;
  /** Set by the stream: gets received data. Node's `stream_wrap` state describes the data. */
  onread: (buffer: ArrayBuffer | undefined) => unknown = nothing;
  /** The context in which callbacks run. */
  scope: AsyncResource;
  readonly loop: Loop;
  /** Whether it keeps the process alive. */
  referenced = true;
  /** A native handle of the same socket, created when Node needs one. */
  twin: NativeHandle | null = null;
  /** The descriptor, -1 before it is opened and once it is closed. */
  fd = -1;
  protected closing = false;
  readonly #type: string;
  #receiver: StreamReceiver | null = null;
  /** The sending side, if it has been used. */
  madeSender: StreamSender | null = null;
  /** Whether the peer sends no more. */
  peerEnded = false;

  /** @param type its name in async_hooks. @param trigger the async id of its creator, if that is not the caller. */
  constructor(loop: Loop, type: string, trigger?: number) {
    this.loop = loop;
    this.#type = type;
    this.scope = new AsyncResource(type, trigger === undefined ? {} : { triggerAsyncId: trigger });
  }

  abstract get kind(): string;

  /** The stream of this handle, which `net` stores under its own symbol. */
  get object(): object | undefined {
    return this.owner as object | undefined;
  }

  get owner(): Owner | undefined {
    const symbol = ownerSymbol();
    return symbol === undefined ? undefined : (this as unknown as Record<symbol, Owner>)[symbol];
  }

  protected get receiver(): StreamReceiver {
    this.#receiver ??= new StreamReceiver(this.loop, this);
    return this.#receiver;
  }

  protected get sender(): StreamSender {
    this.madeSender ??= new StreamSender(this.loop, this);
    return this.madeSender;
  }

  /** Takes ownership of a descriptor. */
  adopt(fd: number): void {
    this.fd = fd;
  }

  open(fd: number): number {
    own(fd);
    this.adopt(fd);
    return 0;
  }

  // --- Async context ------------------------------------------------------------------------------

  getAsyncId(): number {
    return this.scope.asyncId();
  }

  /** A keep-alive connection serves another request: callbacks belong to that one. */
  asyncReset(): void {
    this.scope.emitDestroy();
    this.scope = new AsyncResource(this.#type);
  }

  abstract getProviderType(): number;

  // --- Reading ------------------------------------------------------------------------------------

  readStart(): number {
    if (this.fd < 0) return EBADF;
    this.receiver.start();
    return 0;
  }

  readStop(): number {
    this.#receiver?.pause();
    return 0;
  }

  useUserBuffer(buffer: Uint8Array): void {
    this.receiver.userBuffer = buffer;
  }

  /** For Node 26: whether an idle connection has something to read. */
  hasPendingRead(): boolean {
    return this.#receiver?.hasPending ?? false;
  }

  get bytesRead(): number {
    return this.#receiver === null ? 0 : this.#receiver.bytesRead;
  }

  // --- Writing ------------------------------------------------------------------------------------

  writeBuffer(request: Request | null, bytes: Uint8Array): unknown {
    const { sender } = this;
    const { length } = bytes;
    const sent = length < IN_PLACE_MIN || this.fd < 0 ? 0 : sender.sendInPlace([bytes]);
    if (sent !== 0 && sent === length) return written(length);
    const rest = sent === 0 ? bytes : bytes.subarray(sent);
    const room = this.#room(rest.length);
    if (room === null) return this.#later(request, rest, sent);
    sender.filled(putPart(room, sender.at, rest, 'buffer'));
    return written(length);
  }

  writeUtf8String(request: Request | null, text: string): unknown {
    return this.#text(request, text, 'utf8', text.length * UTF8_MAX);
  }

  writeLatin1String(request: Request | null, text: string): unknown {
    return this.#text(request, text, 'latin1', text.length);
  }

  writeAsciiString(request: Request | null, text: string): unknown {
    return this.writeLatin1String(request, text);
  }

  writeUcs2String(request: Request | null, text: string): unknown {
    return this.#text(request, text, 'utf16le', text.length * 2);
  }

  #text(request: Request | null, text: string, encoding: BufferEncoding, most: number): unknown {
    const room = most > COPIED_MAX ? null : this.#room(most);
    if (room === null) return this.writeBuffer(request, Buffer.from(text, encoding));
    const length = room.write(text, this.sender.at, encoding);
    this.sender.filled(length);
    return written(length);
  }

  writev(request: Request | null, chunks: Part[], allBuffers: boolean): unknown {
    const most = allBuffers ? lengthOf(chunks as Uint8Array[]) : mostOf(chunks);
    const room = most > COPIED_MAX ? null : this.#room(most);
    const { sender } = this;
    if (room === null) {
      const parts = bytesOf(chunks, allBuffers, IN_PLACE_MIN);
      const sent = this.fd < 0 ? 0 : sender.sendInPlace(parts);
      const rest = restOf(parts, sent);
      return sent !== 0 && rest.length === 0 ? written(sent) : this.#later(request, rest, sent);
    }
    let length = 0;
    for (let i = 0; i < chunks.length; i += allBuffers ? 1 : 2) {
      const encoding = allBuffers ? 'buffer' : (chunks[i + 1] as string);
      length += putPart(room, sender.at + length, chunks[i]!, encoding);
    }
    sender.filled(length);
    return written(length);
  }

  /** Copies a write to the burst that will be sent, which completes it; false if it needs a request of its own. */
  copy(data: Part, encoding: string): boolean {
    const most = mostOfWrite(data, encoding);
    const room = most > (typeof data === 'string' ? COPIED_MAX : IN_PLACE_MIN) ? null : this.#room(most);
    if (room === null) return false;
    this.sender.filled(putPart(room, this.sender.at, data, encoding));
    return true;
  }

  /** As `copy`, for several writes. */
  copyAll(entries: readonly Entry[]): boolean {
    const most = mostOfEntries(entries);
    const room = most > COPIED_MAX ? null : this.#room(most);
    if (room === null) return false;
    const { sender } = this;
    let length = 0;
    for (let i = 0; i < entries.length; i++) {
      const { chunk, encoding } = entries[i]!;
      length += putPart(room, sender.at + length, chunk, encoding);
    }
    sender.filled(length);
    return true;
  }

  #room(length: number): Buffer | null {
    return this.fd < 0 ? null : this.sender.room(length);
  }

  /** Sends later what does not fit; the request completes then. */
  #later(request: Request | null, bytes: Uint8Array, sent = 0): unknown {
    const { streamBaseState, kBytesWritten, kLastWriteWasAsync, kLastWriteErr } = bindings().stream;
    const { sender } = this;
    const failed = this.fd < 0 ? EBADF : this.loop.closing ? ECANCELED : sender.error;
    streamBaseState[kBytesWritten] = failed === 0 ? sent + bytes.length : 0;
    streamBaseState[kLastWriteWasAsync] = failed === 0 ? 1 : 0;
    if (failed !== 0) return failed;
    // Node 26 passes no request, and completes the one that it gets.
    const made = request ?? { oncomplete: undefined, writeStatus: null };
    sender.later(bytes, new RequestDone(this.loop, 'WRITEWRAP', made, [this, undefined]));
    if (request !== null) return 0;
    streamBaseState[kLastWriteErr!] = 0;
    return made;
  }

  /**
   * Sends bytes for code outside Node. Calls `onDone` later with 0 or a negative errno, in the handle's context.
   * Returns whether the bytes were copied, so that completion does not wait for the peer. By then the burst is over:
   * the status says whether the kernel refused them.
   */
  writeThrough(bytes: Uint8Array, onDone: (status: number) => void): boolean {
    const { sender } = this;
    const room = this.#room(bytes.length);
    const request: Request = { oncomplete: status => onDone((status as number) || sender.error) };
    const done = new RequestDone(this.loop, 'WRITEWRAP', request, []);
    if (room !== null) {
      room.set(bytes, sender.at);
      sender.filled(bytes.length);
      done.settle(0);
      return true;
    }
    if (this.fd < 0) done.settle(EBADF);
    else if (sender.error !== 0) done.settle(sender.error);
    else sender.later(bytes, done);
    return false;
  }

  get bytesWritten(): number {
    return this.madeSender === null ? 0 : this.madeSender.bytesWritten;
  }

  get writeQueueSize(): number {
    return this.madeSender === null ? 0 : this.madeSender.unsent;
  }

  shutdown(request: Request): number {
    if (this.fd < 0) return EBADF;
    this.sender.shutdown(new RequestDone(this.loop, 'SHUTDOWNWRAP', request, []));
    return 0;
  }

  /** Bytes that were reported as written cannot be sent. */
  onSendFailed(status: number): void {
    if (this.closing) return;
    this.loop.deliver({
      deliver: () => {
        const { owner } = this;
        if (this.closing || owner === undefined || owner.destroyed) return;
        this.scope.runInAsyncScope(owner.destroy, owner, socketError(status, 'write'));
      },
    });
  }

  // --- Life ---------------------------------------------------------------------------------------

  ref(): void {
    this.setReferenced(true);
  }

  unref(): void {
    this.setReferenced(false);
  }

  hasRef(): boolean {
    return this.referenced && !this.closing;
  }

  protected setReferenced(referenced: boolean): void {
    this.referenced = referenced;
    this.#receiver?.refresh();
    if (this.madeSender !== null) this.loop.setReferenced(this.madeSender, referenced);
  }

  setBlocking(): number {
    return 0;
  }

  /** A new native handle of this kind, without a socket. */
  protected abstract newNative(): NativeHandle;

  [makeNative](): NativeHandle | null {
    if (this.fd < 0) return null;
    this.twin ??= twinOf(this.fd, this.newNative());
    if (this.twin !== null) this.yieldTo(this.twin);
    return this.twin;
  }

  /** The descriptor, for a child process. */
  lend(): number {
    this.#receiver?.yield();
    return this.fd;
  }

  /** Another process gets this socket by its native handle. */
  protected yieldTo(_twin: NativeHandle): void {
    this.#receiver?.yield();
  }

  /** Closes it after sending what was written. `callback` is called after the immediates. */
  close(callback?: () => void): void {
    if (this.closing) return;
    this.closing = true;
    this.#stop(callback, false);
  }

  /** Closes it at once: the peer sees a reset. */
  reset(callback?: () => void): number {
    if (this.closing) return 0;
    if (this.fd >= 0) setResetOnClose(this.fd);
    this.closing = true;
    this.#stop(callback, true);
    return 0;
  }

  #stop(callback: (() => void) | undefined, drop: boolean): void {
    this.twin?.close();
    this.cancelOthers(() => {
      const stopped = (): void => {
        const sender = this.madeSender;
        if (sender === null || this.loop.closed) this.#closed(callback);
        else if (drop) sender.abort(() => this.#closed(callback));
        else {
          // A slow peer delays the close of the descriptor, not of the stream; and the end of the process, which would
          // drop what was reported as written.
          let told = false;
          sender.finish(() => this.#closed(told ? undefined : callback, told));
          if (this.fd >= 0) {
            told = true;
            setTimeout(() => sender.abort(nothing), LINGER_MS).unref();
            this.#tell(callback);
          }
        }
      };
      if (this.#receiver === null) stopped();
      else this.#receiver.stop(stopped);
    });
  }

  /** Ends other pending operations, then calls `then`. */
  protected cancelOthers(then: () => void): void {
    then();
  }

  #closed(callback: (() => void) | undefined, told = false): void {
    const { fd } = this;
    this.fd = -1;
    if (fd >= 0) libc().close(fd);
    if (!told) this.#tell(callback);
  }

  #tell(callback: (() => void) | undefined): void {
    if (callback === undefined) this.scope.emitDestroy();
    else {
      setImmediate(() => {
        this.scope.runInAsyncScope(callback, this);
        this.scope.emitDestroy();
      });
    }
  }
}

function nothing(): void {}
