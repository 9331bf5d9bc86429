import type { Loop } from '../../loop/loop.js';
import { copyPooled } from '../../loop/memory/buffer-memory.js';
import { hasBuffer, hasMore } from '../../loop/operation/completion.js';
import { Operation } from '../../loop/operation/operation.js';
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import { EAGAIN, ECANCELED, ECONNRESET, EINTR, ENOBUFS } from '../../sys/abi/errno.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { errorFrom, systemError } from '../../sys/errors/errors.js';
import type { FdReceiver } from '../socket/received-fds.js';
import { type Discard, Ending } from './ending.js';
import { ReadQueue } from './read-queue.js';
import { ALL, CHUNK, INTO, Reader, type ReaderOwner, type ReadValue } from './reader.js';
import { ReceiveBuffers } from './receive-buffers.js';
import { isReady, receiveFor, settle, takesCalls } from './receive-call.js';
import { LARGE, modeAfter, PROVIDED, receivesByCalls } from './receive-mode.js';
import type { ReceiverOwner } from './receiver-owner.js';
import { wasReset } from './reset.js';
import type { Sink } from './sink.js';

/**
 * The receiving side of a connection: one multishot receive that stays armed once a first read has requested data. A
 * read into pinned memory replaces it by a receive that fills that memory in place, and large chunks by separate calls
 * (see `receive-mode`). `ReadQueue` has the readers and the unread bytes.
 */
export class Receiver extends Operation implements ReaderOwner {
  bytesRead = 0;
  readonly #owner: ReceiverOwner;
  readonly #buffers: ReceiveBuffers;
  readonly #reads: ReadQueue;
  #fd: number;
  /** The memory that the kernel fills in place. If the loop ends meanwhile, the kernel may still write to it. */
  target: Uint8Array | null = null;
  #pausing = false;
  /** Whether a poll is in flight, after which `fds` or a call receives. */
  #polling = false;
  #mode = PROVIDED;
  /** Whether the last reader can take the data of a call. */
  #callable = false;
  /** Set once reading has ended on this side. */
  #ending: Ending | null = null;

  constructor(loop: Loop, fd: number, owner: ReceiverOwner) {
    super(loop);
    this.#fd = fd;
    this.#owner = owner;
    this.#buffers = ReceiveBuffers.of(loop);
    this.#reads = new ReadQueue(loop, owner);
  }

  override get syscall(): string {
    return 'read';
  }

  /** A Unix socket's descriptors, if it accepts any: nothing is received before the first read. */
  get fds(): FdReceiver | null {
    return this.#reads.fds;
  }

  set fds(fds: FdReceiver | null) {
    this.#reads.fds = fds;
  }

  // --- Readers ------------------------------------------------------------------------------------

  /** A reader to prepare, which `start` then queues. */
  newReader(): Reader {
    return Reader.of(this);
  }

  /** Settles a reader once its data is there. */
  start(reader: Reader, options: WaitOptions | undefined): Promise<ReadValue> {
    const promise = reader.wait(options, this.referenced);
    this.#callable = takesCalls(reader);
    this.#reads.add(reader);
    this.#arm();
    return promise;
  }

  /** A sink can take more. */
  resume(): void {
    this.#reads.serve();
    if (this.waitedFor) this.#arm();
  }

  /** A sink can take no more: its `forward` rejects, and the rest stays unread. */
  unforward(sink: Sink, error: Error): void {
    const reader = this.#reads.readerInto(sink);
    if (reader === null) return;
    reader.settled();
    this.forget(reader);
    reader.fail(errorFrom(error));
  }

