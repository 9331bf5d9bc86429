import type { AsyncResource } from 'node:async_hooks';
import type { Loop } from '../../loop/loop.js';
import { hasBuffer, hasMore } from '../../loop/operation/completion.js';
import type { Delivery } from '../../loop/operation/deliveries.js';
import { Operation } from '../../loop/operation/operation.js';
import type { Subject } from '../../loop/operation/pending.js';
import { Queue, type Queued } from '../../net/socket/queue.js';
import { type Piece, receivedPiece, receiveInto } from '../../net/socket/slab.js';
import { ReceiveBuffers } from '../../net/stream/receive-buffers.js';
import { modeAfter, PROVIDED, receivesByCalls } from '../../net/stream/receive-mode.js';
import { wasReset } from '../../net/stream/reset.js';
import { EAGAIN, ECANCELED, ECONNRESET, EINTR, ENOBUFS } from '../../sys/abi/errno.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { bindings, UV_EOF } from '../natives.js';
import { StreamFlusher } from './flusher.js';
import type { StreamSender } from './stream-sender.js';

/** Receiving stops when the stream has left this many bytes unread, which closes the peer's window. */
const UNREAD_MAX = 65536;

const NO_MEMORY = new ArrayBuffer(0);

/** Received bytes, or the way the stream has ended: a negative length. */
class Chunk implements Piece, Queued<Chunk> {
  buffer = NO_MEMORY;
  offset = 0;
  length = 0;
  next: Chunk | null = null;
}

/** The handle that a receiver belongs to. */
interface ReceivingHandle extends Subject {
  readonly fd: number;
  readonly referenced: boolean;
  /** The context of its events. */
  readonly scope: AsyncResource;
  /** The sending side, if it has been used. */
  readonly madeSender: StreamSender | null;
  /** Set when the peer sends no more. */
  peerEnded: boolean;
  /** Takes received bytes, or undefined if `streamBaseState` describes all. Returns the next buffer of `onread`. */
  onread(buffer: ArrayBuffer | undefined): unknown;
}

/**
 * The receiving side of a handle: a multishot receive that passes its completions to Node's `onread` one by one, or
 * polls and calls while chunks are large (see `receive-mode`). While the stream does not read, data waits here.
 */
export class StreamReceiver extends Operation implements Delivery {
  /** Bytes that the stream has received. */
  bytesRead = 0;
  readonly #handle: ReceivingHandle;
  readonly #buffers: ReceiveBuffers;
  readonly #state = bindings().stream;
  readonly #chunks = new Queue<Chunk>();
  /** One that is not in use. */
  #spare: Chunk | null = null;
  /** The number of chunks, their bytes, and the number of pending deliveries. */
  #count = 0;
  #unread = 0;
  #posted = 0;
  #reading = false;
  /** Nothing has been asked of the kernel yet. */
  #fresh = true;
  #ended = false;
  #pausing = false;
  #mode = PROVIDED;
  /** Whether a poll is in flight, after which a call receives. */
  #polling = false;
  #userBuffer: Uint8Array | null = null;
  #onStopped: (() => void) | null = null;
  #stopped = false;

  constructor(loop: Loop, handle: ReceivingHandle) {
    super(loop);
    this.#handle = handle;
    this.#buffers = ReceiveBuffers.of(loop);
    this.subject = handle;
  }

  override get syscall(): string {
    return 'read';
  }

  /** Whether there is data that the stream has not received. */
  get hasPending(): boolean {
    return this.#count !== 0;
  }

  set userBuffer(buffer: Uint8Array) {
    this.#userBuffer = buffer;
  }

