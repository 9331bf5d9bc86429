import type { Loop } from '../../loop/loop.js';
import { closedError, errorFrom, timeoutError, UasyncError } from '../../sys/errors/errors.js';
import { Queue } from '../socket/queue.js';
import type { FdReceiver } from '../socket/received-fds.js';
import { ALL, type Reader } from './reader.js';
import { NO_QUEUE, ReceiveQueue } from './receive-queue.js';
import type { Sink } from './sink.js';

/**
 * The waiting reads of a connection, in order, and its unread bytes. The receiver adds what the kernel delivers, and
 * reports when nothing more will come.
 */
export class ReadQueue extends Queue<Reader> {
  readonly #loop: Loop;
  readonly #owner: ReadQueueOwner;
  /** Unread bytes. Most connections that are read all the time never need a queue of their own: see `own`. */
  bytes = NO_QUEUE;
  /** Whether the kernel is filling the first reader's memory: only that completion settles the reader. */
  filling = false;
  /** The peer has ended its side. */
  ended = false;
  /** The connection has failed. */
  error: Error | null = null;
  /** This side reads no more. */
  #refuses = false;
  #serving = false;
  /** A Unix socket's descriptors, if it accepts any: set before the first read. */
  fds: FdReceiver | null = null;

  constructor(loop: Loop, owner: ReadQueueOwner) {
    super();
    this.#loop = loop;
    this.#owner = owner;
  }

  /** The peer has ended its side. */
  end(): void {
    this.ended = true;
    this.#owner.onEnd();
  }

  /** Whether nothing more can arrive. */
  get over(): boolean {
    return this.ended || this.error !== null;
  }

  /** How many bytes, or chunks, may wait beyond the high-water marks: what the first reader needs at once. */
  get wanted(): number {
    return this.first?.wants ?? 0;
  }

  /** The unread bytes, as a queue that can grow. */
  get own(): ReceiveQueue {
    if (this.bytes === NO_QUEUE) this.bytes = new ReceiveQueue();
    return this.bytes;
  }

  /** Settles a reader at once if it is first and its data is there; otherwise it waits. */
  add(reader: Reader): void {
    if (this.first !== null || !this.#serve(reader)) this.push(reader);
    else reader.clear();
    if (this.fds !== null) this.#dropFds();
  }

  /** Adds `length` received bytes, with which `chunk` ends: if it is longer, it replaces the last one. */
  append(chunk: Buffer, length: number): void {
    const queue = this.own;
    if (chunk.length > length) queue.extendLast(chunk);
    else queue.push(chunk);
    this.serve();
    // A reader waits for more than all of these: once joined, they are not searched one by one again.
    if (queue.isScattered && this.wanted !== 0) queue.join();
  }

  /** Whether the timeouts of waiting reads keep the process alive. */
  setReferenced(referenced: boolean): void {
    for (let reader = this.first; reader !== null; reader = reader.next) reader.setReferenced(referenced);
  }

  /** Settles readers from the unread bytes, as many as can be. */
  serve(): void {
    // A sink may close the connection, or ask for more, while it takes bytes: the call that it is in goes on with that.
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (let reader = this.first; reader !== null && !this.filling; reader = this.first) {
        if (!this.#serve(reader)) break;
        this.shift();
        reader.clear();
      }
    } finally {
      this.#serving = false;
    }
    if (this.fds !== null) this.#dropFds();
  }

  /** Settles the first reader with bytes that are in its own memory already. */
  filled(length: number): void {
    const reader = this.shift()!;
    reader.resolve(length);
    reader.clear();
  }

  /** Settles the first reader with a chunk. */
  give(chunk: Buffer): void {
    const reader = this.shift()!;
    reader.give(chunk);
    reader.clear();
  }

  /** Rejects the first reader. */
  fail(error: Error): void {
    const reader = this.shift()!;
    reader.fail(error);
    reader.clear();
  }

  /** A reader has given up. It may have waited for more than the next one needs. */
  override remove(reader: Reader): void {
    super.remove(reader);
    reader.putBack(this.own);
    this.serve();
  }

  /** The waiting reader that forwards to `sink`. */
  readerInto(sink: Sink): Reader | null {
    let reader = this.first;
    while (reader !== null && reader.wish.sink !== sink) reader = reader.next;
    return reader;
  }

  /** Puts bytes back, to be read before all others. */
  unread(bytes: Buffer): void {
    const queue = this.own;
    this.first?.putBack(queue);
    queue.unread(bytes);
  }

  /** Rejects all readers; one whose memory is being filled rejects with that completion. */
  timeOut(): void {
    const filling = this.filling ? this.shift()! : null;
    const readers = this.takeAll();
    if (filling !== null) {
      this.push(filling);
      filling.giveUp(timeoutError('read'));
    }
    for (const reader of readers) {
      reader.putBack(this.own);
      reader.fail(timeoutError('read'));
      reader.clear();
    }
  }

  /** Rejects waiting and future reads, and drops unread data. */
  refuse(): void {
    this.#refuses = true;
    this.serve();
    this.drop();
  }

  /** Drops the unread bytes, and the descriptors that came with them. */
  drop(): void {
    this.bytes = NO_QUEUE;
    this.fds?.close();
  }

  /** Settles a reader from available data; false if it has to wait. */
  #serve(reader: Reader): boolean {
    if (reader.detached) {
      reader.fail(new UasyncError('ERR_INVALID_STATE', 'The buffer was detached while it waited for bytes'));
    } else if (this.#refuses || !reader.serve(this.bytes)) {
      const { closing } = this.#loop;
      // A sink takes everything, but slowly.
      const untaken = reader.asks === ALL && this.bytes.length !== 0;
      if (untaken && !closing && !this.#refuses) return false;
      if (this.error !== null || this.#refuses || (closing && (untaken || !this.ended))) {
        reader.putBack(this.own);
        // Created only if a reader waits: capturing its stack would cost a tenth of a short connection.
        reader.fail(
          this.error === null ? closedError(closing ? 'The loop' : 'The connection') : errorFrom(this.error),
        );
      } else if (this.ended) {
        reader.end(this.own);
        if (this.bytes.length === 0) this.#owner.onPeerEnded();
      } else return false;
    }
    return true;
  }

  /** Closes descriptors that came with bytes which have been read: they can no longer be taken. */
  #dropFds(): void {
    this.fds!.drop(this.bytes.length + (this.first?.wish.filled ?? 0));
  }
}

/** Notified of the end. */
export interface ReadQueueOwner {
  /** The peer's end has arrived. There may be unread bytes before it. */
  onEnd(): void;
  /** A reader has got the peer's end, and nothing is left to read. */
  onPeerEnded(): void;
}
