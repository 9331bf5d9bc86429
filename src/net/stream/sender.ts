/** The sending side of a connection. */
import { BLOCK_MAX, type Block, type BlockWaiter } from '../../loop/memory/blocks.js';
import { copyPooled } from '../../loop/memory/buffer-memory.js';
import { pinnedAddress } from '../../loop/memory/pinned.js';
import { promiseOf } from '../../loop/operation/deferred.js';
import { rejectTraced } from '../../loop/operation/traced.js';
import { type Flushable, Flusher } from '../../loop/turns/flusher.js';
import { EOPNOTSUPP } from '../../sys/abi/errno.js';
import { UTF8_MAX } from '../../sys/calls/socket-calls.js';
import { closedError, errorFrom, kept, systemError } from '../../sys/errors/errors.js';
import { awaitWritable, isWritable, sentBy, startSend } from '../socket/block-send.js';
import { type ConnectionState, failed } from '../socket/diagnostics.js';
import { detailsOf } from '../socket/peer-name.js';
import { Queue } from '../socket/queue.js';
import { isSentInPlace, isSentNow, restOf, sendNow } from './send-now.js';
import {
  followed,
  GATHERING,
  HELD,
  IDLE,
  IN_FLIGHT,
  POLLING,
  SENDING,
  type SenderState,
  WAITING,
  YIELDING,
  ZERO_COPY,
} from './sender-state.js';
import { SendingSide } from './sending-side.js';
import { blockForText, canRewind, copyWrites, lengthToCopy, PendingWrite, rewind, SENT } from './write.js';
import { ZeroCopy } from './zero-copy-send.js';

/**
 * The sending side of a connection. One send is in flight at a time, from a block of runtime memory, or in place for
 * pinned and lent bytes. Writes that come meanwhile queue in order, and copied ones are sent together in the next.
 */
export class Sender extends SendingSide implements BlockWaiter, Flushable {
  /** The writes whose bytes are in the block, then the waiting ones; null before the first. */
  #writes: Queue<PendingWrite> | null = null;
  #block: Block | null = null;
  /** Set if some sends are zero-copy. */
  #zeroCopy: ZeroCopy | null = null;
  /** The pinned memory that is being sent. If the loop closes meanwhile, the kernel may still read it. */
  source: Uint8Array | null = null;
  /** The unsent rest, by address. */
  #from = 0;
  #to = 0;
  #state: SenderState = IDLE;
  /** HELD: cancels the holder's work. */
  #holder: (() => void) | null = null;

