import type { Loop } from '../../loop/loop.js';
import { BLOCK_MAX, type Block, type BlockWaiter } from '../../loop/memory/blocks.js';
import { Operation } from '../../loop/operation/operation.js';
import type { Subject } from '../../loop/operation/pending.js';
import { awaitWritable, isWritable, sentBy, startSend } from '../../net/socket/block-send.js';
import { Queue } from '../../net/socket/queue.js';
import { EAGAIN, ECANCELED, ECONNRESET, EFAULT, EINTR, EPIPE } from '../../sys/abi/errno.js';
import { SHUT_WR } from '../../sys/abi/sockets.js';
import { libc } from '../../sys/libc/libc.js';
import { lengthOf } from '../parts.js';
import type { RequestDone } from '../request-done.js';
import { CopiedBytes } from './copied-bytes.js';
import { StreamFlusher } from './flusher.js';
import { copyWaiting, lengthWaiting, WaitingWrite } from './waiting-write.js';

/** From this size on, a copy costs more than a call of its own. */
export const IN_PLACE_MIN = 4096;

/**
 * A write is done once it is copied if at most this many bytes are unsent; other writes wait until the kernel takes
 * them.
 */
export const COPIED_MAX = 65536;

/** The handle that a sender belongs to. */
interface SendingHandle extends Subject {
  readonly fd: number;
  /** Whether the peer sends no more. */
  readonly peerEnded: boolean;
  /** A write has failed that Node was told had succeeded. */
  onSendFailed(status: number): void;
}

/**
 * The sending side of a handle. Small writes are copied into a block, and sent together when the current burst of code
 * is over: by a plain call if the socket takes them at once, else through the ring.
 */
export class StreamSender extends Operation implements BlockWaiter {
  /** The number of bytes written. */
  bytesWritten = 0;
  /** The number of those that the kernel has not taken. */
  unsent = 0;
  /** The error that prevents further sends: a negative errno. */
  error = 0;
  readonly #handle: SendingHandle;
  readonly #flusher: StreamFlusher;
  readonly #copied: CopiedBytes;
  /** The bytes in flight, and the part of them that is not sent. */
  #flying: Block | null = null;
  #from = 0;
  #to = 0;
  readonly #waiting = new Queue<WaitingWrite>();
  #dirty = false;
  #waitsForBlock = false;
  #yielding = false;
  #polling = false;
  /** Whether the last send took less than it had, maybe because of an error: the kernel does not tell it again. */
  #cutShort = false;
  /** The request of `shutdown`. */
  #ending: RequestDone | null = null;
  #onDrained: (() => void) | null = null;

  constructor(loop: Loop, handle: SendingHandle) {
    super(loop);
    this.#handle = handle;
    this.#flusher = StreamFlusher.of(loop);
    this.#copied = new CopiedBytes(loop.blocks, this.#flusher.outbox);
    this.subject = handle;
  }

  override get syscall(): string {
    return 'write';
  }