  start(): void {
    if (this.#stopped) return;
    this.#reading = true;
    this.#setReferenced(this.#handle.referenced);
    for (; this.#posted < this.#count; this.#posted++) this.loop.deliver(this);
    // A program may hand a new socket to a child process in this burst: its bytes are the child's then.
    if (this.#fresh) StreamFlusher.of(this.loop).add(this);
    else this.#arm();
  }

  /** The burst is over. */
  flush(): void {
    if (this.#reading) this.#arm();
  }

  /** Received data stays here. The receive in flight stays too, as most pauses are short. */
  pause(): void {
    this.#reading = false;
    this.#setReferenced(false);
  }

  /** Another process gets the socket: what comes is its own, unless the stream reads again. */
  yield(): void {
    this.pause();
    if (this.slot < 0) return;
    this.#cancel();
    this.loop.poll();
  }

  refresh(): void {
    this.#setReferenced(this.#reading && this.#handle.referenced);
  }

  #setReferenced(referenced: boolean): void {
    if (this.referenced !== referenced) this.loop.setReferenced(this, referenced);
  }

  /** Stops receiving, and calls `onStopped` once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#stopped = true;
    this.#reading = false;
    this.#dropAll();
    if (this.slot < 0) {
      onStopped();
      return;
    }
    this.#onStopped = onStopped;
    this.#setReferenced(true);
    this.loop.cancel(this);
  }

  #dropAll(): void {
    while (this.#chunks.shift() !== null) this.#count--;
    this.#unread = 0;
  }

  #arm(): void {
    if (this.slot >= 0 || this.#ended || this.#stopped || this.loop.closing) return;
    if (this.#unread >= UNREAD_MAX) return;
    this.#fresh = false;
    this.#polling = receivesByCalls(this.#mode);
    const entry = this.loop.start(this);
    if (this.#polling) entry.pollAdd(this.#handle.fd, POLLIN);
    else entry.recvMultishot(this.#handle.fd, this.#buffers.group);
  }

  complete(res: number, flags: number): void {
    if (this.#polling) {
      this.#polling = false;
      if (res > 0) res = this.#receiveByCall();
      if (res <= 0) this.#noBytes(res);
    } else if (res > 0) {
      if (this.#stopped) this.#buffers.drop(res, flags);
      else {
        const chunk = this.#newChunk();
        this.#buffers.takePiece(res, flags, chunk);
        this.#received(chunk);
      }
    } else {
      if (hasBuffer(flags)) this.#buffers.giveBack(flags);
      this.#noBytes(res);
    }
    if (hasMore(flags)) {
      if (receivesByCalls(this.#mode) || (this.#unread >= UNREAD_MAX && !this.#reading)) this.#cancel();
      return;
    }
    this.#pausing = false;
    if (this.#onStopped !== null) {
      const onStopped = this.#onStopped;
      this.#onStopped = null;
      onStopped();
    } else if (this.#reading) this.#arm();
  }

  /** Receives available data; what the stream does not read stays in the kernel. */
  #receiveByCall(): number {
    if (!this.#reading) return EAGAIN;
    const res = receiveInto(this.loop.socketCalls, this.#handle.fd);
    if (res > 0) {
      const chunk = this.#newChunk();
      receivedPiece(res, chunk);
      this.#received(chunk);
    }
    return res;
  }

  #noBytes(res: number): void {
    const over = res !== ENOBUFS && res !== EINTR && res !== ECANCELED && res !== EAGAIN;
    if (!over || this.#stopped) return;
    const { fd, madeSender } = this.#handle;
    if (res === 0 && wasReset(fd, madeSender, this.bytesRead + this.#unread)) res = ECONNRESET;
    this.#end(res === 0 ? UV_EOF : res);
    if (res !== 0) return;
    this.#handle.peerEnded = true;
    if (this.loop.backend === 'io_uring') madeSender?.yieldBlock();
  }

  #cancel(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.loop.cancel(this);
  }

  #received(chunk: Chunk): void {
    if (this.loop.inline.enabled) this.#mode = modeAfter(this.#mode, chunk.length);
    this.#unread += chunk.length;
    this.#push(chunk);
  }

  #end(status: number): void {
    this.#ended = true;
    const chunk = this.#newChunk();
    chunk.length = status;
    this.#push(chunk);
  }

  #newChunk(): Chunk {
    const spare = this.#spare;
    this.#spare = null;
    return spare ?? new Chunk();
  }

  #push(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#count++;
    if (!this.#reading) return;
    this.#posted++;
    this.loop.deliver(this);
  }

  deliver(): void {
    this.#posted--;
    if (!this.#reading || this.#count === 0) return;
    this.#handle.scope.runInAsyncScope(this.#emit, this);
    // There was no room before.
    if (this.slot < 0 && this.#reading) this.#arm();
  }

  #emit(): void {
    if (this.#userBuffer !== null) {
      this.#emitInto(this.#userBuffer);
      return;
    }
    const chunk = this.#chunks.shift()!;
    this.#count--;
    const { buffer, offset, length } = chunk;
    chunk.buffer = NO_MEMORY;
    this.#spare = chunk;
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = this.#state;
    streamBaseState[kReadBytesOrError] = length;
    if (length > 0) {
      this.#unread -= length;
      this.bytesRead += length;
      streamBaseState[kArrayBufferOffset] = offset;
      this.#handle.onread(buffer);
    } else this.#handle.onread(undefined);
  }

  /** Copies what fits into the program's own buffer; the rest comes next. */
  #emitInto(buffer: Uint8Array): void {
    const chunk = this.#chunks.first!;
    const { streamBaseState, kReadBytesOrError } = this.#state;
    const length = Math.min(chunk.length, buffer.length);
    if (length > 0) {
      buffer.set(new Uint8Array(chunk.buffer, chunk.offset, length));
      chunk.offset += length;
      chunk.length -= length;
      this.#unread -= length;
      this.bytesRead += length;
    }
    if (chunk.length <= 0) {
      this.#chunks.shift();
      this.#count--;
    } else {
      this.#posted++;
      this.loop.deliver(this);
    }
    streamBaseState[kReadBytesOrError] = length;
    const next = this.#handle.onread(undefined);
    if (next !== undefined && length > 0) this.#userBuffer = next as Uint8Array;
  }
}
