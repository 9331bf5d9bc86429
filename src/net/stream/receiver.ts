import { hasBuffer, hasMore } from '../../loop/completion.js';
import type { Loop } from '../../loop/loop.js';
import { Operation } from '../../loop/operation.js';
import type { WaitOptions } from '../../loop/waiter.js';
import { EAGAIN, ECANCELED, ECONNRESET, EINTR, ENOBUFS } from '../../ring/errno.js';
import {
  closedError,
  type ErrorDetails,
  errorFrom,
  systemError,
  timeoutError,
  UasyncError,
} from '../../ring/errors.js';
import { POLLIN } from '../../ring/flags.js';
import { Queue } from '../socket/queue.js';
import type { FdReceiver } from '../socket/received-fds.js';
import { TCP_CLOSE, tcpInfo } from '../socket/tcp-info.js';
import { type Discard, Ending } from './ending.js';
import { ALL, CHUNK, INTO, Reader, type ReaderOwner, type ReadValue, type Sink } from './reader.js';
import { ReceiveBuffers } from './receive-buffers.js';
import { NO_QUEUE, ReceiveQueue } from './receive-queue.js';
import type { Sender } from './sender.js';

/** Whose receiving side it is. */
export interface ReceiverOwner {
  /** The other direction, if it has been needed. */
  readonly madeSender: Sender | null;
  /** What an error says of the peer. */
  readonly peerDetails: ErrorDetails | undefined;
  /** A reader was told that the peer has ended, and nothing is left to read. */
  onPeerEnded(): void;
  onFailed(error: Error): void;
}

/**
 * The receiving side of a connection: one multishot receive that stays armed once the first read has
 * asked for data, and the unread bytes. For a read into pinned memory it makes room for
 * one that fills just that.
 */
export class Receiver extends Operation implements ReaderOwner {
  bytesRead = 0;
  readonly #buffers: ReceiveBuffers;
  #fd: number;
  /** Most connections that are read all the time never have one of their own. */
  #queue = NO_QUEUE;
  readonly #readers = new Queue<Reader>();
  /** Whether the receive in flight fills the first reader's own memory; else it is the multishot one. */
  #inPlace = false;
  /** That memory. Where the loop ends under it the kernel may have it still. */
  target: Uint8Array | null = null;
  #ended = false;
  #error: Error | null = null;
  #pausing = false;
  /** Set once nothing more is to be read. */
  #ending: Ending | null = null;

  /** A Unix socket's descriptors, if it takes them: nothing is received before the first read. */
  fds: FdReceiver | null = null;
  /** Whether what is in flight waits for something to be there, for `fds` to receive. */
  #polling = false;

  readonly #owner: ReceiverOwner;

  constructor(loop: Loop, fd: number, owner: ReceiverOwner) {
    super(loop);
    this.#fd = fd;
    this.#owner = owner;
    this.#buffers = ReceiveBuffers.of(loop);
  }

  override get syscall(): string {
    return 'read';
  }

  /** A reader to prepare, which `start` has wait. */
  newReader(): Reader {
    return Reader.of(this);
  }

