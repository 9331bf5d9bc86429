import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';
import type { WaitOptions } from '../loop/waiter.js';
import * as abi from '../ring/abi.js';
import { EAGAIN, ECANCELED, ECONNRESET, EINTR, ENOBUFS, EPIPE } from '../ring/errno.js';
import { closedError, errorFrom, systemError, timeoutError, UasyncError } from '../ring/errors.js';
import { POLLIN } from '../ring/flags.js';
import { Inbox } from './inbox.js';
import { detailsOf } from './peer-name.js';
import { Queue } from './queue.js';
import { ALL, CHUNK, INTO, Reader, type ReadValue, type Sink } from './reader.js';
import { ReceiveBuffers } from './receive-buffers.js';
import type { FdReceiver } from './received-fds.js';
import type { Sender } from './sender.js';
import { TCP_CLOSE, tcpInfo } from './tcp-info.js';

/** With so many bytes or chunks unread receiving stops: the peer's window closes, and it waits. */
const HIGH_WATER = 256 * 1024;
const HIGH_WATER_CHUNKS = 1024;
/** Below this it goes on. */
const LOW_WATER = HIGH_WATER / 2;
const LOW_WATER_CHUNKS = HIGH_WATER_CHUNKS / 2;

/** Has what arrives dropped. */
export interface Discard {
  /** `length` bytes were dropped; returns false to stop for now. */
  dropped(length: number): boolean;
}

/** Who is told how receiving has ended. */
export interface ReceiverOwner {
  /** A reader was told that the peer has ended, and nothing is left to read. */
  onPeerEnded(): void;
  onFailed(): void;
}

/**
 * The receiving side of a connection: one multishot receive that stays armed once the first read has
 * asked for data, and the bytes that nobody has read yet. For a read into pinned memory it makes room for
 * one that fills just that.
 */
export class Receiver extends Operation {
  bytesRead = 0;
  readonly #buffers: ReceiveBuffers;
  #fd: number;
  readonly #inbox = new Inbox();
  readonly #readers = new Queue<Reader>();
  #spare: Reader | null = null;
  /** Whether the receive in flight fills the first reader's own memory; else it is the multishot one. */
  #inPlace = false;
  /** That memory. Where the loop ends under it the kernel may have it still. */
  target: Uint8Array | null = null;
  #ended = false;
  #error: Error | null = null;
  #stopping = false;
  #pausing = false;
  /** Who is told of the bytes that are dropped, while they are received to be dropped. */
  #discard: Discard | null = null;
  /** Whether enough has been dropped for now. */
  #held = false;
  #onStopped: (() => void) | null = null;

  /** A Unix socket's descriptors, if it takes them: nothing is received before the first read. */
  fds: FdReceiver | null = null;
  /** Whether what is in flight waits for something to be there, for `fds` to receive. */
  #polling = false;

  /** The other direction. */
  readonly #sender: Sender;
  readonly #owner: ReceiverOwner;

  constructor(loop: Loop, fd: number, sender: Sender, owner: ReceiverOwner) {
    super(loop);
    this.#fd = fd;
    this.#sender = sender;
    this.#owner = owner;
    this.#buffers = ReceiveBuffers.of(loop);
  }

  override get syscall(): string {
    return 'read';
  }

  /** A reader to prepare, which `start` has wait. */
  newReader(): Reader {
    const reader = this.#spare ?? new Reader('read', waiter => this.#forget(waiter as Reader));
    this.#spare = null;
    return reader;
  }