  /** Whether the kernel has every byte. */
  get drained(): boolean {
    return (this.#writes === null || this.#writes.empty) && this.#state !== HELD;
  }

  override get idle(): boolean {
    return this.drained && (IN_FLIGHT & this.#state) === 0;
  }

  /** The minimum size of a zero-copy send, in bytes; Infinity for none. */
  set zeroCopyFrom(bytes: number) {
    if (this.#zeroCopy === null && bytes === Number.POSITIVE_INFINITY) return;
    this.#zeroCopy ??= new ZeroCopy();
    this.#zeroCopy.from = bytes;
  }

  /** Resolves when the kernel has taken every byte. */
  override write(data: string | Uint8Array): Promise<void> {
    if (this.ended || this.error !== null || this.loop.closing) return Promise.reject(this.refusal);
    if (this.#state === IDLE && this.drained && !this.deferred && this.#isSentNow(data)) {
      const rest = this.#sendNow(data);
      if (rest === null)
        return this.error === null || this.posting ? SENT : Promise.reject(errorFrom(this.error));
      data = rest;
    }
    if (typeof data === 'string') {
      if (this.#state === IDLE && this.drained && !this.inBurst() && data.length <= BLOCK_MAX / UTF8_MAX)
        return this.#writeText(data);
      data = Buffer.from(data);
    }
    const write = PendingWrite.of(data, data.length, 0);
    const promise = this.posting ? SENT : promiseOf(write);
    // For a zero-copy send too, the bytes would have to stay unchanged for longer than the call.
    if (this.#zeroCopy === null || data.length < this.#zeroCopy.from) write.address = pinnedAddress(data);
    if (write.length === 0 && this.drained) write.taken();
    else this.#push(write);
    return promise;
  }

  #isSentNow(data: string | Uint8Array): boolean {
    if (!this.bursts && isSentNow(this.loop, data, this.sentAt)) return true;
    return this.#zeroCopy === null && isSentInPlace(this.loop, data);
  }

  /** Sends what the socket takes at once; returns the rest, null if there is none. */
  #sendNow(data: string | Uint8Array): string | Uint8Array | null {
    this.sentAt = this.loop.completed;
    const sent = sendNow(this.loop, this.fd, data);
    if (sent < 0) {
      this.#fail(systemError(sent, 'write', detailsOf(this.peer)));
      return null;
    }
    this.bytesWritten += sent;
    return restOf(this.loop, data, sent);
  }

  #queue(write: PendingWrite): void {
    this.#writes ??= new Queue();
    this.#writes.push(write);
    this.bufferedAmount += write.length;
  }

  #push(write: PendingWrite): void {
    this.#queue(write);
    if (this.#state !== IDLE) return;
    if (write.copies && this.inBurst()) {
      this.#state = followed(this.#state, GATHERING);
      Flusher.of(this.loop).add(this);
    } else this.#start();
  }

  /** The burst is over: what was gathered leaves. */
  flush(): void {
    if (this.#state !== GATHERING) return;
    this.#state = followed(this.#state, IDLE);
    const { first } = this.#writes!;
    this.bursts = first?.next != null;
    if (this.loop.closing) this.#fail(closedError('The loop'));
    else if (first?.isAlone && isSentNow(this.loop, first.data, -1)) this.#sendAlone(first);
    else if (first !== null) this.#start();
  }

  /** What was gathered alone may be one of many writes that are awaited one after the other: the next is sent at once. */
  #sendAlone(write: PendingWrite): void {
    const rest = this.#sendNow(write.data);
    this.sentAt = -1;
    if (this.error !== null) return;
    write.copied = write.length - (rest?.length ?? 0);
    this.bufferedAmount -= write.copied;
    this.#taken();
  }

  /**
   * Lends the socket to the caller: resolves when earlier writes have been taken; later writes wait for `release()`.
   * `giveUp` is called if the connection is reset meanwhile.
   */
  hold(giveUp: () => void): Promise<void> {
    if (this.refusal !== null) return Promise.reject(this.refusal);
    const write = PendingWrite.ofLength(0, 0);
    const promise = promiseOf(write);
    write.holder = giveUp;
    this.#push(write);
    return promise;
  }

  /** Cancels a waiting `hold`, which rejects with `error`. */
  unhold(giveUp: () => void, error: Error): void {
    // A refused hold has never waited.
    const write = this.#writes?.find(({ holder }) => holder === giveUp) ?? null;
    if (write === null) return;
    this.#writes!.remove(write);
    rejectTraced(write, error);
  }

  /** Ends a `hold`; with an error if nothing more can be sent. */
  release(error?: Error): void {
    this.#state = followed(this.#state, IDLE);
    this.#holder = null;
    if (error !== undefined) this.error ??= error;
    if (this.error !== null) this.#drop(this.error);
    else if (!this.#writes!.empty) this.#start();
    else this.settleDrained();
  }

  /** Text is written to the block directly, without a Buffer. */
  #writeText(text: string): Promise<void> {
    const block = this.#state === WAITING ? null : blockForText(this.loop.blocks, text);
    if (block === null) return this.write(Buffer.from(text));
    return this.#writeFilled(block, block.bytes.write(text));
  }

  /** Sends the first `length` bytes of a block, which belongs to the sender from now on. */
  writeBlock(block: Block, length: number): Promise<void> {
    const refusal = this.refusal;
    if (refusal === null && this.#state === IDLE && this.drained) return this.#writeFilled(block, length);
    // Copied, because the peer may never take the earlier writes, and the block must not wait for that.
    const bytes = copyPooled(block.bytes.subarray(0, length));
    // A block of the reader's loop; this one's may have been closed since.
    block.pool.release(block);
    return refusal === null ? this.write(bytes) : Promise.reject(refusal);
  }

  /** Sends bytes of the runtime in place; they stay unchanged until the promise is settled. */
  writeAt(address: number, length: number): Promise<void> {
    if (this.refusal !== null) return Promise.reject(this.refusal);
    const write = PendingWrite.ofLength(length, 0);
    const promise = promiseOf(write);
    write.address = address;
    this.#push(write);
    return promise;
  }

  #writeFilled(block: Block, length: number): Promise<void> {
    const write = PendingWrite.ofLength(length, length);
    const promise = this.posting ? SENT : promiseOf(write);
    this.#queue(write);
    this.#block = block;
    this.#send(block.address, length);
    return promise;
  }

  /** Copies as much of the waiting writes as a block holds, and sends it. */
  #fill(): void {
    const writes = this.#writes!;
    const first = writes.first!;
    if (first.holder !== null) {
      this.#taken();
      return;
    }
    if (first.address !== 0 && !first.detached) {
      this.#sendInPlace(first);
      return;
    }
    const block = this.loop.blocks.acquire(lengthToCopy(writes, BLOCK_MAX));
    if (block === null) {
      this.#state = followed(this.#state, WAITING);
      this.loop.blocks.wait(this);
      return;
    }
    const end = copyWrites(writes, block.bytes);
    if (end === 0) {
      // Only empty writes, or one whose buffer was detached.
      this.loop.blocks.release(block);
      if (first.failure === null) this.#taken();
      else this.#fail(first.failure);
      return;
    }
    this.#block = block;
    this.#send(block.address, end);
  }

  /** The kernel reads pinned memory in place; the write keeps it from being collected. */
  #sendInPlace(write: PendingWrite): void {
    const length = Math.min(write.length - write.copied, BLOCK_MAX);
    const from = write.address + write.copied;
    write.copied += length;
    this.source = write.data;
    this.#send(from, length);
  }