  /** Settles a reader once what it asks for is there. */
  start(reader: Reader, options: WaitOptions | undefined): Promise<ReadValue> {
    const promise = reader.wait(options);
    if (this.waitedFor || !this.#serve(reader)) this.#readers.push(reader);
    else reader.clear();
    if (this.fds !== null) this.#dropFds();
    this.#arm();
    return promise;
  }

  /** A sink can take more. */
  resume(): void {
    this.#serveAll();
    if (this.waitedFor) this.#arm();
  }

  /** A sink can take no more: its `forward` rejects, and what has not been taken stays unread. */
  unforward(sink: Sink, error: Error): void {
    let reader = this.#readers.first;
    while (reader !== null && reader.wish.sink !== sink) reader = reader.next;
    if (reader === null) return;
    reader.settled();
    this.forget(reader);
    reader.fail(errorFrom(error));
  }

  /** Puts bytes back, to be read before all others. */
  unread(bytes: Buffer): void {
    const queue = this.#ownInbox();
    this.#readers.first?.putBack(queue);
    queue.unread(bytes);
    if (this.#inPlace) this.loop.cancel(this);
    this.#serveAll();
  }

  /** Whether a reader waits. */
  get waitedFor(): boolean {
    return !this.#readers.empty;
  }

  /** Rejects the readers that wait. */
  timeOut(): void {
    const filling = this.#inPlace ? this.#readers.shift()! : null;
    const readers = this.#readers.takeAll();
    if (filling !== null) {
      this.#readers.push(filling);
      filling.giveUp(timeoutError('read'));
    }
    for (const reader of readers) {
      reader.putBack(this.#ownInbox());
      reader.fail(timeoutError('read'));
      reader.clear();
    }
  }

  /** A reader has given up. */
  forget(reader: Reader): void {
    this.#readers.remove(reader);
    reader.putBack(this.#ownInbox());
    // What it waited for may be more than the next one asks for.
    this.#serveAll();
    if (this.waitedFor) this.#arm();
  }

  /** Settles a reader from what is there already; false if it has to wait. */
  #serve(reader: Reader): boolean {
    if (reader.detached) {
      reader.fail(new UasyncError('ERR_INVALID_STATE', 'The buffer was detached while it waited for bytes'));
    } else if (this.#ending !== null || !reader.serve(this.#queue)) {
      const { closing } = this.loop;
      // A sink takes its time, but everything.
      const untaken = reader.asks === ALL && this.#queue.length !== 0;
      if (untaken && !closing && this.#ending === null) return false;
      if (this.#error !== null || this.#ending !== null || (closing && (untaken || !this.#ended))) {
        reader.putBack(this.#ownInbox());
        // Made only if someone waits: capturing its stack would cost a tenth of a short connection.
        reader.fail(
          this.#error === null
            ? closedError(closing ? 'The loop' : 'The connection')
            : errorFrom(this.#error),
        );
      } else if (this.#ended) {
        reader.end(this.#ownInbox());
        if (this.#queue.length === 0) this.#owner.onPeerEnded();
      } else return false;
    }
    return true;
  }

  #serveAll(): void {
    const readers = this.#readers;
    for (let reader = readers.first; reader !== null && !this.#inPlace; reader = readers.first) {
      if (!this.#serve(reader)) break;
      readers.shift();
      reader.clear();
    }
    if (this.fds !== null) this.#dropFds();
  }

  /** Those that came with bytes which have been read are not taken any more. */
  #dropFds(): void {
    this.fds!.drop(this.#queue.length + (this.#readers.first?.wish.filled ?? 0));
  }

  /** Bytes, and chunks, that may wait beyond the marks: what the first reader needs at once. */
  get #wanted(): number {
    return this.#readers.first?.wants ?? 0;
  }

  #arm(): void {
    if (this.#ended || this.#error !== null || this.#ending !== null || this.loop.closing) return;
    const reader = this.#readers.first;
    const inPlace = reader !== null && reader.wish.address !== 0 && this.fds === null;
    if (this.slot >= 0) {
      if (inPlace && !this.#inPlace) this.#pause();
      return;
    }
    const { madeSender } = this.#owner;
    if (madeSender?.deferred) madeSender.connect();
    if (inPlace) {
      this.#fill(reader);
      return;
    }
    if (this.fds !== null) {
      this.#polling = true;
      this.loop.start(this).pollAdd(this.#fd, POLLIN);
      return;
    }
    if (this.#queue.length !== 0 && !this.#queue.hasRoom(this.#wanted)) return;
    this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  /** Has the kernel put what comes next where the first reader wants it. recv(2) */
  #fill(reader: Reader): void {
    const { wish } = reader;
    this.loop.start(this).recvAt(this.#fd, wish.address, wish.room, 0);
    this.#inPlace = true;
    this.target = wish.target;
    wish.filling = this;
  }

  #filled(res: number): void {
    this.#inPlace = false;
    if (!this.loop.closing) this.target = null;
    const reader = this.#readers.first!;
    const { wish } = reader;
    const { target, givenUp } = wish;
    wish.filling = null;
    if (res > 0) {
      this.bytesRead += res;
      // Detached, it has taken the bytes with it.
      if (!reader.detached) {
        if (this.#queue.length !== 0) {
          // Bytes were put back meanwhile, which come first.
          this.#ownInbox().push(Buffer.from(target!.subarray(0, res)));
        } else {
          this.#readers.shift();
          reader.resolve(res);
          reader.clear();
        }
      }
    } else {
      this.#noBytes(res);
      if (givenUp !== null) {
        this.#readers.shift();
        reader.fail(givenUp);
        reader.clear();
      }
    }
    this.#rearm(false);
  }

  #noBytes(res: number): void {
    if (res === 0) {
      if (this.#wasReset) this.#fail(ECONNRESET);
      else this.#ended = true;
    } else if (res !== ENOBUFS && res !== EINTR && res !== ECANCELED) this.#fail(res);
  }

  /** The connection has failed in both directions: a pipe that leads here must not wait for bytes to learn it. */
  #fail(res: number): void {
    this.#error = systemError(res, 'read', this.#owner.peerDetails);
    this.#owner.onFailed(this.#error);
  }

  /**
   * Whether the end is that of a reset: the kernel tells of it once, and a send may have been told. The peer's
   * own end, had it come before, would count among the bytes received as one.
   */
  get #wasReset(): boolean {
    const { madeSender } = this.#owner;
    if (madeSender === null || (madeSender.idle && madeSender.error === null)) return false;
    const info = tcpInfo(this.#fd);
    return info !== null && info.state === TCP_CLOSE && info.bytesReceived <= this.bytesRead;
  }

  /** Something has come, the end perhaps. */
  #readable(res: number): void {
    this.#polling = false;
    if (this.#ending === null) {
      const got = res > 0 ? this.fds!.receive() : res;
      if (typeof got === 'number') {
        if (got !== EAGAIN) this.#noBytes(got);
      } else {
        this.bytesRead += got.length;
        this.#ownInbox().push(got);
      }
    }
    this.#rearm(false);
  }

  complete(res: number, flags: number): void {
    if (this.#polling) {
      this.#readable(res);
      return;
    }
    if (this.#inPlace) {
      this.#filled(res);
      return;
    }
    if (res > 0) {
      if (this.#ending !== null) this.#drop(this.#ending, res, flags);
      else this.#received(res, flags);
    } else {
      this.#noBytes(res);
      // A multishot receive at its end still has its buffer to give back, if it had taken one.
      if (hasBuffer(flags)) this.#buffers.giveBack(flags);
    }
    if (hasMore(flags)) {
      const queue = this.#queue;
      if (this.#ending === null && queue.length !== 0 && queue.isFull(this.#wanted)) this.#pause();
      return;
    }
    this.#rearm(res > 0);
  }

  /** A receive has ended: the next one, if someone waits or if what has come so far makes more likely. */
  #rearm(likely: boolean): void {
    this.#pausing = false;
    this.#serveAll();
    if (this.#ending !== null) this.#goOnDropping(this.#ending);
    else if (this.waitedFor || likely) this.#arm();
  }

  /** Nobody reads: the kernel keeps what comes. Receiving goes on with the next read. */
  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.loop.cancel(this);
  }

  #received(length: number, flags: number): void {
    this.bytesRead += length;
    const reader = this.#readers.first;
    if (reader !== null && reader.asks === INTO && !reader.detached && reader.wish.room >= length) {
      // Straight to where it is wanted. Nothing else waits: this reader would have had it.
      this.#buffers.takeInto(reader.wish.target!, 0, length, flags);
      this.#readers.shift();
      reader.resolve(length);
      reader.clear();
      return;
    }
    if (reader !== null && this.#queue.length === 0) {
      if (reader.asks === CHUNK) {
        this.#readers.shift();
        reader.give(this.#buffers.take(length, flags, undefined));
        reader.clear();
        return;
      }
      if (reader.asks === ALL) {
        const sink = reader.wish.sink!;
        if (sink.take(length, flags)) {
          if (sink.satisfied) this.#serveAll();
          return;
        }
      }
    }
    const queue = this.#ownInbox();
    const { last } = queue;
    const chunk = this.#buffers.take(length, flags, last);
    if (last !== undefined && chunk.length > length) queue.extendLast(chunk);
    else queue.push(chunk);
    this.#serveAll();
    // Someone waits for more than all of these: they need not be looked through one by one again.
    if (queue.isScattered && this.#wanted !== 0) queue.join();
  }

  #ownInbox(): ReceiveQueue {
    if (this.#queue === NO_QUEUE) this.#queue = new ReceiveQueue();
    return this.#queue;
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Whether nothing more can arrive: the peer has ended, or the connection has failed. */
  get finished(): boolean {
    return this.#ended || this.#error !== null;
  }

  /** How the connection has failed, if it has. */
  get error(): Error | null {
    return this.#error;
  }

  get failed(): boolean {
    return this.#error !== null;
  }

  /** How many readers wait. */
  get waiting(): number {
    return this.#readers.length;
  }

  /** Bytes that wait here to be read. */
  get unreadBytes(): number {
    return this.#queue.length;
  }

  /** Whether bytes wait here to be read. */
  get hasUnread(): boolean {
    return this.#queue.length !== 0;
  }

  /** Ends receiving: readers reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    const ending = this.#refuse(null, onStopped);
    if (this.slot >= 0) this.loop.cancel(this);
    else this.#stopped(ending);
  }

  /**
   * Drops what waits here and what arrives from now on: readers reject, and `onStopped` is called when the
   * peer has ended, the connection has failed, or the loop is closing. `stop` ends it before.
   */
  discard(discard: Discard, onStopped: () => void): void {
    const ending = this.#refuse(discard, onStopped);
    if (this.slot < 0) this.#goOnDropping(ending);
    else if (this.#inPlace) this.loop.cancel(this);
  }

  #refuse(discard: Discard | null, onStopped: () => void): Ending {
    const ending = new Ending(discard, onStopped);
    this.#ending = ending;
    this.#serveAll();
    this.#queue = NO_QUEUE;
    this.fds?.close();
    return ending;
  }

  #drop(ending: Ending, length: number, flags: number): void {
    this.#buffers.drop(length, flags);
    if (ending.pausesAfter(length)) this.loop.cancel(this);
  }

  /** After `dropped` has said that it is enough. */
  dropMore(): void {
    if (this.#ending?.resume() && this.slot < 0) this.#goOnDropping(this.#ending);
  }

  /** A receive has ended, or none is in flight. */
  #goOnDropping(ending: Ending): void {
    if (!ending.discards || this.finished || this.loop.closing) this.#stopped(ending);
    else if (!ending.held) this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  #stopped(ending: Ending): void {
    this.#fd = -1;
    this.#queue = NO_QUEUE;
    this.fds?.close();
    ending.stopped();
  }
}