  /** Puts bytes back, to be read before all others. */
  unread(bytes: Buffer): void {
    this.#reads.unread(bytes);
    if (this.#reads.filling) this.loop.cancel(this);
    this.#reads.serve();
  }

  /** Rejects the readers that wait. */
  timeOut(): void {
    this.#reads.timeOut();
  }

  /** A reader has given up. */
  forget(reader: Reader): void {
    this.#reads.remove(reader);
    if (this.waitedFor) this.#arm();
  }

  /** Whether a reader waits. */
  get waitedFor(): boolean {
    return this.#reads.first !== null;
  }

  /** Whether it keeps the process alive, with the timeouts of its readers. */
  setReferenced(referenced: boolean): void {
    this.loop.setReferenced(this, referenced);
    this.#reads.setReferenced(referenced);
  }

  /** How many readers wait. */
  get waiting(): number {
    return this.#reads.length;
  }

  /** Bytes that wait here to be read. */
  get unreadBytes(): number {
    return this.#reads.bytes.length;
  }

  // --- Receiving ----------------------------------------------------------------------------------

  #arm(): void {
    const reads = this.#reads;
    if (reads.over || this.#ending !== null || this.loop.closing) return;
    const reader = reads.first;
    const inPlace = reader !== null && reader.wish.address !== 0 && reads.fds === null;
    if (this.slot >= 0) {
      if (inPlace && !reads.filling) this.#pause();
      return;
    }
    const { madeSender } = this.#owner;
    if (madeSender?.deferred) madeSender.connect();
    const hasRoom = reads.bytes.length === 0 || reads.bytes.hasRoom(reads.wanted);
    if (inPlace) this.#fill(reader);
    else if (reads.fds !== null) this.#poll();
    else if (hasRoom && this.#byCalls()) this.#receiveByCalls();
    else if (hasRoom) this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  #poll(): void {
    this.#polling = true;
    this.loop.start(this).pollAdd(this.#fd, POLLIN);
  }

  /** Whether the reader that waits, or else the last one, can take the data of a call. */
  #takesCalls(): boolean {
    const { first } = this.#reads;
    return first === null ? this.#callable : takesCalls(first);
  }

  #byCalls(): boolean {
    return receivesByCalls(this.#mode) && this.#takesCalls();
  }

  /** Whether a receive is in flight that stays there, and reports a reset by the peer. */
  get armed(): boolean {
    return this.slot >= 0 && !this.#polling && !this.#byCalls();
  }

  /** Receives for waiting readers, as long as there is data. Data without a reader stays in the kernel. */
  #receiveByCalls(): void {
    const reads = this.#reads;
    // A sink may resume, or close the connection.
    for (let reader = reads.first; reader !== null && this.slot < 0; reader = reads.first) {
      if (this.#ending !== null) return;
      if (reader.detached) {
        reads.serve();
        continue;
      }
      if (!takesCalls(reader)) break;
      if (!isReady(reader)) return;
      if (!this.loop.inline.take(LARGE)) break;
      const res = receiveFor(reader, this.loop.socketCalls, this.#fd);
      if (res === EAGAIN || res === EINTR) break;
      if (res <= 0) {
        this.#noBytes(res);
        reads.serve();
        return;
      }
      this.bytesRead += res;
      if (res > LARGE) this.loop.inline.take(res - LARGE, 0);
      this.#mode = modeAfter(this.#mode, res);
      settle(reads, reader, res);
    }
    if (reads.first === null || this.slot >= 0) return;
    if (takesCalls(reads.first)) this.#poll();
    else this.#arm();
  }

  /** Makes the kernel receive the next data directly into the first reader's memory. recv(2) */
  #fill(reader: Reader): void {
    const { wish } = reader;
    this.loop.start(this).recvAt(this.#fd, wish.address, wish.room, 0);
    this.#reads.filling = true;
    this.target = wish.target;
    wish.filling = this;
  }

  #filled(res: number): void {
    const reads = this.#reads;
    reads.filling = false;
    if (!this.loop.closing) this.target = null;
    const reader = reads.first!;
    const { wish } = reader;
    const { target, givenUp } = wish;
    wish.filling = null;
    if (res > 0) {
      this.bytesRead += res;
      // A detached target has taken the bytes with it.
      if (!reader.detached) {
        // Bytes that were put back meanwhile come first.
        if (reads.bytes.length === 0) reads.filled(res);
        else reads.own.push(copyPooled(target!.subarray(0, res)));
      }
    } else {
      this.#noBytes(res);
      if (givenUp !== null) reads.fail(givenUp);
    }
    this.#rearm(false);
  }

  #noBytes(res: number): void {
    if (res === 0) {
      if (wasReset(this.#fd, this.#owner.madeSender, this.bytesRead)) this.#fail(ECONNRESET);
      else this.#reads.end();
    } else if (res !== ENOBUFS && res !== EINTR && res !== ECANCELED) this.#fail(res);
  }

  /** The connection has failed in both directions: a pipe that leads here must not need bytes to learn of it. */
  #fail(res: number): void {
    // Not `kept`, which costs a tenth of a connection that is reset: the owner closes it now, and forgets it then.
    const error = systemError(res, 'read', this.#owner.peerDetails);
    this.#reads.error = error;
    this.#owner.onFailed(error);
  }

  /** Bytes with or without descriptors have arrived, or the end. */
  #readable(res: number): void {
    this.#polling = false;
    const { fds } = this.#reads;
    // Without descriptors, the next call receives the available data.
    if (this.#ending === null && (fds !== null || res < 0)) {
      const got = res > 0 ? fds!.receive() : res;
      if (typeof got === 'number') {
        if (got !== EAGAIN) this.#noBytes(got);
      } else {
        this.bytesRead += got.length;
        this.#reads.own.push(got);
      }
    }
    this.#rearm(false);
  }

  complete(res: number, flags: number): void {
    if (this.#polling) {
      this.#readable(res);
      return;
    }
    if (this.#reads.filling) {
      this.#filled(res);
      return;
    }
    if (res > 0) {
      if (this.#ending !== null) this.#drop(this.#ending, res, flags);
      else this.#received(res, flags);
    } else {
      this.#noBytes(res);
      // The end of a multishot receive still returns its buffer, if it had taken one.
      if (hasBuffer(flags)) this.#buffers.giveBack(flags);
    }
    if (hasMore(flags)) {
      const { bytes } = this.#reads;
      if (this.#ending !== null) return;
      if (this.#byCalls() || (bytes.length !== 0 && bytes.isFull(this.#reads.wanted))) this.#pause();
      return;
    }
    this.#rearm(res > 0);
  }

  /** A receive has ended: starts the next one if a reader waits, or if `likely` predicts more data soon. */
  #rearm(likely: boolean): void {
    this.#pausing = false;
    this.#reads.serve();
    if (this.#ending !== null) this.#goOnDropping(this.#ending);
    else if (this.waitedFor || likely) this.#arm();
  }

  /** Stops receiving until the next read: later data stays in the kernel. */
  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.loop.cancel(this);
  }

  #received(length: number, flags: number): void {
    this.bytesRead += length;
    const isLarge = length >= LARGE || this.#mode !== PROVIDED;
    if (isLarge && this.#takesCalls() && this.loop.inline.enabled) {
      this.#mode = modeAfter(this.#mode, length);
      if (this.#byCalls()) this.#owner.watchWhilePiped();
    }
    const reads = this.#reads;
    const reader = reads.first;
    if (reader !== null && reader.asks === INTO && !reader.detached && reader.wish.room >= length) {
      // Directly into its memory. There are no unread bytes: this reader would have had them.
      this.#buffers.takeInto(reader.wish.target!, 0, length, flags);
      reads.filled(length);
      return;
    }
    if (reader !== null && reads.bytes.length === 0) {
      if (reader.asks === CHUNK) {
        reads.give(this.#buffers.take(length, flags, undefined));
        return;
      }
      if (reader.asks === ALL) {
        const sink = reader.wish.sink!;
        if (sink.take(length, flags)) {
          if (sink.satisfied) reads.serve();
          return;
        }
      }
    }
    reads.append(this.#buffers.take(length, flags, reads.own.last), length);
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Whether nothing more can arrive: the peer has ended, or the connection has failed. */
  get finished(): boolean {
    return this.#reads.over;
  }

  /** The connection's failure, if any. */
  get error(): Error | null {
    return this.#reads.error;
  }

  /** Stops receiving: readers reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    const ending = this.#refuse(null, onStopped);
    if (this.slot >= 0) this.loop.cancel(this);
    else this.#stopped(ending);
  }

  /**
   * Drops queued data and later arrivals: readers reject, and `onStopped` is called when the peer has ended, the
   * connection has failed, or the loop is closing. `stop` ends it early.
   */
  discard(discard: Discard, onStopped: () => void): void {
    const ending = this.#refuse(discard, onStopped);
    if (this.slot < 0) this.#goOnDropping(ending);
    else if (this.#reads.filling) this.loop.cancel(this);
  }

  #refuse(discard: Discard | null, onStopped: () => void): Ending {
    const ending = new Ending(discard, onStopped);
    this.#ending = ending;
    this.#reads.refuse();
    return ending;
  }

  #drop(ending: Ending, length: number, flags: number): void {
    this.#buffers.drop(length, flags);
    if (ending.pausesAfter(length)) this.loop.cancel(this);
  }

  /** Resumes after `dropped` has returned false. */
  dropMore(): void {
    if (this.#ending?.resume() && this.slot < 0) this.#goOnDropping(this.#ending);
  }

  /** Restarts dropping: a receive has ended, or none is in flight. */
  #goOnDropping(ending: Ending): void {
    if (!ending.discards || this.finished || this.loop.closing) this.#stopped(ending);
    else if (!ending.held) this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  #stopped(ending: Ending): void {
    this.#fd = -1;
    this.#reads.drop();
    ending.stopped();
  }
}