  blockReleased(): void {
    // The waiting writes may have been abandoned.
    if (this.#state !== WAITING) return;
    this.#state = followed(this.#state, IDLE);
    if (!this.#writes!.empty) this.#start();
  }

  /** Sends waiting data; a failure is the writes' failure. */
  #start(): void {
    try {
      this.#fill();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #send(address: number, length: number): void {
    this.deferred = false;
    this.#from = address;
    this.#to = address + length;
    const zeroCopy = this.#zeroCopy;
    if (!this.peerEnded && zeroCopy?.takes(this.#block, length)) {
      this.#block = null;
      zeroCopy.start(this, this.fd, address, length, res => this.#zeroCopied(zeroCopy, res));
      this.#state = followed(this.#state, ZERO_COPY);
      return;
    }
    const yields = this.peerEnded
      ? canRewind(this.#writes!, this.#block)
      : this.#block !== null && this.loop.blocks.short;
    startSend(this, this.fd, address, length, yields);
    this.#state = followed(this.#state, yields ? YIELDING : SENDING);
  }

  #zeroCopied(zeroCopy: ZeroCopy, res: number): void {
    if (res === EOPNOTSUPP && this.error === null && !this.loop.closing) {
      // The error of Unix sockets.
      zeroCopy.from = Number.POSITIVE_INFINITY;
      this.#send(this.#from, this.#to - this.#from);
    } else this.complete(res);
  }

  /** Whether waiting sends keep the process alive. */
  setReferenced(referenced: boolean): void {
    this.loop.setReferenced(this, referenced);
    const send = this.#zeroCopy?.send;
    if (send) this.loop.setReferenced(send, referenced);
  }

  override yieldBlock(): boolean {
    return this.#block !== null && this.pollInstead();
  }

  protected override pollInstead(): boolean {
    if (this.#state !== SENDING || !canRewind(this.#writes!, this.#block)) return false;
    this.#state = followed(this.#state, YIELDING);
    this.loop.cancelForSure(this);
    return true;
  }

  /** Returns the block: the rest is copied once more, or sent in place, when the peer takes it. */
  #yield(): void {
    const block = this.#block;
    rewind(this.#writes!, block, this.#from, this.#to);
    this.#block = null;
    this.#state = followed(this.#state, POLLING);
    awaitWritable(this, this.fd);
    if (block !== null) this.loop.blocks.release(block);
  }

  complete(res: number, flags = 0): void {
    if (this.#state === POLLING && !isWritable(this, res, flags)) return;
    const usable = this.error === null && !this.loop.closing;
    if (this.#state === POLLING) {
      this.#state = followed(this.#state, IDLE);
      // The next send reports the socket's error.
      if (usable) this.#taken();
      else this.#fail(this.error ?? closedError('The loop'));
      return;
    }
    if (usable) res = sentBy(res, this.#state === YIELDING);
    if (res >= 0) {
      this.bytesWritten += res;
      this.bufferedAmount -= res;
      this.#from += res;
      if (this.#from < this.#to && usable) {
        if (this.#state === YIELDING) this.#yield();
        else this.#send(this.#from, this.#to - this.#from);
        return;
      }
    }
    this.#state = followed(this.#state, IDLE);
    if (!this.loop.closing) this.source = null;
    if (this.#block !== null) {
      this.loop.blocks.release(this.#block);
      this.#block = null;
    }
    this.#zeroCopy?.release();
    if (this.error !== null) this.#drop(this.error);
    else if (this.loop.closing) this.#fail(closedError('The loop'));
    else if (res < 0) this.#fail(systemError(res, 'write', detailsOf(this.peer)));
    else this.#taken();
  }

  /** Everything in flight has been sent: its writes resolve, and the next ones start. */
  #taken(): void {
    const writes = this.#writes!;
    for (let write = writes.first; write !== null; write = writes.first) {
      if (write.copied !== write.length) break;
      writes.shift();
      const { holder } = write;
      write.taken();
      if (holder === null) continue;
      this.#holder = holder;
      this.#state = followed(this.#state, HELD);
      return;
    }
    if (!writes.empty) this.#start();
    else this.settleDrained();
  }

  #fail(error: Error): void {
    this.error = kept(error);
    if (this.subject !== null) failed(this.subject as ConnectionState, error);
    this.endPipes(error);
    this.#drop(error);
  }

  #drop(error: Error): void {
    this.bufferedAmount = 0;
    if (this.#writes !== null) {
      for (const write of this.#writes.takeAll()) rejectTraced(write, errorFrom(error));
    }
    this.settleDrained();
  }

  /** Abandons unsent data: its writes reject. */
  abort(error: Error = closedError('The connection')): void {
    if (this.error === null) this.error = error;
    this.endPipes(error);
    if (this.#state === ZERO_COPY) this.loop.cancel(this.#zeroCopy!.send!);
    else if (this.#state === HELD) this.#holder!();
    else if ((IN_FLIGHT & this.#state) !== 0) this.loop.cancel(this);
    else {
      this.#state = followed(this.#state, IDLE);
      this.#drop(this.error);
    }
  }
}