  #busy(): boolean {
    return this.slot >= 0 || this.#waitsForBlock;
  }

  /** Whether nothing waits to be sent. */
  get idle(): boolean {
    return this.#copied.length === 0 && this.#flying === null && this.#waiting.first === null;
  }

  /** Space for `length` more bytes, starting at `at`; null if they have to wait. */
  room(length: number): Buffer | null {
    if (this.error !== 0 || this.#waiting.first !== null || this.loop.closing) return null;
    if (this.unsent + length > COPIED_MAX) return null;
    return this.#copied.room(length);
  }

  /** Sends large writes in place, as much as the socket takes at once; returns the number of bytes. */
  sendInPlace(parts: readonly Uint8Array[]): number {
    if (this.error !== 0 || !this.idle || this.#busy() || this.#ending !== null) return 0;
    const length = lengthOf(parts);
    if (!this.loop.inline.take(length, parts.length)) return 0;
    const res = this.loop.socketCalls.sendParts(this.#handle.fd, parts);
    // The socket reports it only once.
    if (res < 0) this.error = res;
    // As Node counts: what a failed write would have written, too.
    this.bytesWritten += res < 0 ? length : res;
    return Math.max(res, 0);
  }

  /** The position of the next byte in the memory of `room`. */
  get at(): number {
    return this.#copied.end;
  }

  /** Bytes were written there. */
  filled(length: number): void {
    this.#copied.add(length);
    this.#wrote(length);
  }

  /** Sends bytes that do not fit. */
  later(bytes: Uint8Array, done: RequestDone | null): void {
    this.#waiting.push(new WaitingWrite(bytes, done));
    this.#wrote(bytes.length);
  }

  #wrote(length: number): void {
    this.bytesWritten += length;
    this.unsent += length;
    if (this.#dirty) return;
    this.#dirty = true;
    this.#flusher.add(this);
  }

  /** Shuts down this side once everything is sent. */
  shutdown(done: RequestDone): void {
    this.#ending = done;
    if (this.error !== 0) this.#ended(this.error);
    else if (this.idle) this.#drained();
    else if (!this.#dirty && !this.#busy()) this.flush();
  }

  /** Sends what was reported as written, and drops the rest; calls `onDrained` when nothing is left. */
  finish(onDrained: () => void): void {
    this.#cancelWaiting(ECANCELED, true);
    if (this.#ending !== null) this.#ended(ECANCELED);
    if (this.idle || this.error !== 0) this.#whenIdle(onDrained);
    else {
      this.#onDrained = onDrained;
      if (!this.#busy()) this.flush();
    }
  }

  /** Drops everything. */
  abort(onDrained: () => void): void {
    if (this.error === 0) this.#fail(ECANCELED);
    this.#whenIdle(onDrained);
    if (this.slot >= 0) this.loop.cancelForSure(this);
  }

  #whenIdle(onDrained: () => void): void {
    if (this.slot < 0) onDrained();
    else this.#onDrained ??= onDrained;
  }

  flush(): void {
    this.#dirty = false;
    if (this.error !== 0) return;
    if (this.loop.closing) {
      if (!this.#busy()) this.#fail(ECANCELED);
      return;
    }
    const copied = this.#copied;
    if (copied.inOutbox && !this.#sendCopied(copied)) {
      if (this.error !== 0) return;
      if (!copied.keep(0)) this.#putFirst(copied.takeCopy());
    }
    if (!this.#busy()) this.#send();
  }

  /** Sends what is in the outbox, as far as the socket takes it at once; whether that was all. */
  #sendCopied(copied: CopiedBytes): boolean {
    const { length } = copied;
    if (this.#busy() || !this.loop.inline.takeAnswer(length)) return false;
    const res = this.loop.socketCalls.sendAt(this.#handle.fd, copied.address, length);
    if (res < 0) {
      if (res !== EAGAIN && res !== EINTR) this.#fail(res);
      return false;
    }
    this.unsent -= res;
    copied.sent(res);
    return res === length;
  }

  /** Puts bytes that were reported as written before all that wait. */
  #putFirst(bytes: Buffer): void {
    const behind = this.#waiting.takeAll();
    this.#waiting.push(new WaitingWrite(bytes, null));
    for (const waiting of behind) this.#waiting.push(waiting);
  }

  #send(): void {
    for (;;) {
      if (this.loop.closing) {
        this.#fail(ECANCELED);
        return;
      }
      // The flush of this burst sends what is in the outbox.
      if (this.#copied.inOutbox) return;
      this.#from = 0;
      this.#to = this.#copied.length;
      this.#flying = this.#copied.takeBlock() ?? this.#fill();
      if (this.#flying === null) {
        if (this.idle) this.#drained();
        return;
      }
      if (!this.#sendNow(this.#flying)) {
        if (this.error === 0) this.#start();
        return;
      }
      this.#taken();
      if (this.#waiting.empty) {
        this.#drained();
        return;
      }
    }
  }

  /** Sends what the socket takes at once; returns whether that was everything. */
  #sendNow(block: Block): boolean {
    const length = this.#to;
    if (!this.loop.inline.takeAnswer(length)) return false;
    const res = this.loop.socketCalls.sendAt(this.#handle.fd, block.address, length);
    if (res < 0) {
      if (res !== EAGAIN && res !== EINTR) this.#fail(res);
      return false;
    }
    this.#from = res;
    this.unsent -= res;
    return res === length;
  }

  #start(): void {
    // A send that waits would take a thread of the kernel: see `awaitWritable`.
    if (this.#handle.peerEnded && this.loop.backend === 'io_uring') {
      this.#yield();
      return;
    }
    const block = this.#flying!;
    this.#yielding = false;
    startSend(this, this.#handle.fd, block.address + this.#from, this.#to - this.#from, false);
  }

  /** A block with waiting bytes; null if there are none, they are gone, or there is no memory. */
  #fill(): Block | null {
    const { first } = this.#waiting;
    if (first === null) return null;
    if (first.isGone) {
      this.#fail(EFAULT);
      return null;
    }
    const block = this.loop.blocks.acquire(lengthWaiting(first, BLOCK_MAX));
    if (block === null) {
      this.#waitsForBlock = true;
      this.loop.blocks.wait(this);
      return null;
    }
    this.#to = copyWaiting(first, block.bytes);
    return block;
  }

  blockReleased(): void {
    this.#waitsForBlock = false;
    if (this.error === 0) this.#send();
    else this.#settle();
  }

  override yieldBlock(): boolean {
    if (this.#flying === null || this.#yielding || this.slot < 0) return false;
    this.#yielding = true;
    this.loop.cancelForSure(this);
    return true;
  }

  /** Memory is short, or the peer sends no more: keeps the rest in JavaScript memory until the peer takes more. */
  #yield(): void {
    const block = this.#flying!;
    // Later writes come after it.
    if (this.#copied.length !== 0) this.#putFirst(this.#copied.takeCopy());
    this.#putFirst(Buffer.from(block.bytes.subarray(this.#from, this.#to)));
    this.#polling = true;
    awaitWritable(this, this.#handle.fd);
    this.#release();
  }

  complete(res: number, flags: number): void {
    if (this.#polling) {
      if (!isWritable(this, res, flags)) return;
      this.#polling = false;
      if (this.error === 0) this.#send();
      else this.#settle();
      return;
    }
    const usable = this.error === 0 && !this.loop.closing;
    if (usable) res = sentBy(res, this.#yielding);
    if (res >= 0 && this.#flying !== null) {
      this.unsent -= res;
      this.#from += res;
      if (this.#from < this.#to && usable) {
        this.#cutShort = true;
        if (this.#yielding) this.#yield();
        else this.#start();
        return;
      }
    }
    if (this.error === 0 && res < 0) this.#fail(res);
    else if (this.error === 0) {
      this.#taken();
      if (this.idle) this.#drained();
      else this.#send();
      return;
    }
    this.#release();
    this.#settle();
  }

  #release(): void {
    const block = this.#flying;
    this.#flying = null;
    this.#yielding = false;
    if (block !== null) this.loop.blocks.release(block);
  }

  /** Everything in flight has been sent. */
  #taken(): void {
    this.#cutShort = false;
    this.#release();
    let { first } = this.#waiting;
    for (; first !== null && first.copied === first.length; first = this.#waiting.first) {
      this.#waiting.shift();
      first.done?.settle(0);
    }
  }

  #drained(): void {
    if (this.#ending !== null) this.#ended(libc().shutdown(this.#handle.fd, SHUT_WR));
    this.#settle();
  }

  #ended(status: number): void {
    const ending = this.#ending!;
    this.#ending = null;
    ending.settle(status);
  }

  #settle(): void {
    const onDrained = this.#onDrained;
    if (onDrained === null || this.slot >= 0) return;
    this.#onDrained = null;
    onDrained();
  }

  /** Nothing more can be sent. Fails waiting writes, or else the stream, as its data was reported as written. */
  #fail(status: number): void {
    if (status === EPIPE && this.#cutShort && !this.#handle.peerEnded) status = ECONNRESET;
    this.error = status;
    const told = !this.#waiting.empty || this.#ending !== null;
    this.unsent = 0;
    this.#copied.drop();
    if (this.slot < 0) this.#release();
    this.#cancelWaiting(status);
    if (this.#ending !== null) this.#ended(status);
    if (!told && status !== ECANCELED) this.#handle.onSendFailed(status);
    this.#settle();
  }

  /** @param keepsReported whether bytes stay whose write was reported as done. */
  #cancelWaiting(status: number, keepsReported = false): void {
    for (const waiting of this.#waiting.takeAll()) {
      if (keepsReported && waiting.done === null) {
        this.#waiting.push(waiting);
        continue;
      }
      this.unsent -= waiting.length - waiting.copied;
      waiting.done?.settle(status);
    }
    if (this.unsent < 0) this.unsent = 0;
  }
}