  /** Settles a reader once what it asks for is there. */
  start(reader: Reader, options: WaitOptions | undefined): Promise<ReadValue> {
    const promise = reader.wait(options);
    if (this.waitedFor || !this.#serve(reader)) this.#readers.push(reader);
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
    while (reader !== null && reader.sink !== sink) reader = reader.next;
    if (reader === null) return;
    reader.settled();
    this.#forget(reader);
    reader.fail(errorFrom(error));
  }

  /** Puts bytes back, to be read before all others. */
  unread(bytes: Buffer): void {
    this.#readers.first?.putBack(this.#inbox);
    this.#inbox.unread(bytes);
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
      reader.putBack(this.#inbox);
      reader.fail(timeoutError('read'));
      reader.clear();
    }
  }

  #forget(reader: Reader): void {
    this.#readers.remove(reader);
    reader.putBack(this.#inbox);
    // What it waited for may be more than the next one asks for.
    this.#serveAll();
    if (this.waitedFor) this.#arm();
  }

  /** Settles a reader from what is there already; false if it has to wait. */
  #serve(reader: Reader): boolean {
    if (reader.lost) {
      reader.fail(new UasyncError('ERR_INVALID_STATE', 'The buffer was detached while it waited for bytes'));
    } else if (this.#stopping || !reader.serve(this.#inbox)) {
      const { closing } = this.loop;
      // A sink takes its time, but everything.
      const untaken = reader.asks === ALL && this.#inbox.length !== 0;
      if (untaken && !closing && !this.#stopping) return false;
      if (this.#error !== null || this.#stopping || (closing && (untaken || !this.#ended))) {
        reader.putBack(this.#inbox);
        // Made only if someone waits: capturing its stack would cost a tenth of a short connection.
        reader.fail(
          this.#error === null
            ? closedError(closing ? 'The loop' : 'The connection')
            : errorFrom(this.#error),
        );
      } else if (this.#ended) {
        reader.end(this.#inbox);
        if (this.#inbox.length === 0) this.#owner.onPeerEnded();
      } else return false;
    }
    reader.clear();
    this.#spare = reader;
    return true;
  }

  #serveAll(): void {
    const readers = this.#readers;
    while (readers.first !== null && !this.#inPlace) {
      if (!this.#serve(readers.first)) break;
      readers.shift();
    }
    if (this.fds !== null) this.#dropFds();
  }

  /** Those that came with bytes which have been read are not taken any more. */
  #dropFds(): void {
    this.fds!.drop(this.#inbox.length + (this.#readers.first?.filled ?? 0));
  }

  /** Bytes, and chunks, that may wait beyond the marks: what the first reader needs at once. */
  get #wanted(): number {
    return this.#readers.first?.wants ?? 0;
  }

  #arm(): void {
    if (this.#ended || this.#error !== null || this.#stopping || this.loop.closing) return;
    if (this.#sender.deferred) this.#sender.connect();
    const reader = this.#readers.first;
    const inPlace = reader !== null && reader.address !== 0 && this.fds === null;
    if (this.slot >= 0) {
      if (inPlace && !this.#inPlace) this.#pause();
      return;
    }
    if (inPlace) {
      this.#fill(reader);
      return;
    }
    if (this.fds !== null) {
      this.#polling = true;
      this.loop.start(this).pollAdd(this.#fd, POLLIN);
      return;
    }
    const inbox = this.#inbox;
    if (inbox.length !== 0) {
      const wanted = this.#wanted;
      if (inbox.length > LOW_WATER + wanted || inbox.chunks > LOW_WATER_CHUNKS + wanted) return;
    }
    this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  /** Has the kernel put what comes next where the first reader wants it. recv(2) */
  #fill(reader: Reader): void {
    this.loop.start(this).prep(abi.OP_RECV, this.#fd, reader.address, reader.room, 0);
    this.#inPlace = true;
    this.target = reader.target;
    reader.filling = this;
  }

  #filled(res: number): void {
    this.#inPlace = false;
    if (!this.loop.closing) this.target = null;
    const reader = this.#readers.first!;
    reader.filling = null;
    const { target, givenUp } = reader;
    if (res > 0) {
      this.bytesRead += res;
      // Detached, it has taken the bytes with it.
      if (!reader.lost) {
        if (this.#inbox.length !== 0) {
          // Bytes were put back meanwhile, which come first.
          this.#inbox.push(Buffer.from(target!.subarray(0, res)));
        } else {
          this.#readers.shift();
          reader.resolve(res);
          reader.clear();
          this.#spare = reader;
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
    const peer = detailsOf(this.#sender.peer);
    this.#error = systemError(res, 'read', peer);
    this.#sender.endPipes(this.#error);
    this.#sender.abort(systemError(EPIPE, 'write', peer));
    this.#owner.onFailed();
  }

  /**
   * Whether the end is that of a reset: the kernel tells of it once, and a send may have been told. The peer's
   * own end, had it come before, would count among the bytes received as one.
   */
  get #wasReset(): boolean {
    const sender = this.#sender;
    if (sender.idle && sender.error === null) return false;
    const info = tcpInfo(this.#fd);
    return info !== null && info.state === TCP_CLOSE && info.bytesReceived <= this.bytesRead;
  }

  /** Something has come, the end perhaps. */
  #readable(res: number): void {
    this.#polling = false;
    if (!this.#stopping) {
      const got = res > 0 ? this.fds!.receive() : res;
      if (typeof got === 'number') {
        if (got !== EAGAIN) this.#noBytes(got);
      } else {
        this.bytesRead += got.length;
        this.#inbox.push(got);
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
      if (this.#stopping) this.#drop(res, flags);
      else this.#received(res, flags);
    } else {
      this.#noBytes(res);
      // A multishot receive at its end still has its buffer to give back, if it had taken one.
      if (flags & abi.CQE_F_BUFFER) this.#buffers.giveBack(flags);
    }
    if (flags & abi.CQE_F_MORE) {
      if (!this.#stopping && this.#full) this.#pause();
      return;
    }
    this.#rearm(res > 0);
  }

  /** A receive has ended: the next one, if someone waits or if what has come so far makes more likely. */
  #rearm(likely: boolean): void {
    this.#pausing = false;
    this.#serveAll();
    if (this.#stopping) this.#goOnDropping();
    else if (this.waitedFor || likely) this.#arm();
  }

  get #full(): boolean {
    const inbox = this.#inbox;
    if (inbox.length < HIGH_WATER && inbox.chunks < HIGH_WATER_CHUNKS) return false;
    const wanted = this.#wanted;
    return inbox.length >= HIGH_WATER + wanted || inbox.chunks >= HIGH_WATER_CHUNKS + wanted;
  }

  /** Nobody reads: the kernel keeps what comes. Receiving goes on with the next read. */
  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.loop.cancel(this);
  }

  #received(length: number, flags: number): void {
    this.bytesRead += length;
    const inbox = this.#inbox;
    const reader = this.#readers.first;
    if (reader !== null && reader.asks === INTO && !reader.lost && reader.room >= length) {
      // Straight to where it is wanted. Nothing else waits: this reader would have had it.
      this.#buffers.takeInto(reader.target!, 0, length, flags);
      this.#readers.shift();
      reader.resolve(length);
      reader.clear();
      this.#spare = reader;
      return;
    }
    if (reader !== null && inbox.length === 0) {
      if (reader.asks === CHUNK) {
        this.#readers.shift();
        reader.give(this.#buffers.take(length, flags, undefined));
        reader.clear();
        this.#spare = reader;
        return;
      }
      if (reader.asks === ALL && reader.sink!.take(length, flags)) {
        if (reader.sink!.satisfied) this.#serveAll();
        return;
      }
    }
    const { last } = inbox;
    const chunk = this.#buffers.take(length, flags, last);
    if (last !== undefined && chunk.length > length) inbox.extendLast(chunk);
    else inbox.push(chunk);
    this.#serveAll();
    // Someone waits for more than all of these: they need not be looked through one by one again.
    if (inbox.chunks >= HIGH_WATER_CHUNKS && this.#wanted !== 0) inbox.join();
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

  /** Whether bytes wait here to be read. */
  get hasUnread(): boolean {
    return this.#inbox.length !== 0;
  }

  /** Ends receiving: readers reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#refuse(null, onStopped);
    if (this.slot >= 0) this.loop.cancel(this);
    else this.#stopped();
  }

  /**
   * Drops what waits here and what arrives from now on: readers reject, and `onStopped` is called when the
   * peer has ended, the connection has failed, or the loop is closing. `stop` ends it before.
   */
  discard(discard: Discard, onStopped: () => void): void {
    this.#refuse(discard, onStopped);
    if (this.slot < 0) this.#goOnDropping();
    else if (this.#inPlace) this.loop.cancel(this);
  }

  #refuse(discard: Discard | null, onStopped: () => void): void {
    this.#stopping = true;
    this.#discard = discard;
    this.#onStopped = onStopped;
    this.#serveAll();
    this.#inbox.clear();
    this.fds?.close();
  }

  #drop(length: number, flags: number): void {
    this.#buffers.drop(length, flags);
    if (this.#discard === null || this.#held || this.#discard.dropped(length)) return;
    this.#held = true;
    this.loop.cancel(this);
  }

  /** After `dropped` has said that it is enough. */
  dropMore(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.slot < 0) this.#goOnDropping();
  }

  /** A receive has ended, or none is in flight. */
  #goOnDropping(): void {
    if (this.#discard === null || this.finished || this.loop.closing) this.#stopped();
    else if (!this.#held) this.loop.start(this).recvMultishot(this.#fd, this.#buffers.group);
  }

  #stopped(): void {
    const onStopped = this.#onStopped;
    this.#onStopped = null;
    this.#discard = null;
    this.#fd = -1;
    this.#inbox.clear();
    this.fds?.close();
    onStopped?.();
  }
}
